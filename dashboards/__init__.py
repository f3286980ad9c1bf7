"""Grafana dashboards as plain data: no part of this package knows of Pulumi."""

from dashboards.builder import DashboardBuilder, check_unique
from dashboards.errors import DashboardError
from dashboards.model import (
    JaegerQuery,
    Legend,
    Link,
    Override,
    PanelSpec,
    Query,
    Thresholds,
    Transformation,
    ValueText,
)
from dashboards.panel import Panel, SdkPanelBuilder, Traits, panel_type

__all__ = [
    "DashboardBuilder",
    "DashboardError",
    "JaegerQuery",
    "Legend",
    "Link",
    "Override",
    "Panel",
    "PanelSpec",
    "Query",
    "SdkPanelBuilder",
    "Thresholds",
    "Traits",
    "Transformation",
    "ValueText",
    "check_unique",
    "panel_type",
]
