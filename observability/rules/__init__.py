"""Prometheus's rules, rendered from the settings. Never imports pulumi."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from observability.settings import Settings


def render(settings: Settings) -> dict[str, str]:
    """Return every rule file: its name and its YAML."""
    from observability.rules import containers, models, service_graph, slo  # noqa: PLC0415 - the leaf modules of this package stay importable alone

    return slo.render(settings) | containers.render(settings) | service_graph.render(settings) | models.render(settings)
