"""``python -m dashboards.source``: write the dashboards to ``dashboards/grafana/``."""

from dashboards.source.library import write

write()
