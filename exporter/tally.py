"""How far a jail is with restoring its bans, put together from one look at it after another. Pure."""

from __future__ import annotations

from typing import Final

from exporter.fail2ban import JailLook, dated_until
from exporter.health import Question, Recount

FIRST_SECONDS: Final = 3.0
"""How long none may be restored before none is expected: a jail's actions are started first."""
NEXT_SECONDS: Final = 1.0
"""How long none more may be restored, at least, before no more is expected."""
_GAPS: Final = 3
"""The same, in multiples of the longest wait for one more that was seen: actions may be slow."""
LOOK_SECONDS: Final = 1.0
"""No more than so much time passes from one look to the next, as far as patience goes: a fail2ban that takes longer to
answer is busy, and restores nothing meanwhile."""
LONGEST_SECONDS: Final = 300.0
"""For how long a jail is looked at, at most."""


class Tally:
    """The bans of one run of a jail that were restored, as far as they have been seen. Times are monotonic seconds."""

    def __init__(self, question: Question, began: float) -> None:
        """Begin.

        Args:
            question: what is to be answered.
            began: now.
        """
        self.question = question
        self._began = began
        self._start_anew(began)

    def _start_anew(self, at: float) -> None:
        self._total = 0
        self._seen: set[str] = set()
        self._listed = 0
        self._restored = 0
        self._grew_at = at
        self._looked_at = at
        self._quiet = 0.0
        self._longest_gap = 0.0

    def add(self, look: JailLook, shift: float | None, at: float, timestamp: float) -> Recount | None:
        """Take one more look into account.

        Args:
            look: how the jail was.
            shift: of fail2ban's clock, see `zone_shift`; None if its times can't be understood.
            at: when that was.
            timestamp: the same in UTC epoch seconds.

        Returns:
            The answer, once it is clear.
        """
        question = self.question
        if look.bans is None or shift is None:
            # All that can have been restored is taken for restored; in a jail that nothing is known of, nothing.
            return self._answer(min(question.most or 0, look.total), look.total)
        if look.total < self._total:  # it was started anew; if the prober has seen that too, nobody waits for this
            self._start_anew(at)
        new = [ban for ban in look.bans if ban.name not in self._seen]
        self._seen.update(ban.name for ban in new)
        self._listed += len(dated_until(new, question.until, timestamp, shift))
        self._total = max(look.total, len(look.bans))
        self._quiet += min(LOOK_SECONDS, at - self._looked_at)
        self._looked_at = at
        restored = question.restored(self._listed, gone=max(0, self._total - len(self._seen)))
        if restored > self._restored:
            if self._restored:
                self._longest_gap = max(self._longest_gap, at - self._grew_at)
            self._restored, self._grew_at, self._quiet = restored, at, 0.0
        return self._answer(restored, self._total) if self._is_settled(restored, at) else None

    def _is_settled(self, restored: int, at: float) -> bool:
        question = self.question
        if question.is_settled or (question.most is not None and restored >= question.most):
            return True
        patience = max(NEXT_SECONDS, _GAPS * self._longest_gap) if restored else FIRST_SECONDS
        return self._quiet >= patience or at - self._began >= LONGEST_SECONDS

    def _answer(self, restored: int, total: int) -> Recount:
        return Recount(self.question.jail, self.question.server, self.question.run, restored, total)
