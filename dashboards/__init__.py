"""Grafana dashboards as plain data: no part of this package knows of Pulumi."""

from dashboards.builder import DashboardBuilder, check_unique
from dashboards.errors import DashboardError
from dashboards.model import (
    JaegerQuery,
    Legend,
    Link,
    Override,
    PanelQuery,
    PanelSpec,
    Query,
    Thresholds,
    Transformation,
    ValueText,
)
from dashboards.panel import Panel, PanelDefaults, SdkPanelBuilder, panel_type

__all__ = [
    "DashboardBuilder",
    "DashboardError",
    "JaegerQuery",
    "Legend",
    "Link",
    "Override",
    "Panel",
    "PanelDefaults",
    "PanelQuery",
    "PanelSpec",
    "Query",
    "SdkPanelBuilder",
    "Thresholds",
    "Transformation",
    "ValueText",
    "check_unique",
    "panel_type",
]
