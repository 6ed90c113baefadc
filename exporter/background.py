"""All that runs in the background: the prober, and what is watched beside it, each on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from exporter import options
from exporter.canary import CanaryRunner
from exporter.configured_jails import ConfiguredJails
from exporter.fail2ban import BanLists, Client
from exporter.files import FilesMonitor
from exporter.firewall import FirewallMonitor
from exporter.geoip import GeoipMonitor
from exporter.joined import Findings, JoinedSnapshot
from exporter.model import State
from exporter.own import OwnMetrics
from exporter.prober import Prober
from exporter.recounter import Recounter
from exporter.settings import Settings
from exporter.snapshot import Snapshot
from exporter.state_file import StateFile


class Background:
    """Built of the settings, which may change while it runs; `snapshot` is what all of it found, as one value."""

    def __init__(
        self,
        settings: Settings,
        own: OwnMetrics,
        on_failure: Callable[[], None],
        *,
        on_beat: Callable[[], None] | None = None,
        on_publish: Callable[[], None] | None = None,
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            settings: what to do.
            own: where the exporter's own faults are counted.
            on_failure: called, on the prober's thread, when the prober has died, which is logged by then: frozen
                metrics that look alive are the worst that could be, so the process is to end.
            on_beat: see `Prober`.
            on_publish: called, on their threads, when the prober, or who looks at the files, has found something new.
        """
        asked, state_file = options.of_prober(settings), settings.recovery.state_file
        self._on_failure = on_failure
        self._on_publish = on_publish
        self._log = structlog.get_logger()
        self.prober = Prober(
            asked,
            Client,
            self._prober_failed,
            configuration=ConfiguredJails(asked.config_dir),
            memory=StateFile(str(state_file), own.state_file_failed) if state_file else None,
            on_beat=on_beat,
            on_publish=self._published,
        )
        self._recounter = Recounter(self._ban_lists, self.prober.recounted)
        self._ask = self._recounter.ask
        self._canary = CanaryRunner(options.of_canary(settings), lambda: self.prober.snapshot)
        self._firewall = FirewallMonitor(options.of_firewall(settings))
        self.files = FilesMonitor(lambda: self.prober.snapshot, on_publish)
        self._geoip = GeoipMonitor(options.of_geoip(settings))
        self.snapshot = JoinedSnapshot(
            lambda: self.prober.snapshot,
            Findings(
                canary=lambda: self._canary.latest,
                firewall=lambda: self._firewall.latest,
                files=lambda: self.files.latest,
                geoip=lambda: self._geoip.latest,
            ),
        )

    def start(self) -> None:
        """Start all that is switched on."""
        for part in (self.prober, self._canary, self._firewall, self._geoip, self.files):
            part.start()

    def reconfigure(self, settings: Settings) -> None:
        """Work by other settings from now on. The state file stays where it is until the next start."""
        self.prober.reconfigure(options.of_prober(settings))
        self._canary.reconfigure(options.of_canary(settings))
        self._firewall.reconfigure(options.of_firewall(settings))
        self._geoip.reconfigure(options.of_geoip(settings))

    def stop(self) -> None:
        """Ask all of it to end, and wait a moment for each."""
        for part in (self._canary, self._firewall, self._geoip, self.files, self._recounter, self.prober):
            part.stop()

    def probe_once(self) -> Snapshot:
        """Probe once, in place of `start`, and look for restored bans where that is needed; see `Prober.probe_once`."""
        self._ask = self._recounter.answer
        return self.prober.probe_once()

    def _published(self) -> None:
        """Pass on what the prober found to who waits for it; on its thread."""
        self.files.wake()
        health = self.prober.snapshot.health
        self._ask(health.bans.questions() if health.state is State.ONLINE else ())
        if self._on_publish is not None:
            self._on_publish()

    def _ban_lists(self) -> BanLists:
        options = self.prober.snapshot.options
        return BanLists(options.socket, options.timeout)

    def _prober_failed(self, error: BaseException) -> None:
        try:
            self._log.error("prober_failed", exc_info=error, exit_status=1)
        finally:
            self._on_failure()
