"""The stack: settings in, five services and Grafana's content out. This file only wires."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from components import collector, grafana, jaeger, loki, prometheus, socket_proxy
from components.access import Access
from components.administrator import Administrator
from components.content import Content
from components.demo import Demo
from components.deployment import Deployment
from components.secrets import secrets
from components.service import Host, Service
from observability import configuration
from observability.configs.prometheus import METRICS_PASSWORD_FILE
from observability.names import labels

settings = configuration.read()
secret = secrets(settings)

network = docker.Network(
    "network",
    name=settings.prefix,
    labels=[docker.NetworkLabelArgs(label=labels.STACK, value=settings.stack)],
)
host = Host(
    prefix=settings.prefix,
    stack=settings.stack,
    bind_address=settings.bind_address,
    access_host=settings.access_host,
    network=network.name,
    secrets_key=secret.files_key,
    protect_data=settings.protect_data,
    logs_port=settings.port("containerLogs"),
    publish_reason=settings.publish_reason,
    ca=settings.tls_ca,
)

grafana_service = Service(
    grafana.spec(settings),
    host,
    secret_files=grafana.secret_files(secret),
    before=grafana.before(settings, secret, configuration.docker_host()),
)
services = [
    grafana_service,
    Service(prometheus.spec(settings), host, secret_files={METRICS_PASSWORD_FILE: secret.metrics_password}),
    Service(loki.spec(settings), host),
    Service(jaeger.spec(settings), host),
]
asked = [Service(socket_proxy.spec(settings), host)] if settings.docker_socket else []
collecting = Service(collector.spec(settings), host, opts=pulumi.ResourceOptions(depends_on=[s.ready for s in asked]))
services += [*asked, collecting]
if secret.demo_token is not None:
    demo = Demo(settings, host, token=secret.demo_token, opts=pulumi.ResourceOptions(depends_on=[collecting.ready]))
    services += demo.services
    pulumi.export("gatewayUrl", settings.address("demo"))
    pulumi.export("pagerUrl", settings.address("demoPager"))
    pulumi.export("demoToken", pulumi.Output.secret(secret.demo_token))
administrator = Administrator(
    settings,
    password=secret.admin_password,
    opts=pulumi.ResourceOptions(depends_on=[grafana_service.ready], deleted_with=grafana_service.volume),
)
access = Access(settings, auth=administrator.auth, opts=pulumi.ResourceOptions(deleted_with=grafana_service.volume))
content = Content(settings, service=grafana_service, auth=access.token)
Deployment(
    settings,
    [service.spec for service in services],
    auth=access.token,
    opts=pulumi.ResourceOptions(depends_on=[content, *(service.ready for service in services)]),
)

pulumi.export("grafanaUrl", settings.address("grafana"))
pulumi.export("prometheusUrl", settings.address("prometheus"))
pulumi.export("lokiUrl", settings.address("loki"))
pulumi.export("jaegerUrl", settings.address("jaeger"))
pulumi.export("otlpEndpoint", settings.address("otlpHttp"))
pulumi.export("grafanaAdminUser", settings.grafana_admin_user)
pulumi.export("grafanaAdminPassword", pulumi.Output.secret(secret.admin_password))
if settings.tls_ca:
    pulumi.export("grafanaCaCertificate", settings.tls_ca)
