"""The collector's configuration. It receives everything that is pushed, and queues it on disk while a store is down.

```
applications  ── OTLP ──────────────► traces   ──► Jaeger, or an external store
                                        └─ service graph ─┐
                                      metrics ────────────┼──► Prometheus
socket proxy ── containers' use ─────────────────────────┤
/proc         ── the host's use ──────────────────────────┘
Docker engine ── containers' output ► logs     ──► Loki
```

Nothing is batched before the queues: once a sender's request is answered, its data is on disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from observability import endpoints, own, topology
from observability.configs import external_stores, intake, lines, otelcol, otlp_outside, output, span_metrics
from observability.configs.process import OwnText, Process, restarting_without_shell
from observability.names import labels
from observability.names.paths import CONFIG, HOST_NETWORK, HOST_ROOT, SECRETS
from observability.own import collector_files as own_collector
from observability.own import secret_references
from observability.text import to_yaml

if TYPE_CHECKING:
    from observability.settings import Settings

DATA: Final = topology.COLLECTOR.data
FILE: Final = f"{CONFIG}/collector.yaml"
QUEUE_BYTES: Final = 256 * 1024 * 1024
"""Size of the queue for each of the three stores. If it is full, senders get an error and may retry."""
JAEGER_AT_ONCE, JAEGER_BATCH_BYTES = 4, 256 * 1024
"""Concurrent requests and batch size. Jaeger writes the spans of one batch one by one, so small batches are faster."""
SPAN_TEXT_BYTES: Final = 16 * 1024
"""Length to which a span attribute is truncated."""
SPAN_NAME_BYTES, SPAN_ATTRIBUTES = 500, 256
"""Length to which a span name is truncated, and most attributes of a span with long ones (SDKs: 128)."""
PROMETHEUS_AT_ONCE: Final = 8
EXPONENTIAL: Final = "otlp_http/exponential/prometheus"
"""Its name ends with its store, like those of the other exporters: dashboards and alerts group queues by store."""
_EACH: Final = {"batch": {"flush_timeout": "200ms", "sizer": "items", "min_size": 0, "max_size": 1}}
DELTA_STREAMS: Final = 50_000
"""Most series that senders may push as deltas. The collector keeps a sum of each, of about 1 KiB."""
CONTAINER: Final = "container"
"""Label of a container's metrics: the part's name for containers of the stack, the container's name for others."""

PEER: Final = ["peer.service", "db.name", "db.system", "server.address", "net.peer.name", "datasource_uid"]
"""Attributes by which a client span names the called service: OpenTelemetry's, older ones, and Grafana's."""

_STACK: Final = "stack"
_MEMORY: Final = ("system.memory.limit", "system.linux.memory.available")
_VIRTUAL: Final = "^(lo|veth|br-|docker|virbr|cni|flannel|cali|ifb|dummy).*"
"""Network interfaces without traffic of their own: loopback, bridges and virtual ones."""

# The image contains only the collector's binary. Its command `validate` can fetch a configuration by URL, so the health
# endpoint answers with a valid one, and the health check validates it.
_HEALTHY: Final = """\
receivers: {otlp: {protocols: {http: {}}}}
exporters: {debug: {}}
service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}
"""


def command() -> tuple[str, ...]:
    """Return the collector's command line."""
    return (f"--config={FILE}",)


def health() -> tuple[str, ...]:
    """Return the command that fails if the collector does not serve."""
    return restarting_without_shell(
        "/otelcol-contrib", "validate", f"--config=http://{topology.COLLECTOR.local('health')}/"
    )


def process(settings: Settings) -> Process:
    """Return the collector's process."""
    return Process(
        command=command(),
        environment=otelcol.environment(settings.limit(topology.COLLECTOR.name)),
        files={FILE: render(settings), **otlp_outside.files(settings), **external_stores.files(settings)},
        secrets={
            **otlp_outside.secrets(settings),
            **external_stores.passwords(settings),
            **_own_secrets(settings),
        },
        checker=("/otelcol-contrib", "validate", *command()),
        health=health(),
        health_interval=settings.health_interval,
        host_paths=HOST_NETWORK if settings.host_network else {},
    )


def render(settings: Settings) -> str:
    """Return collector.yaml."""
    receivers = _receivers(settings)
    measured: list[str] = [
        name for name in ("host_metrics", "host_metrics/network", "docker_stats") if name in receivers
    ]
    mask = settings.redaction
    logging_in = external_stores.extensions(settings)
    counting = span_metrics.counted_by(settings) is topology.COLLECTOR
    traces_to = [_traces_exporter(settings), "service_graph", *([span_metrics.CONNECTOR] if counting else [])]
    senders = settings.otlp_senders if settings.otlp_outside else {}
    document = {
        "service": {
            "extensions": ["health_check", "file_storage", *logging_in],
            "pipelines": {
                **_intake("traces", ["transform/long", *_masking("trace", mask)], traces_to),
                # For Grafana's own spans. Elsewhere no sender may use the name of a part of the stack.
                "traces/own": _pipeline(
                    ["otlp/own"],
                    ["transform/long", *_masking("trace", mask)],
                    [*traces_to],
                ),
                **_intake(
                    "metrics",
                    ["filter/empty", "deltatocumulative", *_masking("metric", mask)],
                    ["routing/exponential"],
                ),
                "metrics/stored": _pipeline(["routing/exponential"], [], ["otlp_http/prometheus"]),
                "metrics/exponential": _pipeline(["routing/exponential"], [], [EXPONENTIAL]),
                **_intake("logs", ["transform/read", *_masking("log", mask)], ["otlp_http/loki"]),
                "metrics/counted": _pipeline(
                    ["count"],
                    ["filter/counts", "transform/counts", "deltatocumulative"],
                    ["otlp_http/prometheus"],
                ),
                "metrics/service_graph": _pipeline(["service_graph"], [], ["otlp_http/prometheus"]),
                **(
                    {span_metrics.PIPELINE: _pipeline([span_metrics.CONNECTOR], [], [span_metrics.EXPORTER])}
                    if counting
                    else {}
                ),
                "metrics/measured": _pipeline(measured, ["transform/measured"], ["otlp_http/prometheus"]),
                # Secrets are masked before a line is on disk, and again after parts of a line were joined.
                "logs/printed": _pipeline(
                    ["fluent_forward"],
                    ["transform/output", *_masking("log", mask), "transform/packed"],
                    [output.FILE],
                ),
                "logs/containers": _pipeline(
                    [output.RECEIVER],
                    ["transform/joined", "transform/read", "groupbyattrs/output"],
                    ["otlp_http/loki"],
                ),
            },
            "telemetry": otelcol.telemetry(
                topology.COLLECTOR.name, topology.COLLECTOR.port("metrics"), disable_stacktrace=True
            ),
        },
        "extensions": {
            "health_check": {
                "endpoint": f"{otelcol.ALL}:{topology.COLLECTOR.port('health')}",
                "response_body": {"healthy": _HEALTHY},
            },
            "file_storage": {
                "directory": DATA,
                "create_directory": True,  # where only the file is checked, there is no volume
                "timeout": "5s",
                "compaction": {
                    "on_start": True,
                    "on_rebound": True,
                    "directory": DATA,
                    "cleanup_on_start": True,
                },
            },
            **logging_in,
        },
        "receivers": receivers,
        "processors": {
            "memory_limiter": otelcol.MEMORY_LIMITER,
            "transform/long": _shortened(),
            "transform/measured": _of_containers(settings),
            "transform/metrics": intake.metrics(senders),
            "transform/logs": intake.logs(senders),
            "transform/traces": intake.traces(senders),
            "filter/counts": intake.only_counts(),
            "transform/counts": intake.counts(),
            "transform/output": lines.of_containers(settings),
            "transform/packed": output.packed(),
            "transform/joined": lines.joined(mask),
            "transform/read": lines.read(),
            # Nothing to store, and the receiver would refuse its whole request.
            "filter/empty": {
                "error_mode": "ignore",
                "metrics": {"metric": ["metric.type == METRIC_DATA_TYPE_NONE"]},
            },
            "deltatocumulative": {"max_streams": DELTA_STREAMS, "max_stale": "1h"},
            **({f"transform/mask_{s}": lines.redacted(s) for s in ("trace", "metric", "log")} if mask else {}),
            **({"redaction": lines.masked()} if mask else {}),
            "groupbyattrs/output": {"keys": ["service.name", "container.name", _STACK]},
        },
        "connectors": {
            **{f"routing/{signal}": intake.refused(signal) for signal in ("traces", "metrics", "logs")},
            "routing/exponential": intake.apart(),
            "count": intake.counted(),
            "service_graph": {
                "latency_histogram_buckets": ["10ms", "50ms", "100ms", "300ms", "500ms", "1s", "2s", "5s", "10s"],
                "store": {"ttl": "10s", "max_items": 10_000},
                # A called service that sends no spans has the name that its caller gives it.
                "virtual_node_peer_attributes": PEER,
                "metrics_flush_interval": settings.scrape_interval,
            },
            **({span_metrics.CONNECTOR: span_metrics.connector(settings)} if counting else {}),
        },
        "exporters": {
            _traces_exporter(settings): _to_jaeger(settings),
            # One request for each push: what Prometheus refuses of one takes no other sender's points along.
            "otlp_http/prometheus": {
                "endpoint": f"{endpoints.writes(topology.PROMETHEUS, settings).url}/api/v1/otlp",
                **_waiting(at_once=PROMETHEUS_AT_ONCE, batch=0),
            },
            EXPONENTIAL: {
                "endpoint": f"{endpoints.writes(topology.PROMETHEUS, settings).url}/api/v1/otlp",
                **_waiting(at_once=PROMETHEUS_AT_ONCE, one_item=True),
            },
            "otlp_http/loki": _to_loki(settings),
            output.FILE: output.exporter(DATA),
            **({span_metrics.EXPORTER: span_metrics.exporter(topology.COLLECTOR)} if counting else {}),
        },
    }
    complete = otlp_outside.added(settings, document)
    partials = own.read(settings).collector
    return to_yaml("collector", own_collector.merged(complete, _with_secret_files(partials)) if partials else complete)


def _traces_exporter(settings: Settings) -> str:
    return "otlp_grpc/jaeger" if settings.keeps_traces else "otlp_http/jaeger"


def _to_jaeger(settings: Settings) -> dict[str, Any]:
    """Return the exporter of spans: by gRPC to the stack's own Jaeger, over HTTP to a store by URL."""
    endpoint = endpoints.writes(topology.JAEGER, settings)
    waiting = _waiting(at_once=JAEGER_AT_ONCE, batch=JAEGER_BATCH_BYTES)
    if settings.keeps_traces:
        return {"endpoint": endpoint.address, "tls": {"insecure": True}, **waiting}
    return {"endpoint": endpoint.url, **external_stores.client(topology.JAEGER, settings), **waiting}


def _to_loki(settings: Settings) -> dict[str, Any]:
    """Return the exporter of lines; one name for any Loki, so that a queue goes on where the next one is."""
    url = endpoints.writes(topology.LOKI, settings).url
    own_path = "/otlp" if settings.keeps_logs else ""
    return {"endpoint": f"{url}{own_path}", **external_stores.client(topology.LOKI, settings), **_waiting()}


def _with_secret_files(partials: Mapping[str, Any]) -> dict[str, Any]:
    """Return the team's own configuration, in which the collector itself reads each secret from its file."""
    return dict(secret_references.replace(partials, lambda name: f"${{file:{_secret_file(name)}}}"))


def _secret_file(name: str) -> str:
    return f"{SECRETS}/own-{name}"


def _own_secrets(settings: Settings) -> dict[str, OwnText]:
    names = secret_references.names(own.read(settings).collector)
    return {_secret_file(name): OwnText(f"${{secret:{name}}}") for name in sorted(names)}


def _pipeline(receivers: list[str], processors: list[str], exporters: list[str]) -> dict[str, Any]:
    return {"receivers": receivers, "processors": ["memory_limiter", *processors], "exporters": exporters}


def _intake(signal: str, processors: list[str], exporters: list[str]) -> dict[str, Any]:
    """Return the pipelines of what is pushed: what is refused is counted, the rest is stored."""
    return {
        signal: _pipeline(["otlp"], [f"transform/{signal}"], [f"routing/{signal}"]),
        f"{signal}/refused": _pipeline([f"routing/{signal}"], [], ["count"]),
        f"{signal}/accepted": _pipeline([f"routing/{signal}"], processors, exporters),
    }


def _masking(signal: str, mask: bool) -> list[str]:  # noqa: FBT001 - a setting
    return [f"transform/mask_{signal}", "redaction"] if mask else []


def _receivers(settings: Settings) -> dict[str, Any]:
    receivers: dict[str, Any] = {
        "otlp": otelcol.receiver(settings.cors_origins),
        "otlp/own": {"protocols": {"grpc": {"endpoint": endpoints.takes_own().address}}},
        "fluent_forward": {"endpoint": f"{otelcol.ALL}:{topology.COLLECTOR.port('container-logs')}"},
        output.RECEIVER: output.receiver(DATA),
        "host_metrics": {
            "collection_interval": settings.scrape_interval,
            "scrapers": {
                "cpu": {},
                "load": {},
                # What `free` prints: how much there is, and how much a process could still get.
                "memory": {"metrics": {name: {"enabled": True} for name in _MEMORY}},
                "disk": {},
                # The host's own mounts are not to be seen from here, but the volume is on its disk.
                "filesystem": {
                    "include_mount_points": {"mount_points": [DATA], "match_type": "strict"},
                    "include_virtual_filesystems": True,  # which a part of another one counts as
                },
            },
        },
    }
    if settings.host_network:
        receivers["host_metrics/network"] = {
            "collection_interval": settings.scrape_interval,
            "root_path": HOST_ROOT,
            "scrapers": {
                "network": {
                    "exclude": {"interfaces": [_VIRTUAL], "match_type": "regexp"},
                    "metrics": {"system.network.connections": {"enabled": False}},  # those of the container
                }
            },
        }
    if settings.docker_socket:
        receivers["docker_stats"] = {
            "endpoint": endpoints.socket_proxy().url,
            "api_version": "",  # the one that the engine has; left out, it is one that older engines refuse
            "collection_interval": settings.scrape_interval,
            "container_labels_to_metric_labels": {
                labels.STACK: labels.STACK,
                labels.SERVICE: labels.SERVICE,
                "com.docker.compose.service": "com.docker.compose.service",
            },
            "metrics": {
                name: {"enabled": True} for name in ("container.cpu.limit", "container.restarts", "container.uptime")
            },
        }
    return receivers


def _shortened() -> dict[str, Any]:
    """Cut texts that Jaeger could not store.

    It looks spans up by keys of service, name and value, of at most 65,000 bytes: one longer is refused, with the batch
    that it is in, and tried again for ever. What it makes such keys of: `traces_to_jaegerproto.go` of its translator.
    """
    texts = {
        "resource": {'resource.attributes["service.name"]': SPAN_NAME_BYTES},
        "scope": {"scope.name": SPAN_TEXT_BYTES, "scope.version": SPAN_TEXT_BYTES},
        "span": {
            "span.name": SPAN_NAME_BYTES,
            "span.status.message": SPAN_TEXT_BYTES,
            "span.trace_state": SPAN_TEXT_BYTES,
        },
        "spanevent": {"spanevent.name": SPAN_TEXT_BYTES},
    }
    groups: list[dict[str, Any]] = []
    for context, others in texts.items():
        attributes = f"{context}.attributes"
        cut = [
            f"truncate_all({attributes}, {SPAN_TEXT_BYTES})",
            f'delete_matching_keys({attributes}, "^.{{{SPAN_NAME_BYTES}}}")',
        ]
        # Only texts are cut: lists, maps and bytes that are too long become texts first, each element one.
        unfolded = [
            f"set({attributes}, ParseJSON(String({attributes})))",
            f"flatten({attributes})",
            f"limit({attributes}, {SPAN_ATTRIBUTES}, [])",
        ]
        long = f"Len(String({attributes})) > {3 * SPAN_TEXT_BYTES}"
        rest = [line for text, most in others.items() for line in intake.cut(text, most)]
        groups += [
            {"context": context, "statements": [*cut, *rest]},
            {"context": context, "conditions": [long], "statements": [*unfolded, *cut]},
        ]
    return {"error_mode": "ignore", "trace_statements": groups}


def _of_containers(settings: Settings) -> dict[str, Any]:
    """Name every container by `container`, `service` and `stack`, and take away what only makes more series."""
    own = f'resource.attributes["{labels.STACK}"] == "{settings.stack}"'
    name = 'resource.attributes["container.name"]'
    service, composed = (f'resource.attributes["{label}"]' for label in (labels.SERVICE, "com.docker.compose.service"))
    return {
        "error_mode": "ignore",
        "metric_statements": [
            {
                "context": "datapoint",
                "statements": [
                    f'set(datapoint.attributes["{CONTAINER}"], {name}) where {name} != nil',
                    f'set(datapoint.attributes["{CONTAINER}"], {service}) where {own}',
                    # Another stack's services are not this one's, though they are called the same.
                    f'set(datapoint.attributes["service"], datapoint.attributes["{CONTAINER}"]) where {name} != nil',
                    f'set(datapoint.attributes["service"], {composed}) where {composed} != nil',
                    (
                        f'set(datapoint.attributes["{_STACK}"], resource.attributes["{labels.STACK}"])'
                        f' where resource.attributes["{labels.STACK}"] != nil'
                    ),
                ],
            },
            {"context": "resource", "statements": ['keep_matching_keys(resource.attributes, "^$")']},
        ],
    }


def _waiting(at_once: int = 2, batch: int = otelcol.PUSH_BYTES // 2, *, one_item: bool = False) -> dict[str, Any]:
    """Return what every exporter does when its backend is down: keep on disk, and try until it is back.

    Args:
        at_once: requests at the same time.
        batch: bytes of a request, 0 for one request for each push.
        one_item: make a request of each item.

    """
    # At the backend's door: what is in a batch is still in the queue until the backend has it.
    # In bytes, as the backends' limits are: what is over them would be refused for good.
    batched = {"batch": {"flush_timeout": "200ms", "sizer": "bytes", "min_size": batch // 4, "max_size": batch}}
    return {
        "timeout": "30s",  # Jaeger writes every span of a batch to disk before it answers
        "sending_queue": {
            "storage": "file_storage",
            "sizer": "bytes",
            "queue_size": QUEUE_BYTES,
            "num_consumers": at_once,
            **(_EACH if one_item else batched if batch else {}),
        },
        "retry_on_failure": {
            "enabled": True,
            "initial_interval": "1s",
            "max_interval": "10s",
            "max_elapsed_time": "0s",
        },
    }
