"""The thread that looks for restored bans when the prober needs to know, away from its path."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

import structlog

from exporter.edges import Clock
from exporter.fail2ban import JailLook, ProbeError, zone_shift
from exporter.health import Question, Recount
from exporter.tally import Tally

PAUSE_SECONDS: Final = 0.2
"""Between two looks, at least."""
_SHARE: Final = 4
"""The same, in multiples of what the look before took: fail2ban has the rest of the time for itself."""


class Asks(Protocol):
    """What is needed of a conversation with fail2ban; see `exporter.fail2ban.BanLists`."""

    @property
    def identity(self) -> str: ...  # noqa: D102
    def look(self, jails: Sequence[str]) -> Mapping[str, JailLook]: ...  # noqa: D102


class Recounter:
    """Answers the prober's questions, all of them over one connection of its own, which lasts until they are answered.

    What goes wrong costs the answers and no more: the questions are asked again after the next probe.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractContextManager[Asks]],
        tell: Callable[[Recount], None],
        clock: Clock | None = None,
        wake: threading.Event | None = None,
    ) -> None:
        """Prepare; nothing runs before the first question.

        Args:
            connect: opens a conversation with fail2ban; raises `ProbeError`.
            tell: called with each answer, on the thread that found it.
            clock: the clocks.
            wake: waited on between looks, and set when there is reason not to.
        """
        self._connect = connect
        self._tell = tell
        self._clock = clock or Clock()
        self._wake = wake or threading.Event()
        self._wanted: tuple[Question, ...] = ()
        self._answered: set[Question] = set()
        self._asked = False
        self._stopping = False
        self._fails = False
        self._log = structlog.get_logger()
        self._thread = threading.Thread(target=self._run, name="recounter", daemon=True)

    def ask(self, questions: tuple[Question, ...]) -> None:
        """Have these questions answered, and no others any more; returns at once. From one thread."""
        self._wanted = questions
        if not questions:
            return
        self._asked = True
        self._wake.set()
        if self._thread.ident is None:
            self._thread.start()

    def answer(self, questions: tuple[Question, ...]) -> None:
        """Answer these questions, in place of `ask`: returns when they are answered, or can't be."""
        self._wanted = questions
        self._work()

    def stop(self, patience: float = 0.1) -> None:
        """Ask the thread to end, and wait for it that many seconds."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(patience)

    def _run(self) -> None:
        while not self._stopping:
            # Asked while the answers before were worked on, it may have been woken already.
            if not self._asked:
                self._wake.wait()
            self._wake.clear()
            if self._asked and not self._stopping:
                self._asked = False
                self._work()

    def _work(self) -> None:
        """Look until all questions are answered, those included that come in meanwhile, or fail2ban does not answer."""
        try:
            if self._open_questions():
                with self._connect() as fail2ban:
                    self._look_until_answered(fail2ban)
        except ProbeError as error:
            self._failed(reason=str(error))
        except Exception as error:  # noqa: BLE001  # whatever it is, the probing goes on, and people are told
            self._failed(reason=f"{type(error).__name__}: {error}", exc_info=error)

    def _open_questions(self) -> list[Question]:
        """Return those that were not answered yet: they are asked until the prober has heard the answer."""
        wanted = self._wanted
        self._answered.intersection_update(wanted)
        return [each for each in wanted if each not in self._answered]

    def _look_until_answered(self, fail2ban: Asks) -> None:
        tallies: dict[Question, Tally] = {}
        while not self._stopping:
            started = self._clock.monotonic()
            wanted = [each for each in self._open_questions() if each.server == fail2ban.identity]
            if not wanted:
                return
            tallies = {each: tallies.get(each) or Tally(each, started) for each in wanted}
            looks = fail2ban.look([each.jail for each in wanted])
            if self._fails:
                self._fails = False
                self._log.info("bans_recounted_again")
            self._answered |= self._take(looks, tallies)
            took = self._clock.monotonic() - started
            if self._answered.issuperset(wanted):
                continue
            self._wake.wait(max(PAUSE_SECONDS, _SHARE * took))
            self._wake.clear()

    def _take(self, looks: Mapping[str, JailLook], tallies: Mapping[Question, Tally]) -> set[Question]:
        """Take a look at all jails into account; return the questions that it answers."""
        at, timestamp = self._clock.monotonic(), self._clock.wall()
        shift = zone_shift([ban for look in looks.values() for ban in look.bans or ()], timestamp)
        answered = set()
        for question, tally in tallies.items():
            look = looks.get(question.jail)
            recount = None if look is None else tally.add(look, shift, at, timestamp)
            if look is None:  # it does not run: if it is started anew, there is another question
                answered.add(question)
            elif recount is not None:
                answered.add(question)
                self._tell(recount)
        return answered

    def _failed(self, **details: object) -> None:
        if not self._fails:
            self._fails = True
            self._log.warning("bans_not_recounted", consequence="no fail2ban_jail_bans_total until they are", **details)
