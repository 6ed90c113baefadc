"""Real fail2ban servers and real exporters in a network of the test's own."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.request import Request

import pytest

from tests import programs
from tests.exporter_program import Answer, ExporterProgram
from tests.network_namespace import NetworkNamespace
from tests.programs import Fail2banInstall
from tests.real_fail2ban import Jail, RealFail2ban

VERSIONS = ("1.0.2", "1.1.1")


@pytest.fixture
def network() -> Iterator[NetworkNamespace]:
    """An empty network with the firewall's tools."""
    with NetworkNamespace(programs.firewall_tools()) as namespace:
        yield namespace


class _Install(Fail2banInstall):
    """One that runs its server in a network of its own."""

    network: NetworkNamespace

    @property
    def server(self) -> list[str]:
        return [*self.network.prefix(), *super().server]

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, **self.network.environment}


GuardedFail2ban = Callable[..., RealFail2ban]


@pytest.fixture
def guard(tmp_path: Path, network: NetworkNamespace) -> Iterator[GuardedFail2ban]:
    """A factory: `guard("1.1.1", [Jail("sshd", action="nftables")])` runs a server in the network.

    It has its version's own actions, as Debian ships them, and those of `extra`, by their names.
    """
    with ExitStack() as servers:

        def run(version: str, jails: Iterable[Jail], extra: dict[str, str] | None = None) -> RealFail2ban:
            root = programs.fail2ban(version).root
            install = type("Install", (_Install,), {"network": network})(version, root)
            folder = tmp_path / "fail2ban"
            folder.mkdir()
            server = servers.enter_context(RealFail2ban(install, folder, jails, database=False))
            for action in (root / "etc/fail2ban/action.d").iterdir():
                if action.name != "nothing.conf":
                    (server.config / "action.d" / action.name).write_bytes(action.read_bytes())
            for name, text in (extra or {}).items():
                (server.config / "action.d" / f"{name}.conf").write_text(text, encoding="utf-8")
            server.start()
            return server

        yield run


class NetworkedExporter(ExporterProgram):
    """An exporter in a network of a test's own, asked from inside."""

    def __init__(self, network: NetworkNamespace, *flags: str, log: Path, prefix: Iterable[str]) -> None:
        self._network = network
        super().__init__(*flags, log=log, prefix=[*prefix])

    def _answer(self, request: Request) -> Answer:
        return self._network.inside(lambda: super(NetworkedExporter, self)._answer(request))


RunGuarded = Callable[..., NetworkedExporter]


@pytest.fixture
def run_inside(tmp_path: Path, network: NetworkNamespace) -> Iterator[RunGuarded]:
    """A factory: `run_inside(server, "--firewall.interval=1s")` runs an exporter in the network, the check on.

    `less` goes before its words, to take rights from it; `tools` off is a machine without the firewall's tools; `where`
    is another network.
    """
    with ExitStack() as running:

        def run(
            server: RealFail2ban,
            *flags: str,
            less: Iterable[str] = (),
            tools: bool = True,
            where: NetworkNamespace = network,
        ) -> NetworkedExporter:
            words = (f"--fail2ban.socket={server.socket}", "--fail2ban.config-dir=", "--firewall.check", *flags)
            prefix = [*where.prefix(tools=tools), *less]
            log = tmp_path / "exporter.log"
            return running.enter_context(NetworkedExporter(where, *words, log=log, prefix=prefix))

        yield run
