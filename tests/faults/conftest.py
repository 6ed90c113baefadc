"""The real servers and the real program, as in the integration tests."""

from tests.integration.conftest import make_fail2ban, run_exporter

__all__ = ["make_fail2ban", "run_exporter"]
