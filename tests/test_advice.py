"""What people are told to do: always something that fits, and never a command with a name in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter import advice
from exporter.health import CanaryResult
from exporter.model import Enforcement, FirewallFault, GeoipDatabase, Result, State
from exporter.snapshot import Snapshot
from tests.snapshots import (
    HOSTILE_NAMES,
    ban_counts,
    blamed_snapshot,
    canary,
    failure,
    files,
    firewall_check,
    jail,
    jail_with,
    log_files,
    snapshot,
    success,
)

FAILURES = [result for result in Result if result is not Result.SUCCESS]


@pytest.mark.parametrize("result", FAILURES)
def test_for_each_way_to_fail_there_is_something_to_do(result: Result) -> None:
    told = advice.remedy(snapshot(failure(result)))

    assert told is not None
    assert told.endswith(".")
    assert told.count("`") % 2 == 0


def test_no_two_ways_to_fail_have_the_same_remedy() -> None:
    assert len({advice.remedy(snapshot(failure(result))) for result in FAILURES}) == len(FAILURES)


def test_online_there_is_nothing_to_do_about_the_state() -> None:
    assert advice.remedy(snapshot(success(jail()))) is None


def test_before_the_first_probe_and_when_it_is_stale_the_exporter_is_what_to_look_at() -> None:
    stale = snapshot(success(jail())).as_of(1e6)

    for shown in (snapshot(), stale):
        assert "A probe ends within 10s." in (advice.remedy(shown) or "")


def test_pending_recovery_is_told_to_be_mended_in_the_jail() -> None:
    assert "jail that is blamed" in (advice.remedy(blamed_snapshot("nginx")) or "")


@pytest.mark.parametrize("state", State)
def test_each_state_has_a_headline_with_its_word(state: State) -> None:
    assert str(state) in advice.headline(state)


@pytest.mark.parametrize(
    ("shown", "problems"),
    [
        pytest.param(snapshot(success(jail())), [], id="all well"),
        pytest.param(snapshot(success()), ["No jail runs: nobody gets banned."], id="no jail"),
        pytest.param(
            snapshot(success(), expected=["a", "b"]),
            ["2 jails are enabled or expected, and not running."],
            id="missing",
        ),
        pytest.param(
            snapshot(success(jail(), jail_with("idle", actions=0))),
            ["1 jail has no action: a ban there blocks nobody."],
            id="no action",
        ),
        pytest.param(snapshot(success(jail_count=3)), [], id="jails that can't be told apart run"),
        pytest.param(snapshot(failure(), expected=["a"]), [], id="offline the state says it all"),
        pytest.param(replace(snapshot(success(jail())), canary=canary()), [], id="the canary was banned"),
        pytest.param(
            replace(snapshot(success(jail())), canary=canary(CanaryResult.TIMEOUT, CanaryResult.INTERRUPTED)),
            ["The canary, a synthetic attacker, was not banned in time: fail2ban answers, and may ban nobody."],
            id="the canary was not",
        ),
        pytest.param(
            replace(snapshot(success(jail())), canary=canary(CanaryResult.JAIL_MISSING)),
            ["The canary is on, and its jail does not run."],
            id="the canary has no jail",
        ),
        pytest.param(
            replace(snapshot(success(jail())), canary=canary(CanaryResult.LOG_FILE_ERROR)),
            ["The canary can't write its failures."],
            id="the canary can't write",
        ),
        pytest.param(
            replace(snapshot(success(jail())), canary=canary(CanaryResult.INTERNAL_ERROR)),
            ["The canary failed for a fault of the exporter's own."],
            id="the canary failed by itself",
        ),
        pytest.param(
            replace(snapshot(failure()), canary=canary(CanaryResult.TIMEOUT)), [], id="offline the canary says no more"
        ),
        pytest.param(
            replace(snapshot(failure()), config_faults=1),
            ["1 file of fail2ban's configuration can't be read or parsed."],
            id="a faulty file, in any state",
        ),
        pytest.param(
            replace(snapshot(success(jail())), firewall=firewall_check(Enforcement("sshd", 4, 0))),
            [],
            id="all bans in the firewall",
        ),
        pytest.param(
            replace(snapshot(success(jail())), firewall=firewall_check(Enforcement("sshd", 0, 20_000))),
            ["20,000 banned addresses are not in the firewall: nothing blocks them."],
            id="bans not in the firewall",
        ),
        pytest.param(
            replace(snapshot(success(jail())), firewall=firewall_check(Enforcement("gone", 0, 1))),
            [],
            id="bans of a jail that is gone",
        ),
        pytest.param(replace(snapshot(success(jail())), files=files(log_files())), [], id="log files all there"),
        pytest.param(
            replace(snapshot(success(jail())), files=files(log_files(missing=None))), [], id="log files not to be seen"
        ),
        pytest.param(
            replace(snapshot(success(jail())), files=files(log_files(missing=1), log_files("gone", missing=1))),
            ["1 log file of 1 jail is missing: what would be written there goes unseen."],
            id="a log file is missing",
        ),
        pytest.param(
            replace(snapshot(success(jail("a"), jail("b"))), files=files(*(log_files(a, missing=2) for a in "ab"))),
            ["4 log files of 2 jails are missing: what would be written there goes unseen."],
            id="log files of several jails are missing",
        ),
        pytest.param(
            replace(snapshot(success(jail())), firewall=firewall_check(fault=FirewallFault.PERMISSION_DENIED)),
            ["Whether the bans are in the firewall could not be checked."],
            id="no right to look",
        ),
        pytest.param(
            replace(snapshot(success(jail())), geoip=ban_counts(databases=())), [], id="bans counted as they should be"
        ),
        pytest.param(
            replace(snapshot(success(jail())), geoip=ban_counts()),
            ["The file of `--geoip.asn-database` can't be used, and bans are not counted by it."],
            id="no database of networks",
        ),
        pytest.param(
            replace(
                snapshot(success(jail())),
                geoip=ban_counts(databases=[GeoipDatabase("country", is_current=False, built_at=1.0)], fault="it died"),
            ),
            [
                "The file of `--geoip.database` can't be used; an older one is in use.",
                "Bans could not be counted by where they come from.",
            ],
            id="an old database of countries, and no count",
        ),
        pytest.param(
            replace(snapshot(failure()), geoip=ban_counts(fault="no socket")), [], id="offline nor can they be"
        ),
    ],
)
def test_what_is_wrong_beyond_the_state_is_told(shown: Snapshot, problems: list[str]) -> None:
    assert [concern.problem for concern in advice.concerns(shown)] == problems


@pytest.mark.parametrize("fault", FirewallFault)
def test_for_each_way_not_to_read_the_firewall_there_is_something_to_do(fault: FirewallFault) -> None:
    (concern,) = advice.concerns(replace(snapshot(success(jail())), firewall=firewall_check(fault=fault)))

    assert concern.remedy.endswith(".")
    assert concern.remedy.count("`") % 2 == 0


def test_no_name_gets_into_a_text_that_has_commands() -> None:
    for shown in (blamed_snapshot(*HOSTILE_NAMES), snapshot(success(), expected=HOSTILE_NAMES)):
        texts = [advice.remedy(shown), *advice.RECOVERY_STEPS, *(each.remedy for each in advice.concerns(shown))]
        assert [name for name in HOSTILE_NAMES if name.strip() and any(name in (text or "") for text in texts)] == []
