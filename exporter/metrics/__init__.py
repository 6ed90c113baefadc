"""The metrics: one table of what each is called, what it means, and how it is read from a snapshot.

The exposition and the generated reference both come from this table. A value that is not known is no sample.
"""

from typing import Final

from exporter.metrics.canary import CANARY
from exporter.metrics.files import FILES
from exporter.metrics.firewall import FIREWALL
from exporter.metrics.geoip import GEOIP
from exporter.metrics.jails import JAILS
from exporter.metrics.probes import PROBES
from exporter.metrics.recovery import RECOVERY
from exporter.metrics.server import SERVER

__all__ = ["DEFINITIONS"]

DEFINITIONS: Final = (*SERVER, *JAILS, *FILES, *PROBES, *RECOVERY, *CANARY, *FIREWALL, *GEOIP)
"""The metrics of fail2ban and of its probes, in the order in which they are served."""
