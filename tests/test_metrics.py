"""The metrics are a contract: a name, type or label that changes breaks every rule and dashboard built on it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace

import pytest

from exporter.families import Definition
from exporter.health import ActivationReported, Canary, CanaryResult, ConfigurationRead, ProbeEnded, Source
from exporter.metrics import DEFINITIONS
from exporter.model import Enforcement, ExitKind, Files, FirewallFault, Probe, Result, State
from exporter.snapshot import Snapshot
from tests.snapshots import (
    FOREVER,
    TIMESTAMP,
    ban_counts,
    blamed_snapshot,
    canary,
    exited,
    failure,
    files,
    firewall_check,
    jail,
    jail_with,
    log_files,
    server,
    snapshot,
    success,
    then,
)

CONTRACT = {
    "fail2ban_up": ("gauge", ()),
    "fail2ban_state": ("stateset", ("fail2ban_state",)),
    "fail2ban_server_info": ("info", ("version",)),
    "fail2ban_server_start_time_seconds": ("gauge", ()),
    "fail2ban_server_exits_total": ("counter", ("kind",)),
    "fail2ban_server_restarts_total": ("counter", ()),
    "fail2ban_process_cpu_seconds_total": ("counter", ()),
    "fail2ban_process_resident_memory_bytes": ("gauge", ()),
    "fail2ban_process_virtual_memory_bytes": ("gauge", ()),
    "fail2ban_process_start_time_seconds": ("gauge", ()),
    "fail2ban_process_open_fds": ("gauge", ()),
    "fail2ban_process_max_fds": ("gauge", ()),
    "fail2ban_database_size_bytes": ("gauge", ()),
    "fail2ban_database_bans": ("gauge", ()),
    "fail2ban_jails": ("gauge", ()),
    "fail2ban_jail_up": ("gauge", ("jail",)),
    "fail2ban_jail_banned_ips": ("gauge", ("jail",)),
    "fail2ban_jail_bans_total": ("counter", ("jail",)),
    "fail2ban_jail_failed_ips": ("gauge", ("jail",)),
    "fail2ban_jail_failures_total": ("counter", ("jail",)),
    "fail2ban_jail_ban_time_seconds": ("gauge", ("jail",)),
    "fail2ban_jail_find_time_seconds": ("gauge", ("jail",)),
    "fail2ban_jail_max_retries": ("gauge", ("jail",)),
    "fail2ban_jail_info": ("info", ("jail", "backend")),
    "fail2ban_jail_actions": ("gauge", ("jail",)),
    "fail2ban_jail_log_files": ("gauge", ("jail",)),
    "fail2ban_jail_log_files_missing": ("gauge", ("jail",)),
    "fail2ban_jail_log_last_modified_timestamp_seconds": ("gauge", ("jail",)),
    "fail2ban_probes_total": ("counter", ("result",)),
    "fail2ban_probe_duration_seconds": ("histogram", ()),
    "fail2ban_probe_last_duration_seconds": ("gauge", ()),
    "fail2ban_probe_last_timestamp_seconds": ("gauge", ()),
    "fail2ban_probe_last_success_timestamp_seconds": ("gauge", ()),
    "fail2ban_probe_consecutive_failures": ("gauge", ()),
    "fail2ban_probe_interval_seconds": ("gauge", ()),
    "fail2ban_probe_timeout_seconds": ("gauge", ()),
    "fail2ban_pending_recovery": ("gauge", ("jail",)),
    "fail2ban_pending_recovery_detected_timestamp_seconds": ("gauge", ("jail",)),
    "fail2ban_pending_recoveries": ("gauge", ()),
    "fail2ban_jail_activation_timestamp_seconds": ("gauge", ("jail",)),
    "fail2ban_activations_total": ("counter", ("source",)),
    "fail2ban_activation_failures_total": ("counter", ("jail",)),
    "fail2ban_recoveries_total": ("counter", ()),
    "fail2ban_canary_up": ("gauge", ()),
    "fail2ban_canary_ban_delay_seconds": ("histogram", ()),
    "fail2ban_canary_last_ban_delay_seconds": ("gauge", ()),
    "fail2ban_canary_runs_total": ("counter", ("result",)),
    "fail2ban_canary_last_success_timestamp_seconds": ("gauge", ()),
    "fail2ban_canary_interval_seconds": ("gauge", ()),
    "fail2ban_canary_timeout_seconds": ("gauge", ()),
    "fail2ban_jail_enforced_ips": ("gauge", ("jail",)),
    "fail2ban_jail_unenforced_ips": ("gauge", ("jail",)),
    "fail2ban_firewall_check_success": ("gauge", ()),
    "fail2ban_jail_banned_ips_by_family": ("gauge", ("jail", "family")),
    "fail2ban_jail_banned_ips_by_country": ("gauge", ("jail", "country")),
    "fail2ban_jail_banned_ips_by_asn": ("gauge", ("jail", "asn")),
    "fail2ban_geoip_count_success": ("gauge", ()),
    "fail2ban_geoip_database_reload_success": ("gauge", ("database",)),
    "fail2ban_geoip_database_build_timestamp_seconds": ("gauge", ("database",)),
    "fail2ban_exporter_jail_config_errors": ("gauge", ()),
}

OF_CANARY = {name for name in CONTRACT if "_canary_" in name}

OF_BLAME = (
    "fail2ban_pending_recovery",
    "fail2ban_pending_recovery_detected_timestamp_seconds",
    "fail2ban_pending_recoveries",
    "fail2ban_jail_activation_timestamp_seconds",
    "fail2ban_activations_total",
    "fail2ban_activation_failures_total",
    "fail2ban_recoveries_total",
)
"""What is known of activations and blame, whether or not fail2ban can be asked."""

OF_FIREWALL = (
    "fail2ban_jail_enforced_ips",
    "fail2ban_jail_unenforced_ips",
    "fail2ban_firewall_check_success",
)
OF_GEOIP = (
    "fail2ban_jail_banned_ips_by_family",
    "fail2ban_jail_banned_ips_by_country",
    "fail2ban_jail_banned_ips_by_asn",
    "fail2ban_geoip_count_success",
    "fail2ban_geoip_database_reload_success",
    "fail2ban_geoip_database_build_timestamp_seconds",
)
"""What a thread of its own finds, and only when it is told to."""

OF_LOG_FILES = (
    "fail2ban_jail_log_files",
    "fail2ban_jail_log_files_missing",
    "fail2ban_jail_log_last_modified_timestamp_seconds",
)
"""What can be looked at without fail2ban, once it has told where."""

OF_FAIL2BAN = (
    "fail2ban_server_info",
    "fail2ban_server_start_time_seconds",
    *(name for name in CONTRACT if name.startswith("fail2ban_process_")),
    "fail2ban_database_size_bytes",
    "fail2ban_database_bans",
    "fail2ban_jails",
    *(
        name
        for name in CONTRACT
        if name.startswith("fail2ban_jail_") and name not in OF_BLAME + OF_FIREWALL + OF_GEOIP + OF_LOG_FILES
    ),
)
"""What is read from fail2ban's socket or process."""

RECOVERED = replace(
    then(blamed_snapshot("sshd"), ProbeEnded(success(jail(), FOREVER), at=9, timestamp=TIMESTAMP + 9)), config_faults=0
)
"""Online again after a crash for which a jail was blamed."""

FULL = replace(
    RECOVERED,
    options=replace(RECOVERED.options, expected=()),
    canary=canary(),
    firewall=firewall_check(Enforcement("sshd", 3, 1)),
    files=files(log_files("recidive"), log_files("sshd")),
    geoip=ban_counts(),
)

Labels = tuple[tuple[str, str], ...]


def samples(name: str, shown: Snapshot) -> dict[Labels, float]:
    """The samples of one metric by their labels; of a histogram, those of its buckets."""
    [definition] = [definition for definition in DEFINITIONS if definition.name == name]
    found = definition.family(shown).samples
    return {
        tuple(sorted(sample.labels.items())): float(sample.value)
        for sample in found
        if sample.name in (name, f"{name}_bucket")
    }


def value(name: str, shown: Snapshot) -> float | None:
    """The one sample of a metric without labels; None where there is none."""
    return samples(name, shown).get(())


def by_jail(name: str, shown: Snapshot) -> dict[str, float]:
    """The samples of a metric by jail."""
    return {dict(labels)["jail"]: number for labels, number in samples(name, shown).items()}


def present(shown: Snapshot, names: Collection[str] = tuple(CONTRACT)) -> set[str]:
    """The metrics that have a sample."""
    return {name for name in names if samples(name, shown)}


@pytest.mark.parametrize("name", CONTRACT)
def test_the_metric_has_the_type_and_the_labels_that_rules_and_dashboards_rely_on(name: str) -> None:
    kind, labels = CONTRACT[name]
    [definition] = [definition for definition in DEFINITIONS if definition.name == name]

    family = definition.family(FULL)

    assert kind == family.type
    assert {sample.name for sample in family.samples} == (
        {f"{name}_bucket", f"{name}_count", f"{name}_sum"} if kind == "histogram" else {name}
    )
    assert all(set(labels) == set(sample.labels) - {"le"} for sample in family.samples)


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.name)
def test_the_metric_says_what_it_means_in_a_sentence(definition: Definition) -> None:
    assert definition.help.endswith(".")
    assert definition.family(FULL).documentation == definition.help


def test_no_metric_is_defined_twice() -> None:
    assert len({definition.family_name for definition in DEFINITIONS}) == len(DEFINITIONS)


def test_help_of_up_says_how_old_the_figures_are() -> None:
    [up] = [definition for definition in DEFINITIONS if definition.name == "fail2ban_up"]

    assert "figures are those of the latest probe" in up.help


def test_online_with_everything_known_nothing_of_the_contract_is_missing() -> None:
    assert set(CONTRACT) == present(FULL)


def then_failed(result: Result) -> Snapshot:
    """The snapshot after one more probe, which failed."""
    return then(FULL, ProbeEnded(failure(result), at=10, timestamp=TIMESTAMP + 10))


NOT_ONLINE = {
    "offline": then_failed(Result.SOCKET_MISSING),
    "refused": then_failed(Result.CONNECTION_REFUSED),
    "unresponsive": then_failed(Result.TIMEOUT),
    "inaccessible": then_failed(Result.PERMISSION_DENIED),
    "unknown": snapshot(),
    "stale": FULL.as_of(1e6),
}


@pytest.mark.parametrize("state", NOT_ONLINE)
def test_while_not_online_no_earlier_figure_of_fail2ban_is_shown(state: str) -> None:
    assert present(NOT_ONLINE[state], OF_FAIL2BAN) == set()


WITHOUT_A_PROBE = {
    "fail2ban_pending_recovery",
    "fail2ban_pending_recovery_detected_timestamp_seconds",
    "fail2ban_jail_activation_timestamp_seconds",
    "fail2ban_activation_failures_total",
    "fail2ban_exporter_jail_config_errors",
    *OF_LOG_FILES,
}
"""What nobody has told of yet."""


@pytest.mark.parametrize("state", NOT_ONLINE)
def test_while_not_online_the_probes_own_metrics_stay(state: str) -> None:
    shown = NOT_ONLINE[state]
    always = (
        set(CONTRACT)
        - set(OF_FAIL2BAN)
        - set(OF_FIREWALL)
        - set(OF_GEOIP)
        - (WITHOUT_A_PROBE | OF_CANARY if state == "unknown" else set())
        - {
            "fail2ban_probe_last_duration_seconds",
            "fail2ban_probe_last_timestamp_seconds",
            "fail2ban_probe_last_success_timestamp_seconds",
        }
    )

    assert always <= present(shown)
    assert value("fail2ban_up", shown) == 0


@pytest.mark.parametrize(
    ("shown", "state"),
    [
        (FULL, State.ONLINE),
        (NOT_ONLINE["offline"], State.OFFLINE),
        (NOT_ONLINE["refused"], State.OFFLINE),
        (NOT_ONLINE["unresponsive"], State.UNRESPONSIVE),
        (NOT_ONLINE["inaccessible"], State.INACCESSIBLE),
        (NOT_ONLINE["unknown"], State.UNKNOWN),
        (NOT_ONLINE["stale"], State.UNKNOWN),
    ],
)
def test_exactly_one_state_is_1_and_all_are_there(shown: Snapshot, state: State) -> None:
    expected = {(("fail2ban_state", str(each)),): float(each is state) for each in State}

    assert expected == samples("fail2ban_state", shown)
    assert value("fail2ban_up", shown) == (state is State.ONLINE)


def test_before_the_first_probe_no_time_of_one_is_made_up() -> None:
    assert present(snapshot(), [name for name in CONTRACT if "_last_" in name]) == set()


def test_the_time_of_the_latest_success_stays_through_an_outage() -> None:
    assert value("fail2ban_probe_last_success_timestamp_seconds", NOT_ONLINE["offline"]) == TIMESTAMP + 9


def test_every_counter_with_a_closed_label_set_exists_at_0_before_the_first_probe() -> None:
    assert {(("kind", str(kind)),): 0 for kind in ExitKind} == samples("fail2ban_server_exits_total", snapshot())
    assert {(("result", str(result)),): 0 for result in Result} == samples("fail2ban_probes_total", snapshot())
    assert {(("source", str(source)),): 0 for source in Source} == samples("fail2ban_activations_total", snapshot())
    assert value("fail2ban_server_restarts_total", snapshot()) == 0
    assert value("fail2ban_recoveries_total", snapshot()) == 0
    assert value("fail2ban_pending_recoveries", snapshot()) == 0
    assert set(samples("fail2ban_probe_duration_seconds", snapshot()).values()) == {0}


def test_a_canary_that_is_off_has_no_metric_at_all() -> None:
    assert present(replace(FULL, canary=None), OF_CANARY) == set()


def test_a_canary_that_has_not_attacked_yet_counts_at_0_and_claims_nothing() -> None:
    fresh = replace(FULL, canary=Canary.initial(300.0, 60.0))

    assert {(("result", str(result)),): 0 for result in CanaryResult} == samples("fail2ban_canary_runs_total", fresh)
    assert set(samples("fail2ban_canary_ban_delay_seconds", fresh).values()) == {0}
    assert present(fresh, OF_CANARY) == OF_CANARY - {
        "fail2ban_canary_up",
        "fail2ban_canary_last_ban_delay_seconds",
        "fail2ban_canary_last_success_timestamp_seconds",
    }


@pytest.mark.parametrize("result", CanaryResult)
def test_the_canary_is_up_after_a_ban_in_time_and_down_after_whatever_else_says_anything(result: CanaryResult) -> None:
    shown = replace(FULL, canary=canary(result))
    up = {CanaryResult.SUCCESS: 1, CanaryResult.INTERRUPTED: None}.get(result, 0)

    assert up == value("fail2ban_canary_up", shown)
    assert samples("fail2ban_canary_runs_total", shown)[("result", str(result)),] == 1


def test_the_figures_of_the_canary_are_each_in_their_own_metric() -> None:
    shown = replace(FULL, canary=canary(CanaryResult.SUCCESS, CanaryResult.TIMEOUT))

    assert {name: value(name, shown) for name in OF_CANARY if not samples(name, shown).keys() - {()}} == {
        "fail2ban_canary_up": 0,
        "fail2ban_canary_last_ban_delay_seconds": 0.75,
        "fail2ban_canary_last_success_timestamp_seconds": TIMESTAMP,
        "fail2ban_canary_interval_seconds": 300,
        "fail2ban_canary_timeout_seconds": 60,
    }
    delays = samples("fail2ban_canary_ban_delay_seconds", shown)
    assert (delays[("le", "0.5"),], delays[("le", "1.0"),], delays[("le", "+Inf"),]) == (0, 1, 1)


def test_counters_of_a_jail_exist_at_0_before_its_first_failure() -> None:
    fresh = snapshot(success(jail("new", failed=0, failures=0, banned=0, bans=0)))

    assert by_jail("fail2ban_jail_bans_total", fresh) == {"new": 0}
    assert by_jail("fail2ban_jail_failures_total", fresh) == {"new": 0}


@pytest.mark.parametrize(
    ("latest", "up"),
    [
        pytest.param(success(jail("sshd"), jail("other")), {"sshd": 1, "other": 1, "nginx": 0}, id="online"),
        pytest.param(success(), {"sshd": 0, "nginx": 0}, id="online without a jail"),
        pytest.param(success(jail_count=3), {}, id="online, names ambiguous"),
        pytest.param(failure(Result.SOCKET_MISSING), {"sshd": 0, "nginx": 0}, id="offline"),
        pytest.param(failure(Result.CONNECTION_REFUSED), {"sshd": 0, "nginx": 0}, id="refused"),
        pytest.param(failure(Result.TIMEOUT), {}, id="unresponsive"),
        pytest.param(failure(Result.PROTOCOL_ERROR), {}, id="garbage"),
        pytest.param(failure(Result.PERMISSION_DENIED), {}, id="inaccessible"),
    ],
)
def test_an_expected_jail_is_0_where_it_certainly_is_down_and_absent_where_nobody_knows(
    latest: Probe, up: dict[str, int]
) -> None:
    assert up == by_jail("fail2ban_jail_up", snapshot(latest, expected=["sshd", "nginx"]))


def test_expected_jails_are_absent_before_the_first_probe_and_in_a_stale_snapshot() -> None:
    assert by_jail("fail2ban_jail_up", snapshot(expected=["sshd"])) == {}
    assert by_jail("fail2ban_jail_up", snapshot(success(), expected=["sshd"]).as_of(1e6)) == {}


def test_a_permanent_ban_time_is_infinite_and_not_minus_one() -> None:
    assert by_jail("fail2ban_jail_ban_time_seconds", FULL) == {"sshd": 600, "recidive": math.inf}


def test_the_figures_of_a_jail_are_each_in_their_own_metric() -> None:
    shown = snapshot(success(jail()))
    found = {name: by_jail(name, shown) for name in OF_FAIL2BAN if name.startswith("fail2ban_jail_")}

    assert found == {
        "fail2ban_jail_up": {"sshd": 1},
        "fail2ban_jail_banned_ips": {"sshd": 4},
        "fail2ban_jail_bans_total": {"sshd": 50},
        "fail2ban_jail_failed_ips": {"sshd": 2},
        "fail2ban_jail_failures_total": {"sshd": 30},
        "fail2ban_jail_ban_time_seconds": {"sshd": 600},
        "fail2ban_jail_find_time_seconds": {"sshd": 5400},
        "fail2ban_jail_max_retries": {"sshd": 5},
        "fail2ban_jail_info": {"sshd": 1},
        "fail2ban_jail_actions": {"sshd": 1},
    }


def test_the_figures_of_the_server_are_each_in_their_own_metric() -> None:
    assert samples("fail2ban_server_info", FULL) == {(("version", "1.1.0"),): 1}
    assert samples("fail2ban_jail_info", snapshot(success(jail()))) == {(("backend", "polling"), ("jail", "sshd")): 1}
    assert {name: value(name, FULL) for name in CONTRACT if name.startswith("fail2ban_process_")} == {
        "fail2ban_process_cpu_seconds_total": 12.5,
        "fail2ban_process_resident_memory_bytes": 30_000_000,
        "fail2ban_process_virtual_memory_bytes": 300_000_000,
        "fail2ban_process_start_time_seconds": 1_600_000_000.25,
        "fail2ban_process_open_fds": 20,
        "fail2ban_process_max_fds": 99,
    }
    assert value("fail2ban_server_start_time_seconds", FULL) == 1_600_000_000.25
    assert value("fail2ban_database_size_bytes", FULL) == 4096
    assert value("fail2ban_database_bans", FULL) == 70
    assert value("fail2ban_jails", FULL) == 2


UNKNOWN_SETTINGS = jail_with(ban_time=None, find_time=None, max_retries=None, actions=None)


@pytest.mark.parametrize(
    ("probe", "absent"),
    [
        pytest.param(
            success(jail(settings=None)),
            [f"fail2ban_jail_{name}" for name in ("ban_time_seconds", "find_time_seconds", "max_retries", "actions")],
            id="no settings",
        ),
        pytest.param(
            success(UNKNOWN_SETTINGS),
            [f"fail2ban_jail_{name}" for name in ("ban_time_seconds", "find_time_seconds", "max_retries", "actions")],
            id="no setting makes sense",
        ),
        pytest.param(success(jail(log_files=None)), OF_LOG_FILES, id="journal-backed"),
        pytest.param(success(jail(backend=None)), ["fail2ban_jail_info"], id="a version that tells no backend"),
        pytest.param(
            success(jail(), server=server(usage=None, start_time=None, pid=None)),
            ["fail2ban_server_start_time_seconds", *(name for name in CONTRACT if "_process_" in name)],
            id="no process to be seen",
        ),
    ],
)
def test_what_is_not_known_is_no_sample_and_costs_no_other(probe: Probe, absent: Sequence[str]) -> None:
    shown = then(FULL, ProbeEnded(probe, at=10, timestamp=TIMESTAMP))

    assert set(CONTRACT) - set(absent) == present(shown)


def test_a_jail_without_actions_or_log_files_says_0_since_that_is_known() -> None:
    idle = snapshot(success(replace(jail_with(actions=0), log_files=())))

    assert by_jail("fail2ban_jail_actions", idle) == {"sshd": 0}
    assert by_jail("fail2ban_jail_log_files", idle) == {"sshd": 0}


def test_probes_exits_and_restarts_are_counted() -> None:
    other = success(jail(), server=server(identity="pid:43:2"))
    shown = snapshot(success(jail()), failure(Result.TIMEOUT), failure(Result.TIMEOUT), other)
    shown = then(shown, exited(ExitKind.CRASH, identity="pid:43:2"))

    assert samples("fail2ban_probes_total", shown)[(("result", "timeout"),)] == 2
    assert samples("fail2ban_probes_total", shown)[(("result", "success"),)] == 2
    assert samples("fail2ban_server_exits_total", shown)[(("kind", "crash"),)] == 1
    assert value("fail2ban_server_restarts_total", shown) == 1
    assert value("fail2ban_probe_consecutive_failures", shown) == 0
    assert value("fail2ban_probe_consecutive_failures", NOT_ONLINE["offline"]) == 1


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        pytest.param(
            snapshot(success(jail())),
            {
                "fail2ban_pending_recovery": {},
                "fail2ban_pending_recovery_detected_timestamp_seconds": {},
                "fail2ban_jail_activation_timestamp_seconds": {},
                "fail2ban_activation_failures_total": {"sshd": 0},
            },
            id="no activation is known",
        ),
        pytest.param(
            then(snapshot(success(jail())), ActivationReported("nginx", happened=2, at=2, timestamp=TIMESTAMP + 2)),
            {
                "fail2ban_pending_recovery": {"nginx": 0},
                "fail2ban_pending_recovery_detected_timestamp_seconds": {},
                "fail2ban_jail_activation_timestamp_seconds": {"nginx": TIMESTAMP + 2},
                "fail2ban_activation_failures_total": {"nginx": 0, "sshd": 0},
            },
            id="activated: the series are there at 0",
        ),
        pytest.param(
            blamed_snapshot("nginx"),
            {
                "fail2ban_pending_recovery": {"nginx": 1},
                "fail2ban_pending_recovery_detected_timestamp_seconds": {"nginx": TIMESTAMP + 3},
                "fail2ban_jail_activation_timestamp_seconds": {"nginx": TIMESTAMP + 2},
                "fail2ban_activation_failures_total": {"nginx": 1, "sshd": 0},
            },
            id="blamed",
        ),
        pytest.param(
            then(blamed_snapshot("nginx"), ProbeEnded(success(jail()), at=9, timestamp=TIMESTAMP + 9)),
            {
                "fail2ban_pending_recovery": {"nginx": 0},
                "fail2ban_pending_recovery_detected_timestamp_seconds": {"nginx": TIMESTAMP + 3},
                "fail2ban_jail_activation_timestamp_seconds": {"nginx": TIMESTAMP + 2},
                "fail2ban_activation_failures_total": {"nginx": 1, "sshd": 0},
            },
            id="recovered: back to 0, the time stays",
        ),
        pytest.param(
            blamed_snapshot("nginx").as_of(1e6),
            {
                "fail2ban_pending_recovery": {"nginx": 1},
                "fail2ban_pending_recovery_detected_timestamp_seconds": {"nginx": TIMESTAMP + 3},
                "fail2ban_jail_activation_timestamp_seconds": {"nginx": TIMESTAMP + 2},
                "fail2ban_activation_failures_total": {"nginx": 1, "sshd": 0},
            },
            id="stale: nobody has said that it is over",
        ),
    ],
)
def test_blame_is_told_by_jail_from_its_activation_on(shown: Snapshot, expected: dict[str, dict[str, float]]) -> None:
    assert expected == {name: by_jail(name, shown) for name in expected}


def test_how_many_are_pending_and_how_many_outages_were_recovered_from() -> None:
    shown = blamed_snapshot("nginx", "sshd")
    again = then(shown, ProbeEnded(success(jail()), at=9, timestamp=TIMESTAMP))

    assert [value("fail2ban_pending_recoveries", each) for each in (shown, again)] == [2, 0]
    assert [value("fail2ban_recoveries_total", each) for each in (shown, again)] == [0, 1]
    assert samples("fail2ban_activations_total", again)[(("source", "reported"),)] == 2


@pytest.mark.parametrize(
    ("enabled", "latest", "up"),
    [
        pytest.param({"sshd", "nginx"}, success(jail("sshd")), {"sshd": 1, "nginx": 0}, id="enabled, does not run"),
        pytest.param({"sshd"}, success(jail("sshd"), jail("nginx")), {"sshd": 1, "nginx": 1}, id="runs, not enabled"),
        pytest.param({"sshd"}, failure(), {"sshd": 0}, id="offline"),
        pytest.param({"sshd"}, failure(Result.TIMEOUT), {}, id="unresponsive"),
        pytest.param({"sshd"}, failure(Result.PERMISSION_DENIED), {}, id="inaccessible"),
    ],
)
def test_a_jail_that_the_configuration_enables_is_0_where_it_does_not_run_a_probe_after_the_change(
    enabled: set[str], latest: Probe, up: dict[str, int]
) -> None:
    read = ConfigurationRead(frozenset(enabled), since=-math.inf, at=1, timestamp=TIMESTAMP)
    first = then(snapshot(success(jail("sshd"))), read, ProbeEnded(latest, at=2, timestamp=TIMESTAMP))
    second = then(first, ProbeEnded(latest, at=3, timestamp=TIMESTAMP))

    assert by_jail("fail2ban_jail_up", first) == {name: 1 for name, number in up.items() if number}
    assert up == by_jail("fail2ban_jail_up", second)


def test_faults_of_the_jail_configuration_are_absent_while_nobody_looks_at_it() -> None:
    assert value("fail2ban_exporter_jail_config_errors", replace(FULL, config_faults=None)) is None
    assert value("fail2ban_exporter_jail_config_errors", replace(FULL, config_faults=3)) == 3


def test_the_settings_in_force_are_there_for_alert_expressions() -> None:
    shown = snapshot(interval=7.5, timeout=2.25)

    assert value("fail2ban_probe_interval_seconds", shown) == 7.5
    assert value("fail2ban_probe_timeout_seconds", shown) == 2.25


def test_the_histogram_ends_with_the_timeout_and_infinity_and_counts_every_probe() -> None:
    shown = snapshot(success(duration=0.0001), failure(Result.TIMEOUT, duration=2.5001), timeout=2.5)
    buckets = {dict(labels)["le"]: count for labels, count in samples("fail2ban_probe_duration_seconds", shown).items()}

    assert buckets["0.0002"] == 1
    assert buckets["2.5"] == 1
    assert buckets["+Inf"] == 2
    assert value("fail2ban_probe_last_duration_seconds", shown) == 2.5001


def test_a_jail_that_runs_no_more_is_in_no_figure_of_the_firewall() -> None:
    shown = replace(FULL, firewall=firewall_check(Enforcement("gone", 3, 1), Enforcement("sshd", 5, 0)))

    assert {"sshd": 5} == by_jail("fail2ban_jail_enforced_ips", shown)
    assert {"sshd": 0} == by_jail("fail2ban_jail_unenforced_ips", shown)


def test_a_firewall_that_could_not_be_read_is_said_and_costs_only_the_figures_that_are_not_known() -> None:
    shown = replace(FULL, firewall=firewall_check(Enforcement("sshd", 5, 0), fault=FirewallFault.PROGRAM_MISSING))

    assert value("fail2ban_firewall_check_success", shown) == 0
    assert {"sshd": 5} == by_jail("fail2ban_jail_enforced_ips", shown)


def test_a_firewall_that_was_not_read_for_long_is_not_shown_as_it_was() -> None:
    shown = replace(FULL, firewall=firewall_check(Enforcement("sshd", 5, 0), stale_at=FULL.beat + 5)).as_of(
        FULL.beat + 5
    )

    assert value("fail2ban_firewall_check_success", shown) == 0
    assert {} == by_jail("fail2ban_jail_enforced_ips", shown)
    assert value("fail2ban_up", shown) == 1


def test_while_fail2ban_is_down_no_figure_of_the_firewall_is_shown() -> None:
    shown = then(FULL, ProbeEnded(failure(), at=10, timestamp=TIMESTAMP))

    assert {} == by_jail("fail2ban_jail_enforced_ips", shown)


def test_log_files_are_told_by_jail_each_figure_in_its_own_metric() -> None:
    shown = replace(FULL, files=files(log_files("recidive", missing=1, last_modified=12.5), log_files("sshd")))

    assert {"recidive": 2, "sshd": 2} == by_jail("fail2ban_jail_log_files", shown)
    assert {"recidive": 1, "sshd": 0} == by_jail("fail2ban_jail_log_files_missing", shown)
    assert {"recidive": 12.5, "sshd": TIMESTAMP - 5} == by_jail(
        "fail2ban_jail_log_last_modified_timestamp_seconds", shown
    )


@pytest.mark.parametrize(
    ("found", "absent"),
    [
        pytest.param(None, [*OF_LOG_FILES[1:], "fail2ban_database_size_bytes", "fail2ban_database_bans"], id="nothing"),
        pytest.param(
            files(log_files(missing=None), database_bans=None),
            ["fail2ban_jail_log_files_missing", "fail2ban_database_bans"],
            id="a folder that may not be read, and a locked database",
        ),
        pytest.param(
            files(log_files(last_modified=None), database_bytes=None),
            ["fail2ban_jail_log_last_modified_timestamp_seconds", "fail2ban_database_size_bytes"],
            id="all log files gone, and the database",
        ),
    ],
)
def test_what_is_not_known_of_files_is_no_sample_and_costs_no_other(found: Files | None, absent: Sequence[str]) -> None:
    assert set(CONTRACT) - set(absent) == present(replace(FULL, files=found))


@pytest.mark.parametrize("state", [state for state in NOT_ONLINE if state != "unknown"])
def test_while_not_online_the_log_files_of_the_jails_that_ran_stay(state: str) -> None:
    shown = NOT_ONLINE[state]

    assert {"recidive": 2, "sshd": 2} == by_jail("fail2ban_jail_log_files", shown)
    assert {"recidive": 0, "sshd": 0} == by_jail("fail2ban_jail_log_files_missing", shown)


def test_a_jail_that_runs_no_more_is_in_no_figure_of_log_files() -> None:
    shown = replace(FULL, files=files(log_files("gone", missing=1), log_files("sshd")))

    assert {"sshd": 0} == by_jail("fail2ban_jail_log_files_missing", shown)


def test_files_that_were_not_looked_at_for_long_are_not_shown_as_they_were() -> None:
    shown = replace(FULL, files=replace(files(log_files("sshd")), stale_at=FULL.beat + 5))

    assert {"sshd": 0} == by_jail("fail2ban_jail_log_files_missing", shown.as_of(FULL.beat + 4))
    assert {} == by_jail("fail2ban_jail_log_files_missing", shown.as_of(FULL.beat + 5))
    assert value("fail2ban_database_size_bytes", shown.as_of(FULL.beat + 5)) is None
    assert value("fail2ban_up", shown.as_of(FULL.beat + 5)) == 1


def test_bans_are_told_by_family_country_and_network() -> None:
    assert {
        (("family", "ipv4"), ("jail", "sshd")): 3,
        (("family", "ipv6"), ("jail", "sshd")): 1,
        (("family", "other"), ("jail", "sshd")): 0,
    } == samples("fail2ban_jail_banned_ips_by_family", FULL)
    assert {
        (("country", "DE"), ("jail", "sshd")): 3,
        (("country", "unknown"), ("jail", "sshd")): 1,
    } == samples("fail2ban_jail_banned_ips_by_country", FULL)
    assert {(("asn", "AS64500"), ("jail", "sshd")): 4} == samples("fail2ban_jail_banned_ips_by_asn", FULL)
    assert 1 == value("fail2ban_geoip_count_success", FULL)
    assert {(("database", "asn"),): 0, (("database", "country"),): 1} == samples(
        "fail2ban_geoip_database_reload_success", FULL
    )
    assert {(("database", "country"),): TIMESTAMP} == samples("fail2ban_geoip_database_build_timestamp_seconds", FULL)


def test_while_bans_are_not_counted_there_is_nothing_of_them() -> None:
    assert set() == present(replace(FULL, geoip=None), OF_GEOIP)


def test_bans_that_could_not_be_counted_have_no_figures_and_that_is_said() -> None:
    shown = replace(FULL, geoip=ban_counts(tables={}, fault="no socket there"))

    assert set(OF_GEOIP[3:]) == present(shown, OF_GEOIP)
    assert 0 == value("fail2ban_geoip_count_success", shown)


def test_bans_that_were_counted_too_long_ago_are_not_shown_as_they_were() -> None:
    counted = replace(FULL, geoip=ban_counts(stale_at=FULL.beat + 5))

    assert FULL.geoip is not None
    assert FULL.geoip.tables == counted.as_of(FULL.beat + 4).geoip.tables  # type: ignore[union-attr]
    assert set(OF_GEOIP[3:]) == present(counted.as_of(FULL.beat + 5), OF_GEOIP)
    assert 0 == value("fail2ban_geoip_count_success", counted.as_of(FULL.beat + 5))


def test_bans_of_a_jail_that_runs_no_more_and_of_a_fail2ban_that_is_down_are_not_shown() -> None:
    tables = {"family": {"gone": {"ipv4": 5}, "sshd": {"ipv4": 1}}}
    shown = replace(FULL, geoip=ban_counts(tables=tables))
    down = then(shown, ProbeEnded(failure(), at=10, timestamp=TIMESTAMP))

    assert {(("family", "ipv4"), ("jail", "sshd")): 1} == samples("fail2ban_jail_banned_ips_by_family", shown)
    assert set(OF_GEOIP[3:]) == present(down, OF_GEOIP)
