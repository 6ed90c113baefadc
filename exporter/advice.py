"""What to say to people: how things stand, what that means, and what to do. Commands stand in `backticks`.

The one place for these words, for the status page and the status document alike. Names of jails are in none of them:
a name is what somebody else chose, and must not get into a command that is copied from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from exporter.durations import format as format_duration
from exporter.health import CanaryResult
from exporter.model import FirewallFault, Result, State
from exporter.snapshot import Snapshot

_MEANING: Final = {
    State.ONLINE: "It answers and guards this host.",
    State.OFFLINE: "Nothing guards this host.",
    State.UNRESPONSIVE: "It runs, or something accepts in its place, and gives no valid answer.",
    State.INACCESSIBLE: "The exporter may not ask it. That says nothing about fail2ban, which may well be running.",
    State.UNKNOWN: "Nothing is known of it at this time.",
}

_REMEDY: Final = {
    Result.SOCKET_MISSING: (
        "Start it: `systemctl start fail2ban`. If it runs already, `--fail2ban.socket` has to name what `socket =` in "
        "`fail2ban.conf` or `fail2ban.local` names."
    ),
    Result.CONNECTION_REFUSED: (
        "`journalctl -u fail2ban` and fail2ban's own log say why it ended; `systemctl restart fail2ban` starts it "
        "again."
    ),
    Result.TIMEOUT: (
        "If `fail2ban-client ping` hangs too, it is stopping, which takes a while with thousands of bans, or it hangs: "
        "`systemctl restart fail2ban` then. If that answers at once, the host is overloaded."
    ),
    Result.PERMISSION_DENIED: (
        "Run the exporter as the owner of the socket, usually root. If the system had no descriptors or memory left "
        "for it, raise its limits."
    ),
    Result.PROTOCOL_ERROR: (
        "See which program has that socket: `--fail2ban.socket` has to name fail2ban's. If it is fail2ban, "
        "`systemctl restart fail2ban`."
    ),
    Result.SERVER_ERROR: "fail2ban's own log says more about the error that it answered with.",
}

RECOVERY_STEPS: Final = (
    "See why: `journalctl -u fail2ban`, fail2ban's own log, and `fail2ban-client -t`, which tests its configuration.",
    "Mend the jail, or disable it: `enabled = false` in its section.",
    "Start fail2ban: `systemctl restart fail2ban`. This notice goes once fail2ban is online again.",
)
"""What to do, in order, when a jail's activation brought fail2ban down."""


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that is wrong though fail2ban may be online."""

    problem: str
    remedy: str


_CANARY: Final = {
    CanaryResult.TIMEOUT: Concern(
        "The canary, a synthetic attacker, was not banned in time: fail2ban answers, and may ban nobody.",
        "fail2ban's own log says what it does with the canary's jail; if it says nothing, a thread of it is stuck: "
        "`systemctl restart fail2ban`.",
    ),
    CanaryResult.JAIL_MISSING: Concern(
        "The canary is on, and its jail does not run.",
        "Install the jail from `deploy/fail2ban`, or name another by `--canary.jail`, then `fail2ban-client reload`.",
    ),
    CanaryResult.LOG_FILE_ERROR: Concern(
        "The canary can't write its failures.",
        "The exporter's log says why: `--canary.log-file` has to name a file of its own, in a folder that the exporter "
        "may write to.",
    ),
    CanaryResult.INTERNAL_ERROR: Concern(
        "The canary failed for a fault of the exporter's own.", "The exporter's log says more of it."
    ),
}


def headline(state: State) -> str:
    """Return the state as a sentence without its full stop."""
    return "fail2ban's state is unknown" if state is State.UNKNOWN else f"fail2ban is {state}"


def meaning(snapshot: Snapshot) -> str:
    """Return what the state means to whoever relies on fail2ban."""
    state = snapshot.health.state
    if state is State.ONLINE and concerns(snapshot):
        return "It answers, but not all is well."
    return _MEANING[state]


def remedy(snapshot: Snapshot) -> str | None:
    """Return what to do about the state; None if there is nothing to do."""
    state = snapshot.health.state
    if state is State.ONLINE:
        return None
    if snapshot.health.recovery.pending():
        return "Disable or mend the jail that is blamed, then start fail2ban."
    if state is State.UNKNOWN or snapshot.probe is None:
        patience = format_duration(snapshot.options.timeout)
        return (
            f"A probe ends within {patience}. If none does, the exporter hangs: `systemctl restart fail2ban-exporter`."
        )
    return _REMEDY.get(snapshot.probe.result)


def concerns(snapshot: Snapshot) -> tuple[Concern, ...]:
    """Return what is wrong though fail2ban may be online, the worst first."""
    found = []
    if snapshot.health.state is State.ONLINE:
        found = [
            *_jails_missing(snapshot),
            *_canary_failed(snapshot),
            *_bans_not_enforced(snapshot),
            *_log_files_missing(snapshot),
            *_jails_without_action(snapshot),
            *_bans_not_counted(snapshot),
        ]
    if faults := snapshot.config_faults:
        found.append(
            Concern(
                f"{_number(faults, 'file', 'files')} of fail2ban's configuration can't be read or parsed.",
                "The exporter's log names them; `fail2ban-client -t` says what fail2ban thinks of them.",
            )
        )
    return tuple(found)


def _jails_missing(snapshot: Snapshot) -> list[Concern]:
    if missing := len(snapshot.missing_jails()):
        return [
            Concern(
                f"{_number(missing, 'jail is', 'jails are')} enabled or expected, and not running.",
                "`fail2ban-client reload` starts what the configuration enables; `fail2ban-client -t` says what is "
                "wrong with it.",
            )
        ]
    if snapshot.probe is not None and snapshot.probe.jail_count == 0:
        return [
            Concern("No jail runs: nobody gets banned.", "Enable one in `jail.local`, then `fail2ban-client reload`.")
        ]
    return []


def _log_files_missing(snapshot: Snapshot) -> list[Concern]:
    jails = [found for found in snapshot.log_files() if found.missing]
    if not jails:
        return []
    missing = sum(found.missing or 0 for found in jails)
    return [
        Concern(
            f"{_number(missing, 'log file', 'log files')} of {_number(len(jails), 'jail', 'jails')} "
            f"{'is' if missing == 1 else 'are'} missing: what would be written there goes unseen.",
            "`ls -l` the files that `fail2ban-client status` lists for the jail: find out what took them away, or mend "
            "`logpath`, then `fail2ban-client reload`.",
        )
    ]


def _jails_without_action(snapshot: Snapshot) -> list[Concern]:
    jails = () if snapshot.probe is None else snapshot.probe.jails
    idle = sum(jail.settings is not None and jail.settings.actions == 0 for jail in jails)
    if not idle:
        return []
    return [
        Concern(
            f"{_number(idle, 'jail has', 'jails have')} no action: a ban there blocks nobody.",
            "Set `action` in the jail's section, or take away the empty one, then `fail2ban-client reload`.",
        )
    ]


def _canary_failed(snapshot: Snapshot) -> list[Concern]:
    latest = None if snapshot.canary is None else snapshot.canary.latest
    return [_CANARY[latest.result]] if latest is not None and latest.result in _CANARY else []


_FIREWALL_REMEDY: Final = {
    FirewallFault.PERMISSION_DENIED: (
        "Give the exporter CAP_NET_ADMIN and CAP_NET_RAW, as a service by the drop-in `firewall-check.conf`, or switch "
        "`--firewall.check` off."
    ),
    FirewallFault.OTHER_NAMESPACE: (
        "Let it see the host's network: `PrivateNetwork=no` as a service, `--network host` as a container."
    ),
    FirewallFault.PROGRAM_MISSING: "Install the program that fail2ban bans by where the exporter runs, too.",
    FirewallFault.FAIL2BAN_SILENT: "The next check finds out; if `fail2ban-client ping` hangs, fail2ban does.",
    FirewallFault.STALE: "The check hangs: `systemctl restart fail2ban-exporter`.",
}


def _bans_not_enforced(snapshot: Snapshot) -> list[Concern]:
    check = snapshot.firewall
    if check is None:
        return []
    found = []
    running = {jail.name for jail in snapshot.probe.jails} if snapshot.probe else set()
    if missing := sum(jail.unenforced for jail in check.jails if jail.jail in running):
        found.append(
            Concern(
                f"{_number(missing, 'banned address is', 'banned addresses are')} not in the firewall: nothing blocks "
                f"{'it' if missing == 1 else 'them'}.",
                "`systemctl restart fail2ban` puts all bans in again. Then find out what took them out, most likely "
                "another program that loads its own rules.",
            )
        )
    if check.fault is not None:
        remedy = _FIREWALL_REMEDY.get(check.fault, "The exporter's log says more.")
        found.append(Concern("Whether the bans are in the firewall could not be checked.", remedy))
    return found


_DATABASES: Final = {"country": "--geoip.database", "asn": "--geoip.asn-database"}


def _bans_not_counted(snapshot: Snapshot) -> list[Concern]:
    if snapshot.geoip is None:
        return []
    found = [
        Concern(
            f"The file of `{_DATABASES[database.kind]}` can't be used"
            f"{', and bans are not counted by it.' if database.built_at is None else '; an older one is in use.'}",
            "The exporter's log says why (`geoip_database_faulty`). Fetch it again, and move the whole file there.",
        )
        for database in snapshot.geoip.databases
        if not database.is_current
    ]
    if snapshot.geoip.fault is not None:
        found.append(
            Concern(
                "Bans could not be counted by where they come from.",
                "The exporter's log says why (`geoip_count_failed`); it is tried again within a minute.",
            )
        )
    return found


def _number(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"
