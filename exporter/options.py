"""What the settings ask of each part that runs in the background."""

from __future__ import annotations

from exporter.canary import CanaryOptions
from exporter.firewall import FirewallOptions
from exporter.geoip import GeoipOptions
from exporter.health import Policy
from exporter.settings import Settings
from exporter.snapshot import ProbeOptions


def of_prober(settings: Settings) -> ProbeOptions:
    """Return what is asked of the prober."""
    return ProbeOptions(
        socket=str(settings.fail2ban.socket),
        interval=settings.probe.interval,
        timeout=settings.probe.timeout,
        expected=settings.jails.expected,
        config_dir=str(settings.fail2ban.config_dir or ""),
        policy=Policy(
            window=settings.recovery.window,
            grace=settings.recovery.grace,
            # Until the second probe after it: whoever scrapes once in two intervals has seen it by then.
            patience=1.5 * settings.probe.interval,
        ),
    )


def of_canary(settings: Settings) -> CanaryOptions | None:
    """Return what is asked of the canary; None while it is off."""
    canary = settings.canary
    if canary.log_file is None:
        return None
    return CanaryOptions(
        log_file=canary.log_file,
        jail=canary.jail,
        interval=canary.interval,
        timeout=canary.timeout,
        socket=str(settings.fail2ban.socket),
        patience=settings.probe.timeout,
    )


def of_firewall(settings: Settings) -> FirewallOptions:
    """Return what is asked of the check of the firewall."""
    return FirewallOptions(
        is_on=settings.firewall.check,
        socket=str(settings.fail2ban.socket),
        interval=settings.firewall.interval,
        timeout=settings.probe.timeout,
    )


def of_geoip(settings: Settings) -> GeoipOptions:
    """Return what is asked of the counting of bans by where they come from."""
    geoip = settings.geoip
    paths = {"country": geoip.database, "asn": geoip.asn_database}
    databases = {kind: path for kind, path in paths.items() if path is not None}
    return GeoipOptions(
        is_on=geoip.families or bool(databases),
        socket=str(settings.fail2ban.socket),
        timeout=settings.probe.timeout,
        interval=geoip.interval,
        databases=databases,
        asn_limit=geoip.asn_limit,
    )
