"""What one probe of fail2ban found: the facts that travel from the client to the metrics.

Everything here is frozen and free of I/O. Durations are seconds, sizes bytes, timestamps UTC epoch seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Result(StrEnum):
    """How a probe ended; the closed label set of ``fail2ban_probes_total``."""

    SUCCESS = "success"
    TIMEOUT = "timeout"
    SOCKET_MISSING = "socket_missing"
    CONNECTION_REFUSED = "connection_refused"
    PERMISSION_DENIED = "permission_denied"
    PROTOCOL_ERROR = "protocol_error"
    SERVER_ERROR = "server_error"


class State(StrEnum):
    """What is known of fail2ban; the closed set of ``fail2ban_state``."""

    UNKNOWN = "unknown"
    """No probe has ended yet, or the latest is too old to speak for the present."""
    ONLINE = "online"
    """The latest probe got a complete answer."""
    UNRESPONSIVE = "unresponsive"
    """It runs or accepts, and gave no valid answer in time."""
    OFFLINE = "offline"
    """Nothing listens."""
    INACCESSIBLE = "inaccessible"
    """The exporter may not open the socket: says nothing about fail2ban."""


class ExitKind(StrEnum):
    """How the server's process ended; the closed label set of ``fail2ban_server_exits_total``."""

    CLEAN = "clean"
    CRASH = "crash"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ServerExit:
    """The end of a server process: how, and when, in monotonic seconds."""

    kind: ExitKind
    identity: str
    """That of the `Server` that ended."""
    after: float
    """The latest moment at which it was known to run."""
    before: float
    """The moment at which it was known to have ended; hardly later where the end was seen as it happened."""


@dataclass(frozen=True, slots=True)
class ServerTraces:
    """A server process as it was while it ran: by what is left of it later, one can tell whether and how it ended."""

    identity: str
    socket: str | None
    """Identity of its socket file."""
    folder: str | None
    """Identity of the folder that the socket was in."""


@dataclass(frozen=True, slots=True)
class JailSettings:
    """A jail's settings in force; what is not known is None."""

    ban_time: float | None
    """Seconds; ``inf`` for permanent bans (a negative time on fail2ban's side)."""
    find_time: float | None
    max_retries: int | None
    actions: int | None
    """How many actions the jail has; with none it bans nobody."""


@dataclass(frozen=True, slots=True)
class Jail:
    """A running jail's counts at the time of the probe."""

    name: str
    """Always valid Unicode: what UTF-8 can't carry is shown as ``\\udcXX``."""
    failed: int
    """Addresses with failures inside the find time."""
    failures: int
    """Failures since the jail was started."""
    banned: int
    """Addresses banned now."""
    bans: int
    """Bans since the jail was started, as fail2ban counts them: those among them that it restored from its database."""
    backend: str | None = None
    log_files: tuple[str, ...] | None = None
    """None for a journal-backed jail, or where it is not known."""
    settings: JailSettings | None = None


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """What the fail2ban process uses, read from ``/proc``."""

    cpu_seconds: float
    resident_bytes: int
    virtual_bytes: int
    open_fds: int | None
    """None where the kernel lets only the owner look."""
    max_fds: int | None


@dataclass(frozen=True, slots=True)
class Server:
    """The fail2ban server that answered."""

    version: str
    identity: str
    """Opaque and equal for as long as the same process serves the socket."""
    pid: int | None = None
    start_time: float | None = None
    usage: ProcessUsage | None = None
    is_trusted: bool = False
    """Whether its user is root or the exporter's own. Files that another one names are not looked at: that would tell
    it of files that it may not see."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe, from connect to the last reply."""

    result: Result
    reason: str
    """For people: what happened, and for a failure what to do about it."""
    duration: float
    server: Server | None = None
    jail_count: int | None = None
    """Running jails; None unless the probe succeeded."""
    jails: tuple[Jail, ...] = ()
    """Sorted by name, each name once; may be fewer than `jail_count`, where fail2ban's list of names is ambiguous or it
    answers for a jail with an error."""
    database: str | None = None
    """Path of fail2ban's database; None where it keeps none."""


@dataclass(frozen=True, slots=True)
class JailLogFiles:
    """What was found of the log files that a jail watches."""

    jail: str
    watched: int
    missing: int | None
    """How many are not there: at least so many where some can't be looked at; None if that is all that is known."""
    last_modified: float | None
    """Of the one that was written last, of those that can be looked at."""


@dataclass(frozen=True, slots=True)
class Files:
    """One look at the files that fail2ban names."""

    stale_at: float
    """Monotonic seconds from which it speaks for the present no more."""
    jails: tuple[JailLogFiles, ...] = ()
    """As of the latest answer of fail2ban, by name; a jail that reads the journal is not among them."""
    database_bytes: int | None = None
    """Size of fail2ban's database file; None without a database or where it can't be seen."""
    database_bans: int | None = None
    """Rows of its table of bans; None where they can't be counted without a lock."""


class FirewallFault(StrEnum):
    """Why the firewall could not be compared with the bans."""

    PERMISSION_DENIED = "permission_denied"
    OTHER_NAMESPACE = "other_namespace"
    """The exporter sees another network than the host's, and so another firewall."""
    PROGRAM_MISSING = "program_missing"
    PROGRAM_FAILED = "program_failed"
    FAIL2BAN_SILENT = "fail2ban_silent"
    """fail2ban did not say what it bans; its state says more."""
    STALE = "stale"
    UNEXPECTED = "unexpected"


@dataclass(frozen=True, slots=True)
class Enforcement:
    """How many of the addresses that a jail bans are in the firewall.

    Those that are not, and were banned since the check before, are in neither number.
    """

    jail: str
    enforced: int
    unenforced: int


@dataclass(frozen=True, slots=True)
class FirewallCheck:
    """One comparison of fail2ban's bans with the firewall."""

    reason: str
    """For people: what happened, and for a fault what to do about it."""
    stale_at: float
    """Monotonic seconds from which it speaks for the present no more."""
    fault: FirewallFault | None = None
    """The worst that kept it from being whole; the jails that it did not touch are there all the same."""
    jails: tuple[Enforcement, ...] = ()
    """By name; only those whose actions put addresses in a firewall, in ways that are known."""


@dataclass(frozen=True, slots=True)
class GeoipDatabase:
    """A database by which bans are counted."""

    kind: str
    """``country`` or ``asn``."""
    is_current: bool
    """Whether what is in use is what the file holds."""
    built_at: float | None
    """When that in use was built, in seconds since the epoch; None while none is in use."""


@dataclass(frozen=True, slots=True)
class BanCounts:
    """The bans of one moment, counted."""

    stale_at: float
    """Monotonic seconds from which they speak for the present no more."""
    fault: str | None = None
    """For people: why bans could not be counted; there are no counts then."""
    tables: Mapping[str, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)
    """By ``family``, ``country`` and ``asn``: by jail and label how many. Bounded, however many bans there are."""
    databases: tuple[GeoipDatabase, ...] = ()
