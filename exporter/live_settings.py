"""The settings in force while the program runs, and how they are read again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from exporter import log
from exporter.own import OwnMetrics
from exporter.settings import KNOWN, InvalidSettings, Settings, effective, value_of


class LiveSettings:
    """Belongs to the main thread."""

    def __init__(
        self, settings: Settings, reload: Callable[[], Settings], own: OwnMetrics, only_at_start: Sequence[str]
    ) -> None:
        """Take the settings that the program starts with.

        Args:
            settings: those.
            reload: reads them again; raises `InvalidSettings`.
            own: where it is told whether that went well.
            only_at_start: names of settings that a reload does not change.
        """
        self.current = settings
        """The settings in force."""
        self._at_start = {one: value_of(settings, one) for one in KNOWN if one.name in only_at_start}
        self._reload = reload
        self._own = own
        self._log = structlog.get_logger()

    def read_again(self, adopt: Callable[[Settings], None]) -> Sequence[str]:
        """Read the settings again, as SIGHUP asks: all that can change does; if any is faulty, the old ones stay.

        Args:
            adopt: has the program work by them; raises `InvalidSettings` before it has changed anything.

        Returns:
            The faults; none if the new settings are in force.
        """
        try:
            settings = self._reload()
            adopt(settings)
        except InvalidSettings as error:
            self._own.reloaded(successfully=False)
            self._log.error("reload_failed", faults=error.faults, settings="the old ones stay in force")
            return error.faults
        self.current = settings
        log.configure(settings.log.level, settings.log.format)
        for setting, value in self._at_start.items():
            if value_of(settings, setting) != value:
                self._log.warning("reload_incomplete", setting=setting.name, takes_effect="at the next start")
        self._own.reloaded(successfully=True)
        unchanged = {setting.name: setting.text(value) for setting, value in self._at_start.items()}
        self._log.info("reloaded", **(effective(settings) | unchanged))
        return ()
