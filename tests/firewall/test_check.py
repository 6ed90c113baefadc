"""What counts as missing: no ban that is too young to be there, and none that has just run out."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from exporter.fail2ban import JailAction, ProbeError
from exporter.firewall.check import Checker, Findings
from exporter.firewall.programs import FirewallError
from exporter.firewall.reader import Reading
from exporter.model import Enforcement, FirewallFault
from tests.firewall.test_places import IPSET, NFTABLES
from tests.firewall.test_places import IPTABLES as IPTABLES_ACTION


class World:
    """A fail2ban and a firewall that do as they are told.

    Attributes:
        actions: Of each jail.
        banned: By each jail.
        later: What is banned once the firewall has been read, if that is something else.
        there: What iptables has a rule for.
        faults: The programs that fail.
        runs: What was run.
    """

    def __init__(self) -> None:
        self.pid: int | None = 42
        self.identity = "pid:42:1"
        self.actions_of: dict[str, tuple[JailAction, ...]] = {"sshd": (JailAction("iptables", IPTABLES_ACTION),)}
        self.banned = {"sshd": {"192.0.2.1", "192.0.2.2"}}
        self.later: dict[str, set[str]] | None = None
        self.there = {"192.0.2.1", "192.0.2.2"}
        self.faults: dict[str, FirewallFault] = {}
        self.runs: list[str] = []
        self.is_silent = False
        self._is_read = False

    def jails(self) -> list[str]:
        """Its jails."""
        return list(self.actions_of)

    def actions(self, jails: Iterable[str]) -> dict[str, tuple[JailAction, ...]]:
        """Their actions."""
        return {jail: self.actions_of[jail] for jail in jails}

    def bans(self, jails: Iterable[str]) -> dict[str, frozenset[str]]:
        """Their bans, of this very moment."""
        now = self.later if self._is_read and self.later is not None else self.banned
        return {jail: frozenset(now[jail]) for jail in jails if jail in now}

    @contextmanager
    def connect(self) -> Iterator["World"]:
        """A conversation."""
        if self.is_silent:
            raise ProbeError("it is silent")
        self._is_read = False
        yield self

    def run(self, *words: str) -> str | None:
        """Print what is there."""
        self._is_read = True
        self.runs.append(" ".join(words))
        if words[0] in self.faults:
            raise FirewallError(self.faults[words[0]], f"{words[0]} fails")
        if words[0] == "iptables-save":
            return "-A INPUT -j f2b-sshd\n" + "".join(f"-A f2b-sshd -s {ip}/32 -j DROP\n" for ip in self.there)
        return None

    def checker(self) -> Checker:
        """A checker of this world."""
        return Checker(self.connect, lambda: Reading(self.run), checks=())


def _checked(world: World, checks: int = 2) -> Findings:
    checker = world.checker()
    return [checker.check() for _ in range(checks)][-1]


def test_bans_that_are_there_are_enforced() -> None:
    assert (Enforcement("sshd", 2, 0),) == _checked(World()).jails


def test_bans_that_are_not_there_are_not_enforced() -> None:
    world = World()
    world.there = {"192.0.2.2"}

    assert (Enforcement("sshd", 1, 1),) == _checked(world).jails


def test_of_bans_whose_age_is_not_known_nothing_is_said_and_a_second_check_is_wanted_soon() -> None:
    world = World()
    world.there = set()
    checker = world.checker()

    first, second = checker.check(), checker.check()

    assert ((), True) == (first.jails, first.is_first)
    assert ((Enforcement("sshd", 0, 2),), False) == (second.jails, second.is_first)


def test_a_ban_made_since_the_check_before_is_not_missing_yet() -> None:
    world = World()
    checker = world.checker()
    checker.check()
    world.banned["sshd"].add("192.0.2.3")

    assert (Enforcement("sshd", 2, 0),) == checker.check().jails
    assert (Enforcement("sshd", 2, 1),) == checker.check().jails


def test_a_ban_that_ran_out_while_the_firewall_was_read_is_not_missing() -> None:
    world = World()
    world.there = {"192.0.2.1"}
    world.later = {"sshd": {"192.0.2.1"}}

    assert (Enforcement("sshd", 1, 0),) == _checked(world).jails


def test_a_jail_that_ends_while_the_firewall_is_read_misses_nothing() -> None:
    world = World()
    world.there = set()
    world.later = {}

    assert (Enforcement("sshd", 0, 0),) == _checked(world).jails


def test_after_a_restart_of_fail2ban_all_bans_are_young() -> None:
    world = World()
    checker = world.checker()
    checker.check()
    world.identity, world.there = "pid:43:1", set()

    assert () == checker.check().jails
    assert (Enforcement("sshd", 0, 2),) == checker.check().jails


def test_a_jail_of_two_firewall_actions_wants_each_ban_in_both() -> None:
    world = World()
    world.actions_of["sshd"] += (JailAction("nftables", NFTABLES),)

    assert (Enforcement("sshd", 0, 2),) == _checked(world).jails


def test_a_jail_that_also_sends_mail_counts_by_its_firewall() -> None:
    world = World()
    world.actions_of["sshd"] += (JailAction("sendmail", {"actionban": "mail root"}),)

    assert (Enforcement("sshd", 2, 0),) == _checked(world).jails


def test_a_jail_without_a_firewall_is_left_out_with_its_reason() -> None:
    world = World()
    world.actions_of = {"mail": (JailAction("sendmail", {"actionban": "mail root"}),), "idle": ()}

    findings = _checked(world)

    assert ((), None) == (findings.jails, findings.fault)
    assert {"mail": "sendmail: it puts nothing in a firewall", "idle": "it has no action"} == findings.left_out
    assert [] == world.runs


def test_a_program_that_fails_costs_only_the_jails_that_need_it() -> None:
    world = World()
    world.actions_of["web"] = (JailAction("nftables", NFTABLES),)
    world.banned["web"] = {"192.0.2.9"}
    world.faults = {"nft": FirewallFault.PROGRAM_MISSING}

    findings = _checked(world)

    assert (Enforcement("sshd", 2, 0),) == findings.jails
    assert (FirewallFault.PROGRAM_MISSING, "nft fails") == (findings.fault, findings.reason)


def test_a_program_of_a_family_in_which_nobody_is_banned_need_not_work() -> None:
    world = World()
    world.faults = {"ip6tables-save": FirewallFault.PROGRAM_MISSING}

    findings = _checked(world)

    assert ((Enforcement("sshd", 2, 0),), None) == (findings.jails, findings.fault)


def test_each_listing_is_made_once_however_many_jails_want_it() -> None:
    world = World()
    world.actions_of = {f"jail{number}": (JailAction("ipset", IPSET),) for number in range(50)}
    world.banned = {jail: {"192.0.2.1", "2001:db8::1"} for jail in world.actions_of}

    _checked(world, checks=1)

    assert ["ip6tables-save -t filter", "iptables-save -t filter"] == sorted(world.runs)


def test_what_is_no_address_is_neither_enforced_nor_missing() -> None:
    world = World()
    world.banned["sshd"] |= {"alice"}

    assert (Enforcement("sshd", 2, 0),) == _checked(world).jails


def test_a_fail2ban_that_does_not_answer_is_a_check_that_could_not_be_made_and_its_bans_are_young_again() -> None:
    world = World()
    checker = world.checker()
    checker.check()
    world.is_silent = True

    findings = checker.check()

    assert (FirewallFault.FAIL2BAN_SILENT, ()) == (findings.fault, findings.jails)
    world.is_silent = False
    assert checker.check().is_first


def test_a_check_that_is_refused_from_the_outset_runs_no_program() -> None:
    world = World()

    def refuse(pid: int | None) -> None:
        assert pid == 42
        raise FirewallError(FirewallFault.PERMISSION_DENIED, "no right")

    findings = Checker(world.connect, lambda: Reading(world.run), checks=(refuse,)).check()

    assert (FirewallFault.PERMISSION_DENIED, "no right") == (findings.fault, findings.reason)
    assert [] == world.runs
