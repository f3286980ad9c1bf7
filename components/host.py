"""What all containers of a stack share on the Docker host: names, labels, networks and logging."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pulumi

from components.helper import Helper
from components.service_spec import LOOPBACK, Port
from observability.names import labels
from observability.settings import loopback


@dataclass(frozen=True)
class Host:
    """What all services of a stack share on the Docker host.

    Attributes:
        prefix: beginning of every Docker name of the stack.
        stack: name of the Pulumi stack.
        access_host: name or address by which this machine reaches the published ports.
        networks: names of the stack's Docker networks, by their name in the table of parts.
        helper: image that runs one-shot jobs and lends its shell to health checks.
        secrets_key: key of the digests that name volumes with secrets.
        protect_data: whether `pulumi destroy` refuses to delete data volumes.
        logs_port: port on the Docker host's loopback to which the engine sends the output of containers.
        publish_reason: why ports are published on an address that others reach; "" if none is.
        engine: docker:host, "" for the default.
        ca: CA certificate (PEM) of services that speak TLS, "" if a public CA signed theirs.
    """

    prefix: str
    stack: str
    access_host: str
    networks: Mapping[str, pulumi.Output[str]]
    helper: Helper
    secrets_key: pulumi.Output[str]
    protect_data: bool
    logs_port: int
    publish_reason: str = ""
    engine: str = ""
    ca: str = ""

    def labels(self, service: str) -> dict[str, str]:
        """Return the labels of everything that belongs to `service`."""
        return {labels.STACK: self.stack, labels.SERVICE: service}

    def published_labels(self, ports: Iterable[Port]) -> dict[str, str]:
        """Return the label that says why other machines can reach `ports`; none if they cannot."""
        reached = self.publish_reason and any(not loopback(port.address) for port in ports)
        return {labels.PUBLISHED_BECAUSE: self.publish_reason} if reached else {}

    def log_options(self) -> dict[str, str]:
        """Return options of the log driver that send a container's output to the collector and keep a copy.

        `docker logs` shows the copy. Sending never blocks a container: while the collector is away, the engine keeps
        the lines in memory, up to a limit.
        """
        return {
            "fluentd-address": f"{LOOPBACK}:{self.logs_port}",
            "fluentd-async": "true",
            # Without it, the proxy of the published port accepts and loses lines while the collector starts.
            "fluentd-request-ack": "true",
            "fluentd-sub-second-precision": "true",
            "tag": "{{.Name}}",
            "labels": f"{labels.STACK},{labels.SERVICE}",
            "cache-max-size": "10m",
            "cache-max-file": "3",
        }
