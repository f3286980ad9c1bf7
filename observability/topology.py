"""The table of parts: every container of the stack, described once.

Everything that is keyed by a part's name reads this table: the settings' defaults, scrape jobs, dashboards, alerts,
backup, the commands and the laboratory. This module imports nothing of the project. The configuration of a part's
process is a module of `configs/`; `processes.py` lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Publish = Literal["bindAddress", "loopback", "engine", "never"]
Network = Literal["applications", "backends", "edge", "outside"]
"""The stack's Docker networks.

applications: applications send to the collector here, and Prometheus scrapes them here.
backends: only between the stack's own parts; internal, without a way out.
edge: published ports, and Grafana's way to mail servers, webhooks and identity providers. Grafana is in no other
    network: it sends requests to addresses that its users give, and of the stack it reaches the reading proxy alone.
outside: the way out of a part that is only in the backends otherwise; made only if a part needs it.
"""
NETWORKS: Final[tuple[tuple[Network, str, str], ...]] = (
    ("applications", "network", ""),
    ("backends", "network-backends", "-backends"),
    ("edge", "network-edge", "-edge"),
    ("outside", "network-outside", "-outside"),
)
"""Each network: its name here, the name of its Pulumi resource, and the end of its Docker name."""
MetricsDialect = Literal["prometheus", "opentelemetry"]
Color = Literal["orange", "purple", "grey", "blue", "violet", "sky blue", "green", "vermillion"]


@dataclass(frozen=True)
class Port:
    """A TCP port on which a part listens inside its container.

    Attributes:
        number: port inside the container.
        key: key in the settings `ports` and `addresses` by which it can be published on the Docker host, "" for never.
        published: default port on the Docker host.
        publish: default address on the Docker host: the setting `bindAddress`, the loopback address, the loopback
            address without a choice ("engine": the Docker engine itself connects to it), or none.
        requires: attribute of the settings without which it is not published, "" for none.
    """

    number: int
    key: str = ""
    published: int = 0
    publish: Publish = "never"
    requires: str = ""


@dataclass(frozen=True)
class Metrics:
    """A part's metrics about itself.

    Attributes:
        port: name of the port that serves them.
        dialect: whose metric names they have.
    """

    port: str
    dialect: MetricsDialect = "prometheus"


@dataclass(frozen=True)
class Store:
    """The data that a part stores.

    Attributes:
        signal: what is stored, in words.
        counts: what the inventory counts.
        retention: attribute of the settings with the time that data is kept, "" if it is kept forever.
        written_by_collector: whether the collector writes to it, and so has a queue for it.
    """

    signal: str
    counts: tuple[str, ...]
    retention: str = ""
    written_by_collector: bool = False


@dataclass(frozen=True)
class Restart:
    """The cost of replacing the container.

    Attributes:
        meanwhile: what does not work while the part is away.
        seconds: time without an answer while `up` replaced this container alone, on two cores with little data, the
            longer of two runs (tests/e2e/test_stack_review.py measures again). None: not measured.
    """

    meanwhile: str
    seconds: float | None = None


@dataclass(frozen=True)
class Part:
    """One container of the stack.

    Attributes:
        name: name of the container within the stack, and so of its host name on the stack's networks, its limits, its
            image in versions.toml and its scrape job.
        title: name for people.
        user: `uid:gid` of the process.
        memory_mib: default memory limit; the sum fits the smallest supported host.
        cpus: default CPU limit in cores; Docker refuses more cores than the host has.
        networks: networks that it is in.
        ports: every port it listens on, by a name within the part.
        data: where its data volume is mounted, "" without one.
        data_needs_owner: whether a job has to give a new data volume to `user`, because the image does not contain the
            directory with that owner.
        tmp_mib: size of /tmp, in memory.
        stop_seconds: how long the container may take to stop before it is killed.
        requires: attribute of the settings without which the part does not run, "" for always.
        starts_after: names of the parts that have to be ready before it starts.
        reaches_applications: whether it connects to programs outside of the stack's networks: on the Docker host and
            in other Docker networks.
        metrics: its metrics about itself, None for none.
        store: the data that it stores, None for none.
        color: its colour on every dashboard, "" for the next free one.
        restart: the cost of replacing it.
    """

    name: str
    title: str
    user: str
    memory_mib: int
    cpus: float
    networks: tuple[Network, ...]
    ports: Mapping[str, Port] = field(default_factory=dict)
    data: str = ""
    data_needs_owner: bool = False
    tmp_mib: int = 64
    stop_seconds: int = 10
    requires: str = ""
    starts_after: tuple[str, ...] = ()
    reaches_applications: bool = False
    metrics: Metrics | None = None
    store: Store | None = None
    color: Color | Literal[""] = ""
    restart: Restart = Restart("")

    def port(self, name: str) -> int:
        """Return the number of a port inside the container."""
        return self.ports[name].number

    def published(self, name: str, *, outside: bool) -> int:
        """Return the number of the port that is published as `name`, on loopback or to senders outside of the host."""
        return self.ports.get(f"{name}-outside", self.ports[name]).number if outside else self.port(name)

    def address(self, port: str) -> str:
        """Return `host:port` on the stack's network."""
        return f"{self.name}:{self.port(port)}"

    def local(self, port: str) -> str:
        """Return `host:port` for a process in the same container."""
        return f"127.0.0.1:{self.port(port)}"


@dataclass(frozen=True)
class Endpoint:
    """Where a client finds a server, in this stack or outside of it.

    Attributes:
        url: address without a trailing slash.
        external: whether the server is outside of this stack.
        tenant: value of the header `X-Scope-OrgID`, "" for none.
        user: name for basic authentication, "" for none or for a token.
        secret: key of the setting that holds the password or token, never the value itself; "" for none.
        ca_certificate: CA certificate (PEM), if no public CA signed the server's.
    """

    url: str
    external: bool = False
    tenant: str = ""
    user: str = ""
    secret: str = ""
    ca_certificate: str = ""

    @property
    def address(self) -> str:
        """Return `host:port`, as gRPC clients take it."""
        return self.url.partition("://")[2].partition("/")[0]


GRAFANA: Final = Part(
    name="grafana",
    title="Grafana",
    user="472:0",
    memory_mib=768,
    cpus=1,
    networks=("edge",),
    ports={"http": Port(3000, "grafana", 3000, "bindAddress")},
    data="/var/lib/grafana",
    tmp_mib=128,
    stop_seconds=30,
    metrics=Metrics("http"),
    store=Store(
        "dashboards and users",
        ("dashboards", "folders", "data sources", "users", "alert rules", "contact points", "annotations"),
    ),
    color="orange",
    restart=Restart("no dashboards, no alert is evaluated", 4),
)
PROMETHEUS: Final = Part(
    name="prometheus",
    title="Prometheus",
    user="65534:65534",
    memory_mib=1024,
    cpus=1,
    # It scrapes applications, and Grafana at the edge; it listens in the backends alone.
    networks=("backends", "applications", "edge"),
    ports={"http": Port(9090)},
    data="/prometheus",
    stop_seconds=120,
    reaches_applications=True,
    metrics=Metrics("http"),
    store=Store("metrics", ("samples", "series, hour by hour"), "prometheus_retention", written_by_collector=True),
    color="purple",
    restart=Restart("nothing is scraped: a gap in every graph", 2),
)
LOKI: Final = Part(
    name="loki",
    title="Loki",
    user="10001:10001",
    memory_mib=1024,
    cpus=1,
    networks=("backends",),
    ports={"http": Port(3100), "grpc": Port(9095)},
    data="/loki",
    stop_seconds=60,
    metrics=Metrics("http"),
    requires="keeps_logs",
    store=Store("logs", ("lines", "streams"), "loki_retention", written_by_collector=True),
    color="grey",
    restart=Restart("logs wait in the collector", 3),
)
JAEGER: Final = Part(
    name="jaeger",
    title="Jaeger",
    user="10001:10001",
    memory_mib=1024,
    cpus=1,
    networks=("backends",),
    ports={
        "http": Port(16686),
        "grpc": Port(16685),
        "otlp-grpc": Port(4317),
        "otlp-http": Port(4318),
        "health": Port(13133),
        "metrics": Port(8888),
        "span-metrics": Port(8889),
    },
    data="/badger",
    data_needs_owner=True,
    stop_seconds=60,
    metrics=Metrics("metrics", "opentelemetry"),
    requires="keeps_traces",
    store=Store("traces", ("traces", "spans"), "jaeger_retention", written_by_collector=True),
    color="blue",
    restart=Restart("traces wait in the collector", 11),
)
COLLECTOR: Final = Part(
    name="collector",
    title="OpenTelemetry collector",
    user="10001:10001",
    memory_mib=512,
    cpus=1,
    networks=("applications", "backends"),
    ports={
        "otlp-grpc": Port(4317, "otlpGrpc", 4317, "loopback"),
        "otlp-http": Port(4318, "otlpHttp", 4318, "loopback"),
        # For spans of Grafana itself, by way of the reading proxy.
        "otlp-own": Port(4316),
        # For senders outside of the Docker host, with TLS. If the settings allow those, these two are published instead
        # of the first two.
        "otlp-grpc-outside": Port(14317),
        "otlp-http-outside": Port(14318),
        "health": Port(13133, "collector", 13133),
        "container-logs": Port(24224, "containerLogs", 4324, "engine"),
        "metrics": Port(8888),
        # Used if an external store keeps traces; otherwise Jaeger counts spans.
        "span-metrics": Port(8889),
    },
    data="/var/lib/otelcol",
    data_needs_owner=True,
    tmp_mib=16,
    stop_seconds=30,
    starts_after=("engine-filter",),
    reaches_applications=True,
    metrics=Metrics("metrics", "opentelemetry"),
    color="violet",
    restart=Restart("senders try again; logs of containers wait in the engine", 2),
)
SOCKET_PROXY: Final = Part(
    name="engine-filter",
    title="Docker socket proxy",
    user="65534:65534",
    memory_mib=64,
    cpus=0.25,
    networks=("backends",),
    ports={"http": Port(2375)},
    tmp_mib=1,
    requires="docker_socket",
    restart=Restart("no metrics of containers"),
)
READING_PROXY: Final = Part(
    name="reading-proxy",
    title="Reading proxy",
    user="101:101",
    memory_mib=64,
    cpus=0.5,
    networks=("backends", "edge"),
    ports={
        PROMETHEUS.name: Port(9090, "prometheus", 9090),
        LOKI.name: Port(3100, "loki", 3100),
        JAEGER.name: Port(16686, "jaeger", 16686),
        "remote-write": Port(9091, "remoteWrite", 9091, "loopback", requires="remote_write_receiver"),
        "webhook": Port(9094),
        # For Grafana's alert history: writes, and asks for a password.
        "alert-history": Port(9095),
        # For Grafana's own spans, on their way to the collector.
        "otlp-own": Port(4316),
        "health": Port(8080),
    },
    tmp_mib=64,
    restart=Restart("panels and alerts have no data, webhooks get no notification"),
)
BLACKBOX: Final = Part(
    name="blackbox",
    title="Blackbox exporter",
    user="65534:65534",
    memory_mib=64,
    cpus=0.25,
    # Not in `backends`: a redirect must not lead a probe to the stack's own stores.
    networks=("applications",),
    ports={"http": Port(9115)},
    tmp_mib=1,
    requires="probes",
    reaches_applications=True,
    restart=Restart("no address is probed: a gap in the SLOs of probes"),
)
LISTEN_NAMES: Final = {part.name: f"{part.name}-in-backends" for part in (PROMETHEUS, COLLECTOR)}
"""Host names in the network `backends` of the parts that listen there only, by part. See `aliases`."""
PARTS: Final = (GRAFANA, PROMETHEUS, LOKI, JAEGER, COLLECTOR, SOCKET_PROXY, READING_PROXY)
"""The containers that a stack runs by default, without the demo's."""
OPTIONAL: Final = (BLACKBOX,)
"""The containers that a stack runs only if its settings need them."""

_DEMO_USER: Final = "65532:65532"
"""A user that owns no file of the image."""
DEMO_GATEWAY: Final = Part(
    name="inference-gateway",
    title="Inference gateway",
    user=_DEMO_USER,
    memory_mib=256,
    cpus=1,
    networks=("applications",),
    ports={"http": Port(8000, "demo", 8000, "loopback")},
    tmp_mib=16,
    requires="demo",
)
DEMO_MODEL: Final = Part(
    name="inference-model",
    title="Inference model",
    user=_DEMO_USER,
    memory_mib=512,
    cpus=1,
    networks=("applications",),
    ports={"http": Port(8000)},
    tmp_mib=16,
    requires="demo",
)
DEMO_LOAD: Final = Part(
    name="demo-load",
    title="Load generator",
    user=_DEMO_USER,
    memory_mib=256,
    cpus=0.5,
    networks=("applications",),
    tmp_mib=16,
    requires="demo",
)
DEMO_PAGER: Final = Part(
    name="demo-pager",
    title="Pager",
    user=_DEMO_USER,
    memory_mib=128,
    cpus=0.25,
    networks=("applications", "edge"),
    ports={"http": Port(8000, "demoPager", 8001, "loopback")},
    tmp_mib=16,
    requires="demo",
)
DEMO: Final = (DEMO_GATEWAY, DEMO_MODEL, DEMO_LOAD, DEMO_PAGER)
"""The containers of the demo: applications that the stack observes, not parts of it."""

ALL: Final = (*PARTS, *OPTIONAL, *DEMO)
SCRAPED: Final = tuple(part for part in PARTS if part.metrics is not None)
"""The parts with metrics about themselves."""
STORES: Final = tuple(part for part in PARTS if part.store is not None)
WRITTEN_BY_COLLECTOR: Final = tuple(
    part for part in PARTS if part.store is not None and part.store.written_by_collector
)
WITH_DATA: Final = tuple(part for part in PARTS if part.data)
"""The parts whose volume a backup copies."""


def part(name: str) -> Part:
    """Return the part called `name`.

    Raises:
        KeyError: there is none.

    """
    return _BY_NAME[name]


def aliases(name: str, network: str) -> tuple[str, ...]:
    """Return the host names of the part `name` in `network`.

    Prometheus has a name in `backends` alone: elsewhere it only scrapes, and does not listen. A part that listens
    in `backends` only has a second, unusual name there, which no container of another project in a shared network has
    by accident.
    """
    if network == "backends":
        return (name, LISTEN_NAMES[name]) if name in LISTEN_NAMES else (name,)
    return () if name == PROMETHEUS.name else (name,)


def start_order(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Return the parts in an order in which each comes after those in its `starts_after`."""
    ordered: list[Part] = []

    def add(one: Part) -> None:
        for earlier in parts:
            if earlier.name in one.starts_after:
                add(earlier)
        if one not in ordered:
            ordered.append(one)

    for each in parts:
        add(each)
    return tuple(ordered)


_BY_NAME: Final = {part.name: part for part in ALL}
