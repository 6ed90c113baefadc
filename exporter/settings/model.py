"""Every setting with its meaning."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from exporter import values
from exporter.addresses import ListenAddress
from exporter.sources import Setting, Takes

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "logfmt", "json", "console"]
Compat = Literal["f2b"]


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Fail2ban(_Group):
    """How to reach fail2ban."""

    socket: Annotated[Path, values.unix_socket()] = Field(
        default=Path("/var/run/fail2ban/fail2ban.sock"), description="The UNIX socket of the fail2ban server to watch."
    )

    config_dir: Annotated[Path | None, values.file("fail2ban's configuration folder", "FOLDER")] = Field(
        default=Path("/etc/fail2ban"),
        description="Where the jails that the configuration enables are read from; empty turns that off.",
    )


class Probe(_Group):
    """When to probe."""

    interval: Annotated[float, values.between(0, 86400, "; 0 means back to back")] = Field(
        default=30.0, description="Time between probes. The end of the server is seen at once, whatever the interval."
    )
    timeout: Annotated[float, values.between(0.01, 600)] = Field(
        default=10.0, description="Deadline for one whole probe: connect, every request, every reply."
    )


class Recovery(_Group):
    """How an outage is put down to a jail."""

    window: Annotated[float, values.between(1, 86400)] = Field(
        default=60.0, description="How long after a jail's activation an outage is blamed on it."
    )
    grace: Annotated[float, values.between(0, 3600)] = Field(
        default=10.0, description="How long a clean restart may take before it counts as an outage."
    )
    state_file: Annotated[Path | None, values.file("a file in a folder that can be written to")] = Field(
        default=None,
        description="Where blame and its counters survive a restart of the exporter. Takes effect at the next start.",
    )


class Jails(_Group):
    """What is known about jails beforehand."""

    expected: Annotated[tuple[str, ...], values.jails()] = Field(
        default=(), description="Jails that must run: one that does not is reported as down."
    )


class WebConfigFile(_Group):
    """Who may come in."""

    file: Annotated[Path | None, values.file("a readable YAML file")] = Field(
        default=None,
        description="TLS, users, headers and rate limit, in the schema of Prometheus's exporters; "
        "read again when it, or a file that it names, changes.",
    )


class Canary(_Group):
    """The synthetic attacker that must be banned."""

    log_file: Annotated[Path | None, values.file("a file of its own in a folder that can be written to")] = Field(
        default=None,
        description="Turns the canary on, a synthetic attacker that must be banned: where it writes its failures.",
    )
    jail: Annotated[str, values.jail()] = Field(
        default="fail2ban-exporter-canary",
        description="The jail that watches the canary's log file. Alerts, recording rules and dashboards have the "
        "default in them: if the jail is another one, change it there too.",
    )
    interval: Annotated[float, values.between(1, 86400, "; longer than canary.timeout")] = Field(
        default=300.0, description="Time from one attack of the canary to the next."
    )
    timeout: Annotated[float, values.between(0.5, 3600, "; shorter than canary.interval")] = Field(
        default=60.0, description="In which the canary must be banned."
    )


class Web(_Group):
    """Where to serve."""

    listen_address: Annotated[tuple[ListenAddress, ...], values.addresses()] = Field(
        default=(ListenAddress("", 9191),),
        description="Addresses to serve HTTP on; without a host, all of the machine's.",
    )
    telemetry_path: Annotated[str, values.route()] = Field(
        default="/metrics", description="Path under which the metrics are served."
    )

    config: WebConfigFile = WebConfigFile()
    enable_lifecycle: Annotated[bool, values.switch()] = Field(
        default=False,
        description="Allow POST to /-/probe, /-/activations and /-/reload, by anybody who can reach the address "
        "and whom the web config file lets in.",
    )
    systemd_socket: Annotated[bool, values.switch()] = Field(
        default=False,
        description="Serve on the sockets that systemd's socket unit passes, and not on --web.listen-address. "
        "Takes effect at the next start.",
    )


class Metrics(_Group):
    """Which metrics to export."""

    compat: Annotated[Compat | None, values.choice(get_args(Compat), or_none=True)] = Field(
        default=None,
        description="Export the metrics of another exporter as well: f2b_*, those of the older Go exporter.",
    )


class Firewall(_Group):
    """Whether the bans are in the firewall."""

    check: Annotated[bool, values.switch()] = Field(
        default=False,
        description="Compare what fail2ban bans with what is in nftables, iptables or ipset. Needs CAP_NET_ADMIN.",
    )
    interval: Annotated[float, values.between(1, 86400)] = Field(
        default=60.0, description="Time between two comparisons of the bans with the firewall."
    )


class Geoip(_Group):
    """Where the bans come from."""

    database: Annotated[Path | None, values.file("a MaxMind database (.mmdb)")] = Field(
        default=None,
        description="Count bans by country, as this database has it. Needs the extra: pip install "
        "'fail2ban-exporter[geoip]'. Read again when the file changes.",
    )
    asn_database: Annotated[Path | None, values.file("a MaxMind database (.mmdb)")] = Field(
        default=None, description="Count bans by autonomous system, as this database has it. As geoip.database."
    )
    asn_limit: Annotated[int, values.number(1, 1000)] = Field(
        default=20,
        description="How many autonomous systems are told apart: those with the most bans. The others are counted "
        "together.",
    )
    families: Annotated[bool, values.switch()] = Field(
        default=False,
        description="Count bans by family, IPv4 and IPv6. Needs no database, and is on as soon as there is one.",
    )
    interval: Annotated[float, values.between(1, 86400)] = Field(
        default=300.0, description="Time between two such counts, each of which asks fail2ban for all its bans."
    )


class Log(_Group):
    """What to log on standard error."""

    level: Annotated[LogLevel, values.choice(get_args(LogLevel))] = Field(
        default="info", description="Lowest level that is logged; debug adds tracebacks to errors."
    )
    format: Annotated[LogFormat, values.choice(get_args(LogFormat))] = Field(
        default="auto", description="Form of a line; auto is console on a terminal, else logfmt."
    )


class Config(_Group):
    """Where else settings come from."""

    file: Annotated[Path | None, values.file("a readable TOML file")] = Field(
        default=None, description="TOML file with settings, its keys spelt as the flags are."
    )


loaded: ContextVar[tuple[PydanticBaseSettingsSource, ...]] = ContextVar("loaded", default=())
"""What `exporter.settings.loading` read, handed to the one model that pydantic-settings builds of it."""


class Settings(BaseSettings):
    """The settings in force; ``Settings()`` is the defaults, whatever the process's environment holds."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    fail2ban: Fail2ban = Fail2ban()
    probe: Probe = Probe()
    recovery: Recovery = Recovery()
    jails: Jails = Jails()
    canary: Canary = Canary()
    web: Web = Web()
    metrics: Metrics = Metrics()
    firewall: Firewall = Firewall()
    geoip: Geoip = Geoip()
    log: Log = Log()
    config: Config = Config()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put what `load` read in the place of the library's own sources, which hide faults behind one another."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings, *loaded.get())


def _settings_of(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        takes = next((entry for entry in field.metadata if isinstance(entry, Takes)), None)
        if takes is not None:
            yield Setting((*path, name), field.description or "", field.default, takes)
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _settings_of(field.annotation, (*path, name))


KNOWN = tuple(_settings_of(Settings))
"""Every setting, in the order of the reference."""

ONLY_AT_START = ("web.listen-address", "web.systemd-socket", "recovery.state-file")
"""The names of those that a reload does not change."""


def effective(settings: Settings) -> dict[str, str]:
    """Return every setting in force as text, by its name (the flag without dashes); secrets are hidden."""
    return {setting.name: setting.text(value_of(settings, setting)) for setting in KNOWN}


def value_of(settings: Settings, setting: Setting) -> Any:
    """Return one setting's value."""
    value: Any = settings
    for part in setting.path:
        value = getattr(value, part)
    return value
