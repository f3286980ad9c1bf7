# ruff: noqa: INP001 - a program, no package
"""A program of one's own: a network and its applications, and the stack that watches them."""

import pulumi
import pulumi_docker as docker

from components.arguments import LatencySlo, Service, Slo
from components.stack import Stack

config = pulumi.Config()
network = docker.Network("shop", name="shop")

monitoring = Stack(
    "monitoring",
    {
        "stack_name": "shop",
        "port_offset": 200,
        "networks": [network.name],
        "grafana_admin_password": config.require_secret("grafanaPassword"),
        "services": [
            Service(
                name="checkout",
                targets=["checkout:8000"],
                latency=LatencySlo(objective=99.0, threshold="250ms"),
                slos=[Slo(name="paid", objective=99.9, good="paid_total", total="orders_total")],
            )
        ],
    },
)

pulumi.export("grafana", monitoring.grafana_url)
