"""The component Stack: networks, a container for each part, Grafana's content, and the outputs.

The annotations are read when the program runs, to derive the schema for other languages: they cannot be text.
"""

from typing import Final

import pulumi
import pulumi_docker as docker

from components import grafana
from components.access import Access
from components.administrator import Administrator
from components.arguments import StackArgs
from components.component import Component, Outputs
from components.demo import Demo
from components.deployment import Deployment
from components.grafana_content import GrafanaContent
from components.helper import Helper
from components.host import Host
from components.placement import under
from components.release_fingerprint import release_fingerprint
from components.secrets import Secrets, secrets
from components.service import KeptData, Service, ServiceArgs
from components.service_spec import service_spec
from observability import configuration, processes, topology
from observability.names import labels
from observability.settings import Settings

_IF_PUBLISHED: Final = {
    "prometheus": "prometheusUrl",
    "loki": "lokiUrl",
    "jaeger": "jaegerUrl",
    "otlpHttp": "otlpEndpoint",
}
"""Ports, and the outputs with their addresses."""


class Stack(Component):
    """Grafana, Prometheus, Loki, Jaeger and a collector on a Docker host, with SLOs, dashboards, alerts and links.

    A program has one of it. Its Docker provider can be the caller's, by the option `providers`.
    """

    grafana_url: pulumi.Output[str]
    """Grafana's address from the machine that ran `up`"""
    prometheus_url: pulumi.Output[str | None]
    """where Prometheus answers queries, if that is published"""
    loki_url: pulumi.Output[str | None]
    """where Loki answers queries, if that is published"""
    jaeger_url: pulumi.Output[str | None]
    """where Jaeger answers queries, if that is published"""
    otlp_endpoint: pulumi.Output[str | None]
    """where applications send OTLP over HTTP"""
    grafana_admin_user: pulumi.Output[str]
    """the administrator's name"""
    grafana_admin_password: pulumi.Output[str]
    """the administrator's password (secret)"""
    grafana_token: pulumi.Output[str]
    """the token of the program's own service account (secret)"""
    grafana_ca_certificate: pulumi.Output[str | None]
    """the CA certificate that signed Grafana's, if one is configured"""
    gateway_url: pulumi.Output[str | None]
    """the demo's gateway, if the demo runs"""
    pager_url: pulumi.Output[str | None]
    """the demo's pager, if the demo runs"""
    demo_token: pulumi.Output[str | None]
    """the token for the demo's faults (secret), if the demo runs"""

    def __init__(
        self,
        name: str,
        args: StackArgs,
        opts: pulumi.ResourceOptions | None = None,
        *,
        settings: Settings | None = None,
    ) -> None:
        """Make everything; `settings` are the arguments as this repository's program has them, checked already."""
        super().__init__("Stack", name, opts)
        self._engine = args.get("docker_host")
        self.bring_up("stack", args, settings, self._make)

    def _make(self, settings: Settings) -> Outputs:
        """Create every resource of the stack and return its addresses and passwords."""
        secret = secrets(settings, under(self))
        host = self._host(settings, secret)
        services = self._services(settings, host, secret)
        for part in topology.WITH_DATA:
            if part not in settings.parts:
                KeptData(part.name, host, under(self))
        everything = list(services.values())
        if settings.demo:
            sends_to = pulumi.ResourceOptions(depends_on=[services[topology.COLLECTOR.name].ready])
            everything += Demo(settings, host, secret, under(self, sends_to)).services

        server = grafana.of_stack(settings, services[topology.GRAFANA.name])
        administrator = Administrator(
            server, user=settings.grafana_admin_user, password=secret.admin_password, parent=self
        )
        access = Access(server, auth=administrator.auth, parent=self)
        content = GrafanaContent(settings, grafana=server, auth=access.token, opts=under(self))
        after = pulumi.ResourceOptions(depends_on=[content, *(service.ready for service in everything)])
        Deployment(
            settings.stack,
            release_fingerprint(settings, [service.spec for service in everything], content.dashboards),
            grafana=server,
            auth=access.token,
            opts=under(self, after),
        )
        return _outputs(settings, secret, access)

    def _host(self, settings: Settings, secret: Secrets) -> Host:
        """Create the stack's networks; return what its containers share."""
        networks: dict[str, pulumi.Output[str]] = {
            network: docker.Network(
                resource,
                name=f"{settings.prefix}{suffix}",
                internal=network == "backends",
                labels=[docker.NetworkLabelArgs(label=labels.STACK, value=settings.stack)],
                opts=under(self),
            ).name
            for network, resource, suffix in topology.NETWORKS
            if network != "outside" or settings.logs_in_bucket
        }
        return Host(
            prefix=settings.prefix,
            stack=settings.stack,
            access_host=settings.access_host,
            networks=networks,
            helper=Helper(settings.prefix, settings.stack, under(self)),
            secrets_key=secret.files_key,
            protect_data=settings.protect_data,
            logs_port=settings.port("containerLogs"),
            publish_reason=settings.publish_reason,
            engine=self._engine or configuration.docker_host(),
            ca=settings.tls_ca,
        )

    def _services(self, settings: Settings, host: Host, secret: Secrets) -> dict[str, Service]:
        """Create a container for each part of the stack, after the parts that it needs; return the services by name."""
        before = {topology.GRAFANA.name: grafana.before_replacement(settings, secret, host.engine)}
        services: dict[str, Service] = {}
        for part in topology.start_order(settings.parts):
            process = processes.process(part.name, settings)
            awaited = [services[name].ready for name in part.starts_after if name in services]
            services[part.name] = Service(
                ServiceArgs(
                    service_spec(part, process, settings),
                    host,
                    secret_files=secret.files(process.secrets),
                    before=before.get(part.name),
                    checker_stand_ins=process.checker_stand_ins,
                    periods=process.periods,
                ),
                under(self, pulumi.ResourceOptions(depends_on=awaited)),
            )
        return services


def _outputs(settings: Settings, secret: Secrets, access: Access) -> Outputs:
    """Return the outputs by the names that a stack exports; docs/reference/outputs.md has the attributes of Stack."""
    outputs: Outputs = {
        "grafanaUrl": settings.address("grafana"),
        **{output: settings.address(port) for port, output in _IF_PUBLISHED.items() if port in settings.published},
        "grafanaAdminUser": settings.grafana_admin_user,
        "grafanaAdminPassword": pulumi.Output.secret(secret.admin_password),
        "grafanaToken": pulumi.Output.secret(access.token),
    }
    if settings.tls_ca:
        outputs["grafanaCaCertificate"] = settings.tls_ca
    if settings.demo:
        outputs["gatewayUrl"] = settings.address("demo")
        outputs["pagerUrl"] = settings.address("demoPager")
        outputs["demoToken"] = secret.demo_token
    return outputs
