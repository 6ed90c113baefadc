"""Replies of servers that mean harm: to run code, to fill the memory, to take for ever."""

import struct
from collections.abc import Callable
from pathlib import Path

from exporter.fail2ban.connection import MAX_REPLY_BYTES
from tests.fakes import nested_pairs, opcodes

_MEBIBYTE = 1024 * 1024


def attacks(target: Path) -> dict[str, bytes]:
    """Pickles that make `target` when unpickled, each by other opcodes."""
    path = str(target)
    text = b"\x8c" + bytes([len(path)]) + path.encode()
    flags = struct.pack("<H", 0o101)  # O_CREAT | O_WRONLY
    return {
        "REDUCE of a global by name": b"cos\nopen\n(" + text + b"M" + flags + b"tR.",
        "REDUCE of a global from the stack": opcodes(b"\x8c\x02os\x8c\x04open\x93", text, b"M" + flags + b"\x86R"),
        "the same as an error reply": opcodes(b"K\x01\x8c\x02os\x8c\x04open\x93", text, b"M" + flags + b"\x86R\x86"),
        "INST": b"(" + text + b"M" + flags + b"ios\nopen\n.",
        "OBJ": b"(cos\nopen\n" + text + b"M" + flags + b"o.",
        "NEWOBJ": opcodes(b"\x8c\x02io\x8c\x06FileIO\x93", text, b"\x8c\x01w\x86\x81"),
        "NEWOBJ_EX": opcodes(b"\x8c\x02io\x8c\x06FileIO\x93", text, b"\x8c\x01w\x86}\x92"),
        "BUILD": opcodes(b"\x8c\x02io\x8c\x06FileIO\x93", text, b"\x8c\x01w\x86R}b"),
        **malice(target),
    }


def malice(target: Path) -> dict[str, bytes]:
    """Ten pickles that make `target` when unpickled, each by another way to code that is in every Python."""
    command = _text(f"touch '{target}'")
    words = b"](\x8c\x05touch" + _text(str(target)) + b"e"
    system = _global("os", "system")
    getattr_ = _global("builtins", "getattr")
    os_ = _global("builtins", "__import__") + b"\x8c\x02os\x85R"
    run = system + command + b"\x85R"
    partial = _global("functools", "partial")
    # The state of a partial is what it calls: (function, arguments, keywords, attributes).
    build = b"(" + system + command + b"\x85}Ntb"
    return {
        "os.system": opcodes(run),
        "subprocess": opcodes(_global("subprocess", "call"), words, b"\x85R"),
        "builtins.eval": opcodes(_global("builtins", "eval"), _text(f"open({str(target)!r}, 'w').close()"), b"\x85R"),
        "a chain of getattr": opcodes(getattr_, os_, b"\x8c\x06system\x86R", command, b"\x85R"),
        "copyreg": opcodes(_global("copyreg", "_reconstructor"), 2 * _global("subprocess", "Popen"), words, b"\x87R"),
        "codecs": opcodes(_global("codecs", "open"), _text(str(target)), b"\x8c\x01w\x86R"),
        "importlib": opcodes(
            getattr_, _global("importlib", "import_module"), b"\x8c\x02os\x85R\x8c\x06system\x86R", command, b"\x85R"
        ),
        "functools.partial": opcodes(partial, system, command, b"\x86R)R"),
        "a persistent id in a persistent id": opcodes(run, b"QQ"),
        "a stack of BUILD on stand-ins": opcodes(partial, _global("builtins", "str"), b"\x85R", 50 * build, b")R"),
    }


def _text(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text.encode())) + text.encode()


def _global(module: str, name: str) -> bytes:
    return _text(module) + _text(name) + b"\x93"


def filled(start: bytes, unit: bytes, end: bytes = b"") -> bytes:
    """As large a reply as is taken, all of one unit."""
    return start + unit * ((MAX_REPLY_BYTES - len(start) - len(end)) // len(unit)) + end


def short(text: str) -> bytes:
    """A short string."""
    raw = text.encode()
    return b"\x8c" + bytes([len(raw)]) + raw


def long(text: str) -> bytes:
    """A long string."""
    raw = text.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


ERROR = b"\x8c\x01m\x8c\x01e\x93\x94"
BOMBS: dict[str, Callable[[], bytes]] = {
    "lists": lambda: filled(b"", b"]"),
    "dicts": lambda: filled(b"", b"}"),
    "marks": lambda: filled(b"", b"("),
    "empty tuples": lambda: filled(b"", b")"),
    "nothings": lambda: filled(b"", b"N"),
    "truths": lambda: filled(b"", b"\x88"),
    "tuples of one": lambda: filled(b"N", b"\x85"),
    "tuples of one, remembered": lambda: filled(b"N", b"\x85\x94"),
    "tuples of two": lambda: filled(b"N", b"N\x86"),
    "tuples of three": lambda: filled(b"N", b"NN\x87"),
    "tuples of a mark": lambda: filled(b"", b"(t"),
    "memos": lambda: filled(b"N", b"\x94"),
    "lists, remembered": lambda: filled(b"", b"]\x94"),
    "dicts, remembered": lambda: filled(b"", b"}\x94"),
    "lists in lists": lambda: b"]\x94" * 500_000 + b"a" * 499_999,
    "dicts in dicts": lambda: short("k") + b"\x94" + b"}h\x00" * 300_000 + b"}" + b"s" * 300_000,
    "dicts of one item": lambda: filled(short("k") + b"\x94", b"}(h\x00h\x00u\x94"),
    "lists of one item": lambda: filled(b"N\x94", b"](h\x00e\x94"),
    "lists in one list": lambda: filled(b"](", b"]"),
    "keys": lambda: b"}(" + b"".join(short(f"{number:x}") + b"N" for number in range(500_000)) + b"u",
    "a key again and again": lambda: filled(b"}\x94", short("k") + b"Ns"),
    "strings of two": lambda: filled(b"", short("ab")),
    "strings of wide characters": lambda: filled(b"", short("\U0001f600")),
    "strings of wide characters, remembered": lambda: filled(b"", short("Ā") + b"\x94"),
    "strings with one wide character": lambda: filled(b"", short("\U0001f600" + "a" * 251)),
    "one string with one wide character": lambda: long("\U0001f600" + "a" * (MAX_REPLY_BYTES - 100)),
    "values, then a wide string": lambda: b"N" + b"\x85" * 260_000 + long("\U0001f600" + "a" * 3_900_000),
    "a big string again and again": lambda: filled(long("a" * _MEBIBYTE) + b"\x94", b"h\x00"),
    "a big string in tuples": lambda: filled(long("a" * _MEBIBYTE) + b"\x94", b"h\x00\x85"),
    "a big string as a key": lambda: filled(long("a" * _MEBIBYTE) + b"\x94}", b"h\x00Ns"),
    "wide integers": lambda: filled(b"", b"\x8a\xff" + b"\x7f" * 255),
    "empty integers": lambda: filled(b"", b"\x8a\x00"),
    "integers": lambda: filled(b"", b"J\xff\xff\xff\x7f"),
    "integers of two bytes": lambda: filled(b"", b"M\xff\xff"),
    "floats": lambda: filled(b"", b"G" + struct.pack(">d", 1.5)),
    "classes": lambda: filled(short("m") + b"\x94" + short("n") + b"\x94", b"h\x00h\x01\x93"),
    "errors": lambda: filled(ERROR + long("\U0001f600" * 200_000) + b"\x85\x94", b"h\x00h\x01R"),
    "an error of big strings": lambda: filled(ERROR + long("a" * _MEBIBYTE) + b"\x94h\x00(", b"h\x01", b"tR"),
    "an error of a wide string four times": lambda: (
        ERROR + long("\U0001f600" + "a" * 4_000_000) + b"\x94h\x00(" + b"h\x01" * 4 + b"tR"
    ),
    "str of a big string": lambda: filled(
        b"\x8c\x08builtins\x8c\x03str\x93\x94" + long("a" * _MEBIBYTE) + b"\x85\x94", b"h\x00h\x01R"
    ),
    "protocols": lambda: filled(b"", b"\x80\x04"),
    "frames": lambda: filled(b"", b"\x95" + bytes(8)),
    "a mark for each item": lambda: filled(b"]", b"(Ne"),
    "marks, closed at the end": lambda: b"(" * 200_000 + b"t" * 200_000,
    "an item at a time": lambda: filled(b"]", b"Na"),
    "a list of itself": lambda: filled(b"]\x94", b"h\x00a"),
    "tuples of themselves twice": lambda: nested_pairs(255) + b"N" * _MEBIBYTE,
}
