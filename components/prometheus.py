"""Prometheus as a service: metrics, recording rules, exemplars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.service import Port, ServiceSpec
from observability import rules
from observability.configs import prometheus
from observability.versions import image

if TYPE_CHECKING:
    from observability.settings import Settings

NAME = "prometheus"


def spec(settings: Settings) -> ServiceSpec:
    """Return Prometheus's container: user nobody, checked by promtool."""
    rule_files = {f"{prometheus.RULES}/{file}": text for file, text in rules.render(settings).items()}
    return ServiceSpec(
        name=NAME,
        image=image(NAME),
        user="65534:65534",
        command=prometheus.command(settings),
        environment={},
        data=prometheus.DATA,
        files={**prometheus.files(settings), **rule_files},
        checker=("/bin/promtool", "check", "config", prometheus.FILE),
        health=("wget", "-q", "-O", "/dev/null", "http://127.0.0.1:9090/-/ready"),
        health_interval=settings.health_interval,
        ports=(Port(9090, settings.port(NAME)),),
        ready_url=f"{settings.address(NAME)}/-/ready",
        limits=settings.limit(NAME),
        networks=settings.networks,
        reaches_host=True,
        tmp_mib=64,
        stop_seconds=120,
    )
