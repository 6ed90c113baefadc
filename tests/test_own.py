"""The exporter's metrics about itself."""

from __future__ import annotations

import platform

from exporter import __version__
from exporter.own import OwnMetrics


def reload_shown(own: OwnMetrics) -> tuple[float | None, float | None]:
    """Whether the latest reload went well, and when one last did."""
    name = "fail2ban_exporter_config_last_reload_success"
    return own.registry.get_sample_value(f"{name}ful"), own.registry.get_sample_value(f"{name}_timestamp_seconds")


def test_the_build_is_told() -> None:
    labels = {"version": __version__, "python": platform.python_version()}

    assert OwnMetrics().registry.get_sample_value("fail2ban_exporter_build_info", labels) == 1


def test_a_reload_that_failed_shows_and_the_time_of_the_last_good_one_stays() -> None:
    now = 100.0
    own = OwnMetrics(lambda: now)

    assert reload_shown(own) == (1, 100)  # the start is the first time that they are read
    now = 200.0
    own.reloaded(successfully=False)
    assert reload_shown(own) == (0, 100)
    now = 300.0
    own.reloaded(successfully=True)
    assert reload_shown(own) == (1, 300)


def test_what_is_mended_in_the_web_config_file_does_not_mend_the_settings() -> None:
    now = 100.0
    own = OwnMetrics(lambda: now)

    now = 200.0
    own.reloaded(successfully=False)
    own.web_config_reread(successfully=False)
    own.web_config_reread(successfully=True)
    assert reload_shown(own) == (0, 100)

    own.web_config_reread(successfully=False)
    own.reloaded(successfully=True)
    assert reload_shown(own) == (1, 200)  # which reads the web config file too

    own.web_config_reread(successfully=False)
    assert reload_shown(own) == (0, 200)
    now = 300.0
    own.web_config_reread(successfully=True)
    assert reload_shown(own) == (1, 300)


def test_failures_of_the_state_file_are_counted_from_0() -> None:
    own = OwnMetrics()

    def shown() -> float | None:
        return own.registry.get_sample_value("fail2ban_exporter_state_file_errors_total")

    assert shown() == 0
    own.state_file_failed()
    own.state_file_failed()
    assert shown() == 2


def test_requests_refused_for_want_of_a_password_are_counted_from_0() -> None:
    own = OwnMetrics()

    def shown() -> float | None:
        return own.registry.get_sample_value("fail2ban_exporter_auth_failures_total")

    assert shown() == 0
    own.auth_failed()
    own.auth_failed()
    assert shown() == 2


def test_where_they_would_collide_with_another_exporters_the_process_and_its_python_are_not_there() -> None:
    names = {family.name for family in OwnMetrics(of_process=False).registry.collect()}

    assert {name.partition("_")[0] for name in names} == {"fail2ban"}
    assert {"fail2ban_exporter_build", "fail2ban_exporter_config_last_reload_successful"} <= names


def test_the_process_and_its_python_are_there() -> None:
    names = {family.name for family in OwnMetrics().registry.collect()}

    assert {"process_cpu_seconds", "process_resident_memory_bytes", "process_open_fds", "python_info"} <= names
