"""Whoever comes from the older Go exporter finds its metrics as they were, and whoever does not never meets them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter import __version__
from exporter.compat import F2B, exposed
from exporter.exposition import Exposition
from exporter.families import Definition
from exporter.health import ProbeEnded
from exporter.metrics import DEFINITIONS
from exporter.model import Result
from exporter.negotiation import Format
from exporter.own import OwnMetrics
from exporter.snapshot import Snapshot
from tests.snapshots import FOREVER, TIMESTAMP, failure, jail, jail_with, snapshot, success, then

# What the README and the collector of that exporter say.
OF_THE_OLDER_EXPORTER = {
    "f2b_up": ("gauge", ()),
    "f2b_errors": ("unknown", ("type",)),
    "f2b_jail_count": ("gauge", ()),
    "f2b_jail_banned_current": ("gauge", ("jail",)),
    "f2b_jail_banned_total": ("gauge", ("jail",)),
    "f2b_jail_failed_current": ("gauge", ("jail",)),
    "f2b_jail_failed_total": ("gauge", ("jail",)),
    "f2b_config_jail_ban_time": ("gauge", ("jail",)),
    "f2b_config_jail_find_time": ("gauge", ("jail",)),
    "f2b_config_jail_max_retries": ("gauge", ("jail",)),
    "f2b_version": ("gauge", ("exporter", "fail2ban")),
}
EVERY_RESULT = snapshot(*(failure(result) for result in Result if result is not Result.SUCCESS), success(jail()))
ONLINE = snapshot(success(jail("sshd"), FOREVER))

Samples = dict[tuple[str, ...], float]


def samples(name: str, shown: Snapshot) -> Samples:
    """The samples of one metric by the values of its labels."""
    [definition] = [one for one in F2B if one.name == name]
    found = definition.family(shown).samples
    return {tuple(sample.labels[label] for label in definition.labels): float(sample.value) for sample in found}


def text(shown: Snapshot, compat: str | None, form: Format = Format.TEXT_0_0_4, *names: str) -> str:
    """A scrape's body."""
    own = OwnMetrics().registry
    exposition = Exposition(lambda: shown, own, lambda: 0.0, definitions=exposed(compat))
    return exposition.render(form, names=names).decode()


@pytest.mark.parametrize("name", OF_THE_OLDER_EXPORTER)
def test_the_metric_has_the_type_and_the_labels_that_its_dashboards_rely_on(name: str) -> None:
    kind, labels = OF_THE_OLDER_EXPORTER[name]
    [family] = [one.family(ONLINE) for one in F2B if one.name == name]

    assert kind == family.type
    assert {(name, labels)} == {(sample.name, tuple(sample.labels)) for sample in family.samples}


def test_there_are_no_others() -> None:
    assert list(OF_THE_OLDER_EXPORTER) == [one.name for one in F2B]


def test_values_are_those_of_ours_but_for_a_permanent_ban() -> None:
    fleeting = jail_with("web", ban_time=600.0, find_time=5400.0, max_retries=5)
    shown = snapshot(success(FOREVER, fleeting))

    assert {(): 1} == samples("f2b_up", shown)
    assert {(): 2} == samples("f2b_jail_count", shown)
    assert {("recidive",): FOREVER.banned, ("web",): 4} == samples("f2b_jail_banned_current", shown)
    assert {("recidive",): FOREVER.bans, ("web",): 50} == samples("f2b_jail_banned_total", shown)
    assert {("recidive",): FOREVER.failed, ("web",): 2} == samples("f2b_jail_failed_current", shown)
    assert {("recidive",): FOREVER.failures, ("web",): 30} == samples("f2b_jail_failed_total", shown)
    assert {("recidive",): -1, ("web",): 600} == samples("f2b_config_jail_ban_time", shown)
    assert samples("f2b_config_jail_find_time", shown)["web",] == 5400
    assert samples("f2b_config_jail_max_retries", shown)["web",] == 5
    assert {(__version__, "1.1.0"): 1} == samples("f2b_version", shown)


def test_errors_are_those_without_a_connection_and_those_without_a_good_answer_and_start_at_0() -> None:
    assert {("socket_conn",): 0, ("socket_req",): 0} == samples("f2b_errors", snapshot())
    assert {("socket_conn",): 3, ("socket_req",): 3} == samples("f2b_errors", EVERY_RESULT)


def test_every_failure_of_a_probe_is_an_error() -> None:
    total = sum(number for result, number in EVERY_RESULT.health.probes.items() if result is not Result.SUCCESS)

    assert sum(samples("f2b_errors", EVERY_RESULT).values()) == total


def offline() -> Snapshot:
    """After an outage began."""
    return then(ONLINE, ProbeEnded(failure(Result.CONNECTION_REFUSED), at=10, timestamp=TIMESTAMP))


@pytest.mark.parametrize("shown", [offline(), ONLINE.as_of(1e6), snapshot()], ids=["offline", "stale", "no probe yet"])
def test_while_fail2ban_can_not_be_asked_there_are_up_and_errors_and_nothing_else(shown: Snapshot) -> None:
    assert {(): 0} == samples("f2b_up", shown)
    assert ["f2b_up", "f2b_errors"] == [one.name for one in F2B if one.family(shown).samples]


def test_a_setting_that_is_not_known_is_no_sample() -> None:
    shown = snapshot(success(jail_with(ban_time=None, find_time=None, max_retries=None, actions=None)))

    assert [{}, {}, {}] == [
        samples(f"f2b_config_jail_{name}", shown) for name in ("ban_time", "find_time", "max_retries")
    ]


@pytest.mark.parametrize("definition", F2B, ids=lambda one: one.name)
def test_help_says_which_of_our_metrics_to_move_to(definition: Definition) -> None:
    _, _, successor = definition.help.partition("move to ")
    ours = {one.name for one in DEFINITIONS} | {"fail2ban_exporter_build_info"}

    assert definition.help.endswith(".")
    assert successor.split()[0].strip(",.") in ours


@pytest.mark.parametrize("form", Format)
def test_without_the_setting_none_of_the_names_is_there(form: Format) -> None:
    assert "f2b_" not in text(ONLINE, None, form).replace("fail2ban_", "")
    assert text(ONLINE, None, form, *OF_THE_OLDER_EXPORTER).removesuffix("# EOF\n") == ""


@pytest.mark.parametrize("form", Format)
def test_with_it_ours_are_all_there_too_and_names_pick_any_of_both(form: Format) -> None:
    def types(body: str) -> list[str]:
        return [line.split()[2] for line in body.splitlines() if line.startswith("# TYPE ")]

    with_it = types(text(ONLINE, "f2b", form))

    assert [name for name in with_it if not name.startswith("f2b_")] == types(text(ONLINE, None, form))
    assert [name for name in with_it if name.startswith("f2b_")] == list(OF_THE_OLDER_EXPORTER)
    assert types(text(ONLINE, "f2b", form, "f2b_jail_banned_total", "fail2ban_up")) == [
        "fail2ban_up",
        "f2b_jail_banned_total",
    ]


def test_the_untyped_metric_is_called_so_in_each_format() -> None:
    assert "# TYPE f2b_errors untyped\n" in text(ONLINE, "f2b", Format.TEXT_0_0_4)
    assert "# TYPE f2b_errors unknown\n" in text(ONLINE, "f2b", Format.OPENMETRICS_1_0_0)


def test_another_fail2ban_version_is_told() -> None:
    probe = success(jail())
    assert probe.server is not None
    newer = replace(probe, server=replace(probe.server, version="1.2.3"))

    assert {(__version__, "1.2.3"): 1} == samples("f2b_version", snapshot(newer))
