"""The whole stack: networks, a container for each part, Grafana's content, and the stack's outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_docker as docker

from components import grafana
from components.access import Access
from components.administrator import Administrator
from components.content import Content
from components.demo import Demo
from components.deployment import Deployment
from components.helper import Helper
from components.host import Host
from components.release_fingerprint import release_fingerprint
from components.secrets import Secrets, secrets
from components.service import KeptData, Service, ServiceArgs
from components.service_spec import service_spec
from observability import configuration, processes, topology
from observability.names import labels

if TYPE_CHECKING:
    from observability.settings import Settings


def bring_up(settings: Settings) -> None:
    """Create every resource of the stack and export its addresses and passwords."""
    secret = secrets(settings)
    host = _host(settings, secret)
    services = _services(settings, host, secret)
    for part in topology.WITH_DATA:
        if part not in settings.parts:
            KeptData(part.name, host)
    everything = list(services.values())
    if settings.demo:
        sends_to = services[topology.COLLECTOR.name].ready
        everything += Demo(settings, host, secret, pulumi.ResourceOptions(depends_on=[sends_to])).services

    server = grafana.of_stack(settings, services[topology.GRAFANA.name])
    administrator = Administrator(server, user=settings.grafana_admin_user, password=secret.admin_password)
    access = Access(server, auth=administrator.auth)
    content = Content(settings, grafana=server, auth=access.token)
    Deployment(
        settings.stack,
        release_fingerprint(settings, [service.spec for service in everything], content.dashboards),
        grafana=server,
        auth=access.token,
        opts=pulumi.ResourceOptions(depends_on=[content, *(service.ready for service in everything)]),
    )
    _export(settings, secret, access)


def _host(settings: Settings, secret: Secrets) -> Host:
    """Create the stack's networks; return what its containers share."""
    networks: dict[str, pulumi.Output[str]] = {
        network: docker.Network(
            resource,
            name=f"{settings.prefix}{suffix}",
            internal=network == "backends",
            labels=[docker.NetworkLabelArgs(label=labels.STACK, value=settings.stack)],
        ).name
        for network, resource, suffix in topology.NETWORKS
    }
    return Host(
        prefix=settings.prefix,
        stack=settings.stack,
        access_host=settings.access_host,
        networks=networks,
        helper=Helper(settings.prefix, settings.stack),
        secrets_key=secret.files_key,
        protect_data=settings.protect_data,
        logs_port=settings.port("containerLogs"),
        publish_reason=settings.publish_reason,
        engine=configuration.docker_host(),
        ca=settings.tls_ca,
    )


def _services(settings: Settings, host: Host, secret: Secrets) -> dict[str, Service]:
    """Create a container for each part of the stack, after the parts that it needs; return the services by name."""
    before = {topology.GRAFANA.name: grafana.before_replacement(settings, secret, host.engine)}
    services: dict[str, Service] = {}
    for part in topology.start_order(settings.parts):
        process = processes.process(part.name, settings)
        services[part.name] = Service(
            ServiceArgs(
                service_spec(part, process, settings),
                host,
                secret_files=secret.files(process.secrets),
                before=before.get(part.name),
                checker_stand_ins=process.checker_stand_ins,
            ),
            pulumi.ResourceOptions(depends_on=[services[name].ready for name in part.starts_after if name in services]),
        )
    return services


def _export(settings: Settings, secret: Secrets, access: Access) -> None:
    """Export the stack's outputs; docs/reference/outputs.md is generated from these calls."""
    if settings.demo:
        pulumi.export("gatewayUrl", settings.address("demo"))
        pulumi.export("pagerUrl", settings.address("demoPager"))
        pulumi.export("demoToken", secret.demo_token)
    pulumi.export("grafanaUrl", settings.address("grafana"))
    if "prometheus" in settings.published:
        pulumi.export("prometheusUrl", settings.address("prometheus"))
    if "loki" in settings.published:
        pulumi.export("lokiUrl", settings.address("loki"))
    if "jaeger" in settings.published:
        pulumi.export("jaegerUrl", settings.address("jaeger"))
    if "otlpHttp" in settings.published:
        pulumi.export("otlpEndpoint", settings.address("otlpHttp"))
    pulumi.export("grafanaAdminUser", settings.grafana_admin_user)
    pulumi.export("grafanaAdminPassword", pulumi.Output.secret(secret.admin_password))
    pulumi.export("grafanaToken", pulumi.Output.secret(access.token))
    if settings.tls_ca:
        pulumi.export("grafanaCaCertificate", settings.tls_ca)
