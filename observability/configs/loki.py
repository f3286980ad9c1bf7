"""Loki's configuration: one process, tsdb schema v13, retention on, limits that fit its memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from observability import topology
from observability.configs.process import Process, restarting_without_shell
from observability.names.paths import CONFIG, SECRETS
from observability.periods import BEGINNING, VOLUME, Periods
from observability.settings import milliseconds
from observability.text import to_yaml

if TYPE_CHECKING:
    from observability.settings import Settings

OBJECT_STORE_FILE = f"{SECRETS}/object-store"
OBJECT_STORE_CA_FILE = f"{CONFIG}/object-store-ca.crt"
DATA = topology.LOKI.data
FILE = f"{CONFIG}/loki.yaml"
PORT = topology.LOKI.port("http")
GRPC_PORT = topology.LOKI.port("grpc")
PUSH_BYTES = 8 * 1024 * 1024
INDEXED = ["service.name", "service.namespace", "deployment.environment.name", "container.name", "stack"]
"""Resource attributes that become labels; the others are structured metadata."""

ANSWER_BYTES = 64 * 1024 * 1024
"""Between Loki's own parts. They hand 128 lines at a time on, each of up to 256 KB; by default 4 MB, so that a query
that meets sixteen long lines would fail, with those of every other service in it."""

STREAMS = 5_000
"""Most streams that are written to at the same time: about 20 for each container of a busy host."""

_DAY_MS = 86_400_000
_SCHEDULER = f"127.0.0.1:{GRPC_PORT}"


def command() -> tuple[str, ...]:
    """Return Loki's command line."""
    return (f"-config.file={FILE}",)


def process(settings: Settings) -> Process:
    """Return Loki's process. Its image has no shell, so its own binary checks the files and probes the health."""
    bucket = settings.logs.object_store
    return Process(
        command=command(),
        environment={
            "AWS_SHARED_CREDENTIALS_FILE": OBJECT_STORE_FILE,
            "AWS_EC2_METADATA_DISABLED": "true",  # else a wrong key is looked for at a cloud's own address
        }
        if bucket
        else {},
        files={
            FILE: render(settings),
            **({OBJECT_STORE_CA_FILE: bucket.ca_certificate} if bucket.ca_certificate else {}),
        },
        checker=("/usr/bin/loki", "-verify-config", *command()),
        secrets={OBJECT_STORE_FILE: "logs_object_store"} if bucket else {},
        health=restarting_without_shell("/usr/bin/loki", "-health"),
        health_interval=settings.health_interval,
        networks=("outside",) if bucket else (),
        periods=periods(settings),
    )


def credentials(settings: Settings) -> str | None:
    """Return who Loki is to its object store, as AWS' own file has it; None without one."""
    bucket, secret = settings.logs.object_store, settings.logs_password
    if not bucket or secret is None:
        return None
    return f"[default]\naws_access_key_id = {bucket.user}\naws_secret_access_key = {secret.get_secret_value()}\n"


def periods(settings: Settings) -> Periods | None:
    """Return which store keeps the lines of which day, None where the volume keeps them all."""
    bucket = settings.logs.object_store
    if not bucket:
        return None
    starts = [(BEGINNING, VOLUME), (bucket.first_day, f"{bucket.endpoint}/{bucket.bucket}")]
    if bucket.until:
        starts.append((bucket.until, VOLUME))
    return Periods(starts, -(-milliseconds(settings.loki_retention) // _DAY_MS))


def _schema(settings: Settings) -> list[dict[str, Any]]:
    """Return Loki's periods: each is for good, and only ones to come may be added."""
    kept = periods(settings)
    return [
        {
            "from": start,
            "store": "tsdb",
            "object_store": "filesystem" if store == VOLUME else "s3",
            "schema": "v13",
            "index": {"prefix": "index_", "period": "24h"},
        }
        for start, store in (kept.starts if kept else [(BEGINNING, VOLUME)])
    ]


def _storage(settings: Settings) -> dict[str, Any]:
    """Return the client of the object store; nothing without one."""
    bucket = settings.logs.object_store
    if not bucket:
        return {}
    client: dict[str, Any] = {
        "endpoint": bucket.endpoint,
        "bucketnames": bucket.bucket,
        "region": bucket.region,
        # The bucket in the path: its name below the server's is not everywhere a host.
        "s3forcepathstyle": True,
        "insecure": bucket.endpoint.startswith("http://"),
    }
    if bucket.ca_certificate:
        client["http_config"] = {"ca_file": OBJECT_STORE_CA_FILE}
    return {"storage_config": {"aws": client}}


def render(settings: Settings) -> str:
    """Return loki.yaml."""
    memory = settings.limit(topology.LOKI.name).memory
    hours = milliseconds(settings.loki_retention) // 3_600_000
    return to_yaml(
        "loki",
        {
            "auth_enabled": False,
            "server": {
                "http_listen_port": PORT,
                "grpc_listen_port": GRPC_PORT,
                "log_level": "warn",
                "grpc_server_max_send_msg_size": ANSWER_BYTES,
                "grpc_server_max_recv_msg_size": ANSWER_BYTES,
            },
            "common": {
                "instance_addr": "127.0.0.1",
                "path_prefix": DATA,
                "replication_factor": 1,
                "ring": {"kvstore": {"store": "inmemory"}},
                "storage": {
                    "filesystem": {
                        "chunks_directory": f"{DATA}/chunks",
                        "rules_directory": f"{DATA}/rules",
                    }
                },
            },
            "schema_config": {"configs": _schema(settings)},
            **_storage(settings),
            "ingester": {
                # A single process has no other to hand over to, so it is ready once it has joined its own ring.
                "lifecycler": {"min_ready_duration": "0s", "final_sleep": "0s"},
                # The default ceiling (4 GB) is above the container's limit and would end in an OOM kill.
                "wal": {"replay_memory_ceiling": f"{memory * 3 // 4}MB", "flush_on_shutdown": True},
            },
            "compactor": {
                "working_directory": f"{DATA}/compactor",
                "retention_enabled": True,
                "delete_request_store": "filesystem",
            },
            "distributor": {
                "otlp_config": {"default_resource_attributes_as_index_labels": INDEXED},
                # One push, compressed and decompressed. By default a small one may decompress to 5 GB: an OOM kill.
                "max_recv_msg_size": PUSH_BYTES,
                "max_decompressed_size": 2 * PUSH_BYTES,
            },
            "limits_config": {
                "retention_period": f"{hours}h",
                "allow_structured_metadata": True,
                "volume_enabled": True,
                "max_entries_limit_per_query": 5000,
                "max_query_series": 5000,
                "ingestion_rate_mb": 16,
                "ingestion_burst_size_mb": 32,
                "per_stream_rate_limit": "8MB",
                "per_stream_rate_limit_burst": "16MB",
                # The collector parses the level (`configs.lines`). Loki would guess it from words: a resolved alert
                # called "errors" would be an error.
                "discover_log_levels": False,
                # Truncated, not rejected: the collector joins lines, and a sender's line may have any length.
                "max_line_size": "256KB",
                "max_line_size_truncate": True,
                "max_label_name_length": 1024,
                "max_label_value_length": 2048,
                "max_label_names_per_series": 15,
                "max_global_streams_per_user": STREAMS,
                "max_structured_metadata_size": "64KB",
                "max_structured_metadata_entries_count": 128,
                "reject_old_samples": True,
                "reject_old_samples_max_age": "168h",
            },
            "pattern_ingester": {"enabled": True, "lifecycler": {"min_ready_duration": "0s"}},
            # With the scheduler's address, Loki answers queries at once. With the default ring it holds them for 3 s,
            # until the ring knows itself, and Grafana's start waits for such a query (of its alert history).
            "frontend": {"scheduler_address": _SCHEDULER, "scheduler_dns_lookup_period": "1s"},
            "frontend_worker": {"scheduler_address": _SCHEDULER, "dns_lookup_duration": "1s"},
            "query_range": {
                # Aligned like Prometheus' steps, so that a table shows the six hours of both in one row.
                "align_queries_with_step": True,
                "results_cache": {"cache": {"embedded_cache": {"enabled": True, "max_size_mb": max(memory // 16, 16)}}},
            },
            "analytics": {"reporting_enabled": False},
        },
    )
