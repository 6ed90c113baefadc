"""What is shown is one value, of what each thread has published by then."""

from __future__ import annotations

from typing import Any

from exporter.joined import Findings, JoinedSnapshot
from exporter.model import Enforcement
from tests.snapshots import ban_counts, canary, files, firewall_check, jail, snapshot, success


def test_snapshot_canary_and_check_are_joined_into_one_value_that_changes_when_one_of_them_does() -> None:
    probed, check, known = snapshot(success(jail())), firewall_check(Enforcement("sshd", 2, 0)), canary()
    parts: dict[str, Any] = {"probed": probed, "check": None, "canary": None}
    found = Findings(canary=lambda: parts["canary"], firewall=lambda: parts["check"])
    joined = JoinedSnapshot(lambda: parts["probed"], found)

    assert joined() is probed
    parts["check"] = check
    first = joined()
    assert (check, None, probed.probe) == (first.firewall, first.canary, first.probe)
    assert joined() is first
    parts["canary"] = known
    second = joined()
    assert (check, known, probed.probe) == (second.firewall, second.canary, second.probe)
    parts["probed"] = snapshot(success())
    assert joined() is not second
    assert (check, known) == (joined().firewall, joined().canary)


def test_a_look_at_the_files_is_joined_too() -> None:
    found = files()
    joined = JoinedSnapshot(snapshot, Findings(files=lambda: found))

    assert joined().files is found


def test_what_a_probe_on_demand_found_is_joined_too() -> None:
    known = canary()
    joined = JoinedSnapshot(snapshot, Findings(canary=lambda: known))

    assert known == joined.of(snapshot(success(jail()))).canary


def test_what_is_switched_off_is_shown_no_more() -> None:
    probed = snapshot(success(jail()))
    parts = {"canary": canary()}
    joined = JoinedSnapshot(lambda: probed, Findings(canary=lambda: parts.get("canary")))
    joined()
    parts.clear()

    assert joined().canary is None


def test_counts_of_bans_are_joined_too() -> None:
    counts = ban_counts()
    joined = JoinedSnapshot(snapshot, Findings(geoip=lambda: counts))

    assert counts is joined().geoip
