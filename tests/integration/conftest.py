"""Real fail2ban servers, ended after each test whatever happened in it."""

import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import programs
from tests.exporter_program import ExporterProgram
from tests.real_fail2ban import Jail, RealFail2ban

MakeFail2ban = Callable[..., RealFail2ban]


@pytest.fixture
def make_fail2ban(tmp_path: Path) -> Iterator[MakeFail2ban]:
    """A factory: `make_fail2ban("1.1.0", [Jail("sshd")])`; it isn't started yet.

    Takes `database=False` and `libraries=["pyinotify"]` as well. Skips (with CI=true: fails) when that version or
    library isn't there.
    """
    with ExitStack() as servers:
        count = 0

        def make(
            version: str, jails: Iterable[Jail], *, database: bool = True, libraries: Iterable[str] = ()
        ) -> RealFail2ban:
            nonlocal count
            count += 1
            folder = tmp_path / f"fail2ban-{count}"
            folder.mkdir()
            install = programs.fail2ban(version, *libraries)
            return servers.enter_context(RealFail2ban(install, folder, jails, database=database))

        yield make


@pytest.fixture(params=programs.FAIL2BAN_VERSIONS)
def fail2ban(request: pytest.FixtureRequest, make_fail2ban: MakeFail2ban) -> RealFail2ban:
    """A running server of each version in turn, with the jails `sshd`, `web` and `mail`."""
    server = make_fail2ban(request.param, [Jail("sshd"), Jail("web", maxretry=5), Jail("mail", findtime="1.5h")])
    server.start()
    return server


RunExporter = Callable[..., ExporterProgram]


@pytest.fixture
def run_exporter(tmp_path: Path) -> Iterator[RunExporter]:
    """A factory: `run_exporter("--probe.interval=1s")` runs the exporter as a process until the end of the test."""
    with ExitStack() as programs_running:
        count = 0

        def run(
            *flags: str,
            command: str = "",
            tls: ssl.SSLContext | None = None,
            user: str = "",
            environment: dict[str, str] | None = None,
        ) -> ExporterProgram:
            nonlocal count
            count += 1
            log = tmp_path / f"exporter-{count}.log"
            return programs_running.enter_context(
                ExporterProgram(*flags, command=command, log=log, tls=tls, user=user, environment=environment)
            )

        yield run
