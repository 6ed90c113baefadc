"""fail2ban's wire format: requests made, and replies interpreted without ever unpickling.

A request is a pickled list of strings, a reply a pickled ``(0, value)`` or ``(1, exception)``. The exporter may run
with rights that the reply's author lacks, so the pickle machine must not run: a reply can name any callable, and even
with globals blocked, a 150-byte reply can keep the C loader hashing for ever. This interpreter knows the few opcodes
that fail2ban 0.11 to 1.1 send, calls nothing, hashes only strings, and takes time and memory linear in the reply.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn, TypeAlias

from exporter.errors import ExporterError

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | tuple[Value, ...] | RemoteError | None"

MAX_MEMORY: Final = 24 * 1024 * 1024
"""Bytes of memory that one probe reply may take, by the bounds below: some 110,000 banned addresses."""

# What CPython 3.11 needs at most, in bytes; later ones need less. Without these, 4 MiB of opcodes could take 4 GB.
_SLOT: Final = 16  # every value: its place on the stack, and later in its container
_MEMO_SLOT: Final = 10
_OBJECT: Final = 64  # a tuple, a number, a string beside its text
_WIDE: Final = 4  # for each byte of a number or of a text that is not ASCII: one wide character widens all others
_LIST: Final = 96  # a mark is a list too
_DICT: Final = 192
_DICT_ITEM: Final = 32

_CHECK_EVERY: Final = 32_768
"""Bytes interpreted between two looks at the deadline: below 2 ms."""

_MAX_ERROR_NAME: Final = 100
_MAX_ERROR_TEXT: Final = 500


class MalformedReplyError(ExporterError):
    """The reply is not one that a fail2ban server sends."""


@dataclass(frozen=True, slots=True)
class RemoteError:
    """An exception that fail2ban answered with, as inert text: ``UnknownJailException``, ``nojail``."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class _Global:
    module: str
    name: str


_STR: Final = _Global("builtins", "str")


def dumps(command: list[str]) -> bytes:
    """Return the request's bytes, in protocol 4, which every Python 3 that runs fail2ban reads."""
    return pickle.dumps(command, protocol=4)


def loads(data: bytes, check: Callable[[], None], max_memory: int = MAX_MEMORY) -> Value:
    """Interpret one reply.

    Args:
        data: the pickle, without the end marker. ``(0, 'pong')`` comes as
            ``80 05 95 0c 00… 4b 00 8c 04 'pong' 94 86 94 2e``.
        check: called every 32 KiB; raises when the deadline has passed.
        max_memory: bytes of memory that the value may take.

    Returns:
        The value. A `RemoteError` appears only as the second item of ``(1, error)``. A class that nothing calls stays
        in it as an object of no type that `Value` names.

    Raises:
        MalformedReplyError: for an opcode, a callable, a type or a size that no fail2ban reply has.
    """
    try:
        return _run(data, check, max_memory)
    except (IndexError, struct.error):
        raise MalformedReplyError("the reply is cut short or not a pickle") from None
    except UnicodeDecodeError:
        raise MalformedReplyError("a string of the reply is not UTF-8") from None


def _refuse(what: str) -> NoReturn:
    raise MalformedReplyError(f"the reply holds {what}, which no fail2ban sends")


def _refuse_size() -> NoReturn:
    raise MalformedReplyError("the reply takes more memory than any that fail2ban sends")


def _reduce(function: Value | _Global, arguments: Value) -> Value:
    """Stand in for a call: ``str`` of one string is that string, an error class is an inert `RemoteError`."""
    if type(arguments) is not tuple or type(function) is not _Global:
        _refuse("a call of something that is no class")
    if function == _STR:
        if len(arguments) != 1 or type(arguments[0]) is not str:
            _refuse("an odd use of str")
        return arguments[0]
    texts = [
        argument[:_MAX_ERROR_TEXT] if type(argument) is str else str(argument)
        for argument in arguments[:4]
        if type(argument) in (str, int, float, bool)
    ]
    return RemoteError(function.name[:_MAX_ERROR_NAME], ", ".join(texts)[:_MAX_ERROR_TEXT])


def _set_items(target: Value, items: list[Value]) -> None:
    if type(target) is not dict or len(items) % 2:
        _refuse("a dict that is none")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if type(key) is not str:
            _refuse("a dict key that is no string")
        target[key] = value


# One flat loop, because a call for each opcode doubles the time that 100,000 addresses take (100 ms). The opcodes that
# replies are full of come first: that takes a third off the time of a probe's reply.
def _run(data: bytes, check: Callable[[], None], max_memory: int) -> Value:  # noqa: C901, PLR0912, PLR0915
    stack: list[Value] = []
    marked: list[list[Value]] = []  # the stacks below each open mark
    memo: list[Value] = []
    has_error = False
    memory = 0
    position = 0
    next_check = _CHECK_EVERY
    while memory <= max_memory:
        if position >= next_check:
            check()
            next_check = position + _CHECK_EVERY
        opcode = data[position]
        position += 1
        if opcode == 0x94:  # MEMOIZE
            memo.append(stack[-1])
            memory += _MEMO_SLOT
        elif opcode == 0x4B:  # BININT1
            stack.append(data[position])
            memory += _SLOT
            position += 1
        elif opcode == 0x8C:  # SHORT_BINUNICODE
            end = position + 1 + data[position]
            text = str(data[position + 1 : end], "utf-8", "surrogatepass")
            stack.append(text)
            memory += _SLOT + _OBJECT + (data[position] if text.isascii() else _WIDE * (data[position] + 4))
            position = end
        elif opcode == 0x68:  # BINGET
            stack.append(memo[data[position]])
            memory += _SLOT
            position += 1
        elif opcode == 0x86:  # TUPLE2
            second = stack.pop()
            stack[-1] = (stack[-1], second)
            memory += _SLOT + _OBJECT
        elif opcode == 0x85:  # TUPLE1
            stack[-1] = (stack[-1],)
            memory += _SLOT + _OBJECT
        elif opcode == 0x52:  # REDUCE
            arguments = stack.pop()
            stack[-1] = _reduce(stack[-1], arguments)
            if type(stack[-1]) is RemoteError:
                if has_error:
                    _refuse("more than one error")
                has_error = True
        elif opcode == 0x28:  # MARK
            marked.append(stack)
            stack = []
            memory += _SLOT + _LIST
        elif opcode == 0x5D:  # EMPTY_LIST
            stack.append([])
            memory += _SLOT + _LIST
        elif opcode == 0x65:  # APPENDS
            items, stack = stack, marked.pop()
            target = stack[-1]
            if type(target) is not list:
                _refuse("a list that is none")
            target.extend(items)
        elif opcode == 0x61:  # APPEND
            item = stack.pop()
            target = stack[-1]
            if type(target) is not list:
                _refuse("a list that is none")
            target.append(item)
        elif opcode == 0x4D:  # BININT2
            stack.append(data[position] | data[position + 1] << 8)
            memory += _SLOT + _OBJECT
            position += 2
        elif opcode == 0x6A:  # LONG_BINGET
            stack.append(memo[struct.unpack_from("<I", data, position)[0]])
            memory += _SLOT
            position += 4
        elif opcode == 0x4A:  # BININT
            stack.append(struct.unpack_from("<i", data, position)[0])
            memory += _SLOT + _OBJECT
            position += 4
        elif opcode == 0x80:  # PROTO
            position += 1
        elif opcode == 0x95:  # FRAME
            position += 8
        elif opcode == 0x2E:  # STOP
            if len(stack) != 1 or marked or position != len(data):
                _refuse("something beside its value")
            return _whole(stack[0], has_error=has_error)
        elif opcode == 0x73:  # SETITEM
            value, key = stack.pop(), stack.pop()
            _set_items(stack[-1], [key, value])
            memory += _DICT_ITEM
        elif opcode == 0x75:  # SETITEMS
            items, stack = stack, marked.pop()
            _set_items(stack[-1], items)
            memory += _DICT_ITEM * (len(items) // 2)
        elif opcode == 0x87:  # TUPLE3
            stack[-3:] = [(stack[-3], stack[-2], stack[-1])]
            memory += _SLOT + _OBJECT
        elif opcode == 0x8A:  # LONG1
            end = position + 1 + data[position]
            stack.append(int.from_bytes(data[position + 1 : end], "little", signed=True))
            memory += _SLOT + _OBJECT + _WIDE * data[position]
            position = end
        elif opcode == 0x47:  # BINFLOAT
            stack.append(struct.unpack_from(">d", data, position)[0])
            memory += _SLOT + _OBJECT
            position += 8
        elif opcode == 0x7D:  # EMPTY_DICT
            stack.append({})
            memory += _SLOT + _DICT
        elif opcode == 0x29:  # EMPTY_TUPLE
            stack.append(())
            memory += _SLOT
        elif opcode == 0x74:  # TUPLE
            items, stack = stack, marked.pop()
            stack.append(tuple(items))
            memory += _SLOT + _OBJECT
        elif opcode == 0x4E:  # NONE
            stack.append(None)
            memory += _SLOT
        elif opcode == 0x88:  # NEWTRUE
            stack.append(True)
            memory += _SLOT
        elif opcode == 0x89:  # NEWFALSE
            stack.append(False)
            memory += _SLOT
        elif opcode == 0x58:  # BINUNICODE
            end = position + 4 + struct.unpack_from("<I", data, position)[0]
            if end > len(data):
                raise IndexError
            memory += _SLOT + _OBJECT + _WIDE * (end - position)
            if memory > max_memory:  # before the text is made
                _refuse_size()
            stack.append(str(data[position + 4 : end], "utf-8", "surrogatepass"))
            position = end
        elif opcode == 0x93:  # STACK_GLOBAL
            name, module = stack.pop(), stack.pop()
            if type(name) is not str or type(module) is not str:
                _refuse("a class without a name")
            stack.append(_Global(module, name))  # type: ignore[arg-type]  # inert: of no type that a reply is read as
            memory += _SLOT + _OBJECT
        else:
            _refuse(f"the opcode 0x{opcode:02x}")
    _refuse_size()


def _whole(value: Value, *, has_error: bool) -> Value:
    """Return the value if an error stands, if at all, where one may: in ``(1, error)``."""
    is_error_reply = type(value) is tuple and len(value) == 2 and value[0] == 1 and type(value[1]) is RemoteError
    if has_error != is_error_reply:
        _refuse("an error inside an answer")
    return value
