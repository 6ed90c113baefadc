"""The soak finds what it is for, and a short one is part of every run of the tests."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.exposition import Exposition
from exporter.health import Health, Policy, ProbeEnded, reduce
from exporter.model import Probe, Result
from exporter.negotiation import Format
from exporter.own import OwnMetrics
from exporter.snapshot import ProbeOptions, Snapshot
from tests.snapshots import failure, jail, recounted, server, success
from tests.soak.invariants import Follower, Scrape, faults_of
from tests.soak.soak import MOST_GROWTH, Report, soak
from tests.soak.trend import Reading, growth
from tests.soak.truth import Truth

SECONDS = 25.0


def test_a_short_soak_finds_nothing_wrong(folder: Path) -> None:
    # It is warming up all the while: what is left to see of memory is a leak that is gross.
    report = soak(SECONDS, seed=1, folder=folder, most_growth=5 * MOST_GROWTH)

    print(report.text())
    assert report.wrong == []
    assert report.faults.total() >= SECONDS / 5  # on any machine; a fault a second is for `make soak`


# -- what it would find


def text(probe: Probe | None) -> str:
    """A scrape that shows this probe."""
    now = time.monotonic()
    health = Health.initial(10, Policy())
    if probe is not None:
        health = recounted(reduce(health, ProbeEnded(probe, at=now, timestamp=time.time())), probe, now)
    snapshot = Snapshot(ProbeOptions("/run/f2b.sock", 30.0, 10.0, expected=("ftp",)), health, beat=now, probe=probe)
    return Exposition(lambda: snapshot, OwnMetrics().registry).render(Format.TEXT_0_0_4).decode()


ONLINE = text(success(jail("sshd", bans=5), server=server()))
OFFLINE = text(failure(Result.SOCKET_MISSING))


@pytest.mark.parametrize("probe", [None, success(jail("sshd"), server=server()), success(), *map(failure, Result)])
def test_nothing_is_wrong_with_what_the_exporter_says(probe: Probe | None) -> None:
    if probe is not None and probe.result is Result.SUCCESS and probe.server is None:
        probe = replace(probe, server=server(), jail_count=0)

    assert list(faults_of(Scrape.read(text(probe)))) == []


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ('{fail2ban_state="offline"} 0.0', '{fail2ban_state="offline"} 1.0', "2 states at once"),
        ('{fail2ban_state="online"} 1.0', '{fail2ban_state="online"} 0.0', "0 states at once"),
        ("fail2ban_up 1.0", "fail2ban_up 0.0", "up is 0.0 while the state is online"),
        ("pending_recoveries 0.0", "pending_recoveries 1.0", "pending_recoveries is 1.0"),
        (
            "fail2ban_pending_recoveries 0.0",
            'fail2ban_pending_recovery{jail="sshd"} 1.0\nfail2ban_pending_recoveries 1.0',
            "online, and recovery is pending for",
        ),
        ("fail2ban_jails 1.0", "fail2ban_jails 2.0", "fail2ban_jails is 2.0, and 1 have jail_up 1"),
        ('fail2ban_jail_banned_ips{jail="sshd"}', 'fail2ban_jail_banned_ips{jail="web"}', "is there for other jails"),
        ('fail2ban_jail_bans_total{jail="sshd"}', 'fail2ban_jail_bans_total{jail="web"}', "a jail that does not run"),
        ("duration_seconds_count 1.0", "duration_seconds_count 2.0", "1.0 probes and 2.0 durations"),
        ('jail_up{jail="sshd"} 1.0', 'jail_up{jail="sshd"} 1.0\nfail2ban_jail_up{jail="sshd"} 1.0', "two samples"),
        ("fail2ban_jails 1.0", "fail2ban_jails NaN", "fail2ban_jails is nan"),
        ('jail_up{jail="ftp"}', 'jail_up{jail="192.0.2.1"}', "has an address in a label"),
        ("fail2ban_probe_last_timestamp_seconds 1", "fail2ban_probe_last_timestamp_seconds 9", "is in the future"),
    ],
)
def test_a_lie_while_online_is_found(before: str, after: str, fault: str) -> None:
    assert before in ONLINE

    assert fault in "; ".join(faults_of(Scrape.read(ONLINE.replace(before, after, 1))))


@pytest.mark.parametrize(
    ("lie", "fault"),
    [
        ("fail2ban_jails 1.0", "fail2ban_jails is there while the state is offline"),
        ('fail2ban_jail_bans_total{jail="sshd"} 5.0', "fail2ban_jail_bans_total is there while the state is offline"),
        ('fail2ban_jail_up{jail="sshd"} 1.0', "jail sshd runs while the state is offline"),
        ('fail2ban_server_info{version="1.1.1"} 1.0', "fail2ban_server_info is there while the state is offline"),
    ],
)
def test_a_lie_while_offline_is_found(lie: str, fault: str) -> None:
    assert fault in list(faults_of(Scrape.read(f"{OFFLINE}{lie}\n")))


def test_a_counter_that_goes_back_is_found_unless_its_server_or_jail_is_another() -> None:
    resets = 0
    follower = Follower(lambda: resets)
    good = Scrape.read(ONLINE)
    fewer = Scrape.read(ONLINE.replace('bans_total{jail="sshd"} 5.0', 'bans_total{jail="sshd"} 4.0'))
    other = Scrape.read(
        ONLINE.replace('bans_total{jail="sshd"} 5.0', 'bans_total{jail="sshd"} 0.0').replace(
            "fail2ban_server_restarts_total 0.0", "fail2ban_server_restarts_total 1.0"
        )
    )
    assert list(follower.follow(good, resets)) == []
    assert list(follower.follow(fewer, resets)) == [
        "fail2ban_jail_bans_total{'jail': 'sshd'} went back from 5 to 4",
    ]
    assert list(follower.follow(other, resets)) == []
    assert list(follower.follow(good, resets)) == ["fail2ban_server_restarts_total{} went back from 1 to 0"]

    resets = 2
    assert list(follower.follow(fewer, resets)) == []


def test_exits_that_never_were_and_exits_that_are_not_told_are_found() -> None:
    scrape = Scrape.read(
        ONLINE.replace('fail2ban_server_exits_total{kind="crash"} 0.0', 'fail2ban_server_exits_total{kind="crash"} 2.0')
    )

    assert list(Truth().denies(scrape)) == ["2 exits are crash, and 0 were"]
    assert list(Truth(exits={"clean": 1, "crash": 2, "unknown": 0}).misses(scrape)) == ["0 exits are clean, and 1 were"]


def reports(memory: float, descriptors: int = 10, threads: int = 2) -> Report:
    """A soak of 100 s over which the memory grew by so many bytes, with so many descriptors at the end."""
    calm = Reading(0, 50_000_000, 10, 2)
    readings = [Reading(at, 50_000_000 + round(memory * at / 100) + at % 7 * 9000, 14, 2) for at in range(101)]
    return Report(calm=calm, after=Reading(101, 0, descriptors, threads), readings=readings, took=[0.1, 0.2])


@pytest.mark.parametrize(
    ("report", "wrong"),
    [
        (reports(0), []),
        (reports(MOST_GROWTH), []),  # a quarter of which was in the warm-up
        (reports(2 * MOST_GROWTH), ["the memory grew by 1.50 MB"]),
        (reports(0, descriptors=11), ["11 descriptors at the end, 10 before"]),
        (reports(0, threads=3), ["3 threads at the end, 2 before"]),
    ],
)
def test_what_grows_is_found(report: Report, wrong: list[str]) -> None:
    report.judge()

    assert report.wrong == wrong
    assert "trend after the warm-up" in report.text()


def test_the_trend_is_that_of_the_line_and_not_of_the_ends() -> None:
    readings = [Reading(float(at), memory, 0, 0) for at, memory in enumerate([100, 0, 10, 20, 30, 40, 50, 60, 0])]

    assert abs(growth(readings, lambda reading: reading.memory) - 0.0) < 20
    assert growth(readings[1:8], lambda reading: reading.memory) == pytest.approx(60)
