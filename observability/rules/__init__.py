"""Prometheus's rules, rendered from the settings. Never imports pulumi."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observability import own

if TYPE_CHECKING:
    from observability.settings import Settings


def render(settings: Settings) -> dict[str, str]:
    """Return every rule file: its name and its YAML."""
    from observability.rules import containers, host, models, service_graph, slo  # noqa: PLC0415 - the leaf modules of this package stay importable alone

    rendered: dict[str, str] = {}
    of_the_host = (containers, host) if settings.runs_stack else ()
    for part in (slo, *of_the_host, service_graph, models):
        rendered |= part.render(settings)
    return {**rendered, **own.read(settings).rules}
