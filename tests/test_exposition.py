"""Every scrape is one probe's figures, in a format that its reader takes, and never a stale one as live."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from exporter.exposition import Exposition
from exporter.negotiation import Format
from exporter.own import OwnMetrics
from exporter.snapshot import Snapshot
from tests.snapshots import FOREVER, HOSTILE_NAMES, jail, snapshot, success

OPENMETRICS, TEXT_1, TEXT_0 = Format.OPENMETRICS_1_0_0, Format.TEXT_1_0_0, Format.TEXT_0_0_4


class Stage:
    """An exposition on a clock of the test's own, that counts how often the exporter's own metrics are collected."""

    def __init__(self, shown: Snapshot | None = None) -> None:
        self.snapshot = shown or snapshot(success(jail("sshd"), FOREVER))
        self.now = 0.0
        self.collected = 0
        self.exposition = Exposition(lambda: self.snapshot, self, lambda: self.now)

    def collect(self) -> Iterable[Metric]:
        """Count, and say how often."""
        self.collected += 1
        yield GaugeMetricFamily("process_collected", "How often it was.", value=self.collected)

    def text(self, form: Format = TEXT_0, *names: str) -> str:
        """A scrape's body."""
        return self.exposition.render(form, names=names).decode()


def read(form: Format, text: str) -> Iterable[Metric]:
    """Read a body as Prometheus's own client library does."""
    if form.is_openmetrics:
        return read_openmetrics(text)  # type: ignore[no-untyped-call,no-any-return]
    return read_text(text)


def jails_in(form: Format, text: str, name: str = "fail2ban_jail_banned_ips") -> list[str]:
    return [sample.labels["jail"] for family in read(form, text) for sample in family.samples if sample.name == name]


def family_names(form: Format, text: str) -> list[str]:
    return [family.name for family in read(form, text)]


# -- what is in it


@pytest.mark.parametrize("form", Format)
def test_the_client_library_reads_back_every_jail_by_its_name_however_hostile(form: Format) -> None:
    text = Stage(snapshot(success(*map(jail, HOSTILE_NAMES)), expected=["missing"])).text(form)

    assert list(HOSTILE_NAMES) == jails_in(form, text)
    assert [*HOSTILE_NAMES, "missing"] == jails_in(form, text, "fail2ban_jail_up")


@given(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=5, unique=True), st.sampled_from(Format))
def test_no_name_can_forge_a_line_or_be_lost(names: list[str], form: Format) -> None:
    names = [name.encode("utf-8", "backslashreplace").decode() for name in names]
    text = Stage(snapshot(success(*map(jail, names)))).text(form)

    assert names == jails_in(form, text)
    assert family_names(form, Stage().text(form)) == family_names(form, text)


@pytest.mark.parametrize("form", Format)
def test_the_values_are_those_of_the_probe(form: Format) -> None:
    samples = {
        (sample.name, sample.labels.get("jail")): sample.value
        for family in read(form, Stage().text(form))
        for sample in family.samples
    }

    assert samples["fail2ban_up", None] == 1
    assert samples["fail2ban_jail_bans_total", "sshd"] == 50
    assert samples["fail2ban_jail_ban_time_seconds", "recidive"] == float("inf")
    assert samples["fail2ban_probe_duration_seconds_count", None] == 1
    assert samples["process_collected", None] == 1


def test_openmetrics_ends_with_its_end_and_has_no_other() -> None:
    text = Stage().text(OPENMETRICS)

    assert text.endswith("\n# EOF\n")
    assert text.count("# EOF") == 1
    assert "# EOF" not in Stage().text(TEXT_0)


def test_openmetrics_names_the_types_and_the_older_format_does_with_those_that_it_has() -> None:
    assert "# TYPE fail2ban_state stateset\n" in Stage().text(OPENMETRICS)
    assert "# TYPE fail2ban_server info\n" in Stage().text(OPENMETRICS)
    assert "# TYPE fail2ban_server_exits counter\n" in Stage().text(OPENMETRICS)
    assert "# TYPE fail2ban_state gauge\n" in Stage().text(TEXT_0)
    assert "# TYPE fail2ban_server_info gauge\n" in Stage().text(TEXT_0)
    assert "# TYPE fail2ban_server_exits_total counter\n" in Stage().text(TEXT_0)


@pytest.mark.parametrize("form", Format)
def test_a_metric_without_a_sample_leaves_no_comment_behind(form: Format) -> None:
    assert "fail2ban_jails" not in Stage(snapshot()).text(form).replace("fail2ban_jails_", "")


def test_the_exporters_own_metrics_read_back_too() -> None:
    exposition = Exposition(snapshot, OwnMetrics().registry)

    for form in Format:
        names = family_names(form, exposition.render(form).decode())
        assert {"fail2ban_exporter_build", "fail2ban_exporter_build_info"} & set(names)
        assert {"process_resident_memory_bytes", "fail2ban_exporter_config_last_reload_successful"} <= set(names)


# -- name[]


@pytest.mark.parametrize(
    ("wanted", "families"),
    [
        pytest.param(["fail2ban_up"], ["fail2ban_up"], id="a gauge"),
        pytest.param(["fail2ban_server_exits_total"], ["fail2ban_server_exits"], id="a counter's samples"),
        pytest.param(["fail2ban_server_exits"], ["fail2ban_server_exits"], id="a counter's family"),
        pytest.param(["fail2ban_jail_info"], ["fail2ban_jail"], id="an info"),
        pytest.param(
            ["fail2ban_probe_duration_seconds_bucket"], ["fail2ban_probe_duration_seconds"], id="buckets of a histogram"
        ),
        pytest.param(["fail2ban_probe_duration_seconds"], ["fail2ban_probe_duration_seconds"], id="a histogram"),
        pytest.param(["process_collected"], ["process_collected"], id="one of the exporter's own"),
        pytest.param(["process_collected", "fail2ban_up"], ["fail2ban_up", "process_collected"], id="one of each"),
        pytest.param(["fail2ban_up", "fail2ban_up", "nonsense"], ["fail2ban_up"], id="twice, and an unknown"),
        pytest.param(["nonsense"], [], id="only an unknown"),
        pytest.param([""], [], id="an empty one"),
    ],
)
def test_names_pick_families_and_nothing_else(wanted: list[str], families: list[str]) -> None:
    assert families == family_names(OPENMETRICS, Stage().text(OPENMETRICS, *wanted))


def test_a_picked_family_is_the_same_text_as_in_the_whole() -> None:
    stage = Stage()

    assert stage.text(TEXT_0, "fail2ban_jail_up") in stage.text(TEXT_0)


def test_picked_families_compress_too() -> None:
    stage = Stage()
    body = stage.exposition.render(TEXT_0, compress=True, names=["fail2ban_up"])

    assert gzip.decompress(body).decode() == stage.text(TEXT_0, "fail2ban_up")


# -- what it costs


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("compress", [False, True])
def test_the_same_snapshot_and_format_is_the_same_object_and_costs_nothing(form: Format, *, compress: bool) -> None:
    stage = Stage()
    first = stage.exposition.render(form, compress=compress)
    stage.now = 0.9

    assert stage.exposition.render(form, compress=compress) is first


def test_each_reader_gets_its_own_format_in_whatever_order_they_come() -> None:
    for forms in (list(Format), list(reversed(Format))):
        stage = Stage()
        for form in [*forms, *forms]:
            assert stage.text(form) == Stage().text(form)
            assert stage.text(form).endswith("# EOF\n") is form.is_openmetrics


def test_gzip_is_the_same_text() -> None:
    stage = Stage()

    for form in Format:
        assert gzip.decompress(stage.exposition.render(form, compress=True)).decode() == stage.text(form)


def test_another_snapshot_shows_at_once() -> None:
    stage = Stage()
    for form in Format:
        stage.text(form)
    stage.snapshot = snapshot(success(jail("fresh")))

    for form in Format:
        assert jails_in(form, stage.text(form)) == ["fresh"]
        assert b"fresh" in gzip.decompress(stage.exposition.render(form, compress=True))
        assert "fresh" in stage.text(form, "fail2ban_jail_up")


def test_the_exporters_own_metrics_are_never_more_than_a_second_old_and_collected_once_a_second() -> None:
    stage = Stage()

    for now, collected in ((0.0, 1), (0.5, 1), (0.999, 1), (1.0, 2), (1.5, 2), (2.0, 3), (60.0, 4)):
        stage.now = now
        for form in Format:
            assert f"process_collected {collected}.0" in stage.text(form)
            assert f"process_collected {collected}.0" in stage.text(form, "process_collected")
            assert f"process_collected {collected}.0".encode() in gzip.decompress(
                stage.exposition.render(form, compress=True)
            )
        assert collected == stage.collected


def test_whoever_renders_seldom_has_the_exporters_own_metrics_of_that_moment() -> None:
    stage = Stage()
    stage.exposition = Exposition(lambda: stage.snapshot, stage, lambda: stage.now, own_max_age=0)

    assert "process_collected 1.0" in stage.text()
    assert "process_collected 2.0" in stage.text()


def test_another_snapshot_does_not_collect_the_exporters_own_metrics_again() -> None:
    stage = Stage()
    stage.text()
    stage.snapshot = snapshot(success())
    stage.text()

    assert stage.collected == 1


# -- what is too old


@pytest.mark.parametrize("form", Format)
def test_a_snapshot_that_becomes_stale_after_it_was_rendered_is_not_served_as_live(form: Format) -> None:
    stage = Stage(snapshot(success(jail()), interval=30, timeout=10, beat=0))
    stage.now = 99.9
    assert "fail2ban_up 1.0" in stage.text(form)

    stage.now = 100.0

    assert "fail2ban_up 0.0" in stage.text(form)
    assert 'fail2ban_state{fail2ban_state="unknown"} 1.0' in stage.text(form)
    assert jails_in(form, stage.text(form)) == []
    assert b"fail2ban_up 0.0" in gzip.decompress(stage.exposition.render(form, compress=True))
    assert "fail2ban_up 0.0" in stage.text(form, "fail2ban_up")


def test_a_prober_that_beats_again_is_believed_again() -> None:
    stage = Stage()
    stage.now = 1e6
    assert "fail2ban_up 0.0" in stage.text()

    stage.snapshot = replace(stage.snapshot, beat=1e6)

    assert "fail2ban_up 1.0" in stage.text()
