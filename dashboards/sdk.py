"""The one door to grafana-foundation-sdk.

Every other module imports the SDK from here, because importing its v1 dashboard module warns: the SDK prefers
the v2 schema, which the Grafana provider (2.x) cannot store yet.
"""

import warnings
from typing import Final

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="Prefer using dashboardv2", category=DeprecationWarning)
    from grafana_foundation_sdk.builders import (
        bargauge,
        gauge,
        heatmap,
        logs,
        nodegraph,
        stat,
        table,
        text,
        timeseries,
    )
    from grafana_foundation_sdk.builders import common as common_builders
    from grafana_foundation_sdk.builders import dashboard as dashboard_builders
    from grafana_foundation_sdk.builders import heatmap as heatmap_builders
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.variants import Dataquery
    from grafana_foundation_sdk.models import common, dashboard, loki, prometheus, units
    from grafana_foundation_sdk.models import heatmap as heatmap_models
    from grafana_foundation_sdk.models import table as table_models
    from grafana_foundation_sdk.models import text as text_models

PLUGIN_VERSION: Final = "12.4.0"
"""Version stamped on panels.

Without one Grafana takes a panel for a pre-6.2 one and migrates it at every load, which among other things
forces min 0 and max 100 upon every single number in percent.
"""

__all__ = [
    "PLUGIN_VERSION",
    "Builder",
    "Dataquery",
    "JSONEncoder",
    "bargauge",
    "common",
    "common_builders",
    "dashboard",
    "dashboard_builders",
    "gauge",
    "heatmap",
    "heatmap_builders",
    "heatmap_models",
    "logs",
    "loki",
    "nodegraph",
    "prometheus",
    "stat",
    "table",
    "table_models",
    "text",
    "text_models",
    "timeseries",
    "units",
]
