"""The limits of blame: every reason for which a jail may go unblamed, or be blamed, against the truth."""

from __future__ import annotations

from enum import StrEnum


class Limit(StrEnum):
    """A named limit; a verdict against the truth that falls under none of them is a fault."""

    ACTIVATION_SPAN = "activation span"
    OUTAGE_SPAN = "outage span"
    NEVER_LOADED = "enabled, not loaded"
    NOT_SEEN_RUNNING = "not seen running"
    DISABLED_UNSEEN = "disabled out of sight"
    STOP_WITHOUT_START = "stopped, not refused"
    MISDATED_REPORT = "misdated report"
    NOT_TOLD = "not told"
    TOLD_TOO_LATE = "told too late"
    EXPORTER_AWAY = "exporter away"
    CRASH_NOT_SHOWN = "crash not shown"
    SHORT_OUTAGE = "outage found late"
    HANG_FOUND_LATE = "hang found late"
    LOADED_LATE = "loaded out of sight"
    REFUSED_WHILE_DOWN = "refused while down"
    SEEN_AS_ONE = "two outages seen as one"


SENTENCES = {
    Limit.ACTIVATION_SPAN: (
        "When a jail was activated is known only as a span, from the last look without it, or the edit that enables it,"
        " to the first look that shows it running; an outage within a window of any moment of it is blamed on it."
    ),
    Limit.OUTAGE_SPAN: (
        "When fail2ban went down is known only as a span, from the last answer to the first failure, where only probes"
        " show it or fail2ban hung before; a jail is blamed if any moment of it is within its window."
    ),
    Limit.NEVER_LOADED: (
        "Whether a jail was loaded between the edit that enables it and a crash within the window can't be seen, so it"
        " is blamed though nothing may have loaded it."
    ),
    Limit.NOT_SEEN_RUNNING: (
        "A jail that ran only between two looks still counts as one that the next start loads first: it is blamed if"
        " fail2ban then stays away, and the look that shows it at last is taken for its activation."
    ),
    Limit.DISABLED_UNSEEN: (
        "Without a readable configuration nothing shows that a reported jail is disabled again, until a server that was"
        " started since then runs without it for ten seconds; if fail2ban stays away before that, it is blamed."
    ),
    Limit.STOP_WITHOUT_START: (
        "A stop that no start follows looks like a start that was refused, and is blamed on the jails that were enabled"
        " and had not run yet."
    ),
    Limit.MISDATED_REPORT: (
        "A report without a time that comes late, or with a time from before the wall clock jumped, names another"
        " moment than the true one, and is believed."
    ),
    Limit.NOT_TOLD: (
        "Without a readable configuration and without a report a jail is known only once two looks at one server"
        " process show it appear, and the first ten seconds of a process are no news."
    ),
    Limit.TOLD_TOO_LATE: "A report that comes more than a window after the outage is over is too late to name it.",
    Limit.EXPORTER_AWAY: (
        "What happened before an exporter without a state began to watch is not known, not even whether a jail that is"
        " reported late has run since, and neither are reports and hangs while none ran, or how fail2ban ended then."
    ),
    Limit.CRASH_NOT_SHOWN: (
        "Where the end of fail2ban is seen only by probes and the restart came before the look, nothing shows that it"
        " was a crash and no restart."
    ),
    Limit.SHORT_OUTAGE: (
        "The grace of a stop that is seen only by a probe begins with that probe, so an outage that is over by then, or"
        " within the grace from then on, does not count."
    ),
    Limit.HANG_FOUND_LATE: (
        "A hang is timed from the end of the first probe that fails, so one that is over within a window from then on"
        " does not count, and one that ends in a crash before a probe fails is dated by the crash."
    ),
    Limit.LOADED_LATE: (
        "A crash more than a window after the edit that enables a jail, and before a look shows the jail running, is"
        " not blamed on it: nothing shows that it was loaded."
    ),
    Limit.REFUSED_WHILE_DOWN: (
        "A start that is refused while fail2ban is down already, after a crash or for longer than the grace, changes"
        " nothing that can be seen."
    ),
    Limit.SEEN_AS_ONE: (
        "A server that is up only between two looks was not seen up: the outages before and after it are one."
    ),
}
"""What each means to who reads the metrics, in one sentence."""
