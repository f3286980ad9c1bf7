"""The services' configuration files: what the issues ask for is in them, and their own checkers accept them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from observability import explore, rules
from observability.configs import collector, grafana, jaeger, loki, output, prometheus
from observability.configs.correlations import CORRELATIONS
from observability.configs.datasources import REQUEST_ID_IN_LINE, TRACE_ID_IN_LINE, datasources
from observability.settings import Settings, load

SETTINGS_OF = Callable[[str], Settings]
GATEWAY = """[{"name": "gw", "targets": ["gw:8000"], "dns": ["gw.local:9"], "httpSd": ["http://sd/x"],
 "targetLabels": {"team": "ml"}}]"""


def test_prometheus_keeps_what_a_30_day_slo_needs(settings: Settings) -> None:
    document = yaml.safe_load(prometheus.render(settings))
    retention = document["storage"]["tsdb"]["retention"]
    assert int(retention["time"].removesuffix("d")) >= 35
    assert retention["size"] == settings.prometheus_retention_size
    assert "--enable-feature=exemplar-storage" in prometheus.command(settings)


def test_prometheus_scrapes_the_five_services(settings: Settings) -> None:
    jobs = {j["job_name"]: j for j in yaml.safe_load(prometheus.render(settings))["scrape_configs"]}
    assert {"prometheus", "grafana", "loki", "jaeger", "collector", "span-metrics"} <= set(jobs)
    assert jobs["grafana"]["basic_auth"] == {
        "username": "prometheus",
        "password_file": "/run/observability/grafana-metrics-password",
    }


def test_a_watched_service_is_scraped_with_its_labels() -> None:
    settings = load("dev", {"services": GATEWAY})
    job = yaml.safe_load(prometheus.render(settings))["scrape_configs"][-1]
    assert job["static_configs"] == [{"targets": ["gw:8000"], "labels": {"service": "gw", "team": "ml"}}]
    assert job["dns_sd_configs"] == [{"names": ["gw.local"], "type": "A", "port": 9}]
    assert job["http_sd_configs"] == [{"url": "http://sd/x"}]
    assert job["relabel_configs"][0]["action"] == "labelmap"
    assert job["honor_labels"] is True


def test_native_histograms_are_scraped_from_those_who_promise_by_them_only() -> None:
    services = (
        '[{"name": "old", "targets": ["o:1"]}, {"name": "new", "targets": ["n:1"], "latency": {"histogram": "native"}}]'
    )
    old, new = yaml.safe_load(prometheus.render(load("dev", {"services": services})))["scrape_configs"][-2:]
    both = {"scrape_native_histograms": True, "always_scrape_classic_histograms": True}
    assert not both.keys() & old.keys()
    assert both.items() <= new.items()


def test_remote_write_is_off_unless_asked_for() -> None:
    flag = "--web.enable-remote-write-receiver"
    assert flag not in prometheus.command(load("dev", {}))
    assert flag in prometheus.command(load("dev", {"remoteWriteReceiver": "true"}))


def test_loki_keeps_logs_and_forgets_them_in_time(settings: Settings) -> None:
    document = yaml.safe_load(loki.render(settings))
    schema = document["schema_config"]["configs"][0]
    assert (schema["store"], schema["schema"]) == ("tsdb", "v13")
    assert document["compactor"]["retention_enabled"] is True
    assert document["limits_config"]["allow_structured_metadata"] is True
    ceiling = int(document["ingester"]["wal"]["replay_memory_ceiling"].removesuffix("MB"))
    assert ceiling == settings.limit("loki").memory * 3 // 4


def test_what_the_collector_hands_on_is_small_enough_for_whoever_takes_it(settings: Settings) -> None:
    """Too large for the backend would be refused for good; for the memory, it would kill."""
    given = yaml.safe_load(collector.render(settings))
    jaeger_takes = yaml.safe_load(jaeger.render(settings))["receivers"]["otlp"]["protocols"]["grpc"]
    loki_takes = yaml.safe_load(loki.render(settings))["distributor"]
    for name, exporter in given["exporters"].items():
        if name == output.FILE:
            continue
        batch = exporter["sending_queue"].get("batch")
        if batch is None or batch["max_size"] == 1:  # at most as large as what was pushed, which the receiver limits
            assert name in ("otlp_http/prometheus", collector.EXPONENTIAL)
            continue
        assert batch["sizer"] == "bytes", name
        assert batch["max_size"] < jaeger_takes["max_recv_msg_size_mib"] * 1024**2, name
        assert batch["max_size"] < loki_takes["max_recv_msg_size"] <= loki_takes["max_decompressed_size"], name
    received = given["receivers"]["otlp"]["protocols"]
    assert received["http"]["max_request_body_size"] == received["grpc"]["max_recv_msg_size_mib"] * 1024**2


def test_nothing_is_answered_as_taken_before_it_is_on_disk(settings: Settings) -> None:
    document = yaml.safe_load(jaeger.render(settings))
    assert document["service"]["pipelines"]["traces"]["processors"] == ["memory_limiter"]
    assert "queue" not in document["exporters"]["jaeger_storage_exporter"]


def test_jaeger_keeps_traces_on_disk(settings: Settings) -> None:
    document = yaml.safe_load(jaeger.render(settings))
    badger = document["extensions"]["jaeger_storage"]["backends"]["badger"]["badger"]
    assert badger["ephemeral"] is False
    assert badger["ttl"]["spans"] == settings.jaeger_retention
    assert document["service"]["pipelines"]["traces"]["exporters"] == ["jaeger_storage_exporter", "span_metrics"]
    assert "memory_limiter" in document["service"]["pipelines"]["traces"]["processors"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("GF_USERS_DEFAULT_THEME", "dark"),
        ("GF_AUTH_ANONYMOUS_ENABLED", "false"),
        ("GF_USERS_ALLOW_SIGN_UP", "false"),
        ("GF_UNIFIED_ALERTING_ENABLED", "true"),
        ("GF_UNIFIED_ALERTING_STATE_HISTORY_BACKEND", "loki"),
        ("GF_UNIFIED_ALERTING_STATE_HISTORY_LOKI_REMOTE_URL", "http://reading-proxy:9095"),
        ("GF_ANALYTICS_REPORTING_ENABLED", "false"),
        ("GF_ANALYTICS_CHECK_FOR_UPDATES", "false"),
        ("GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES", "false"),
        ("GF_NEWS_NEWS_FEED_ENABLED", "false"),
        ("GF_PLUGINS_PREINSTALL_DISABLED", "true"),
        ("GF_PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED", "true"),
        ("GF_SECURITY_ALLOW_EMBEDDING", "false"),
        ("GF_SECURITY_CONTENT_SECURITY_POLICY", "true"),
        ("GF_TRACING_OPENTELEMETRY_OTLP_ADDRESS", "reading-proxy:4316"),
    ],
)
def test_grafana_is_quiet_and_closed(settings: Settings, key: str, value: str) -> None:
    assert grafana.environment(settings)[key] == value


def test_data_sources_are_as_promised(settings: Settings) -> None:
    by_uid = {d.uid: d.json_data for d in datasources(settings)}
    prom: Any = by_uid["prometheus"]
    assert (prom["httpMethod"], prom["queryTimeout"], prom["incrementalQuerying"], prom["cacheLevel"]) == (
        "POST", "60s", True, "High",
    )  # fmt: skip
    for destination in prom["exemplarTraceIdDestinations"]:
        (query,) = explore.queries_of(destination["url"].replace(explore.VALUE, "abc"))
        assert (query["datasource"]["uid"], query["query"], "queryType" in query) == ("jaeger", "abc", False)
    assert by_uid["loki"]["maxLines"] == "1000"
    assert by_uid["jaeger"]["nodeGraph"] == {"enabled": True}
    assert by_uid["jaeger"]["tracesToLogsV2"]["customQuery"] is True
    assert [q["name"] for q in by_uid["jaeger"]["tracesToMetrics"]["queries"]] == [
        "Request rate", "Error rate", "Duration, 99th percentile",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        '{"level":"info","trace_id":"0af7651916cd43dd8448eb211c80319c"}',
        "level=info traceID=0af7651916cd43dd8448eb211c80319c",
        'msg="x" trace_id="0af7651916cd43dd8448eb211c80319c"',
        '{"traceId": "0af7651916cd43dd8448eb211c80319c"}',
    ],
)
def test_trace_ids_are_found_in_lines(line: str) -> None:
    match = re.search(TRACE_ID_IN_LINE, line, re.IGNORECASE)
    assert match is not None
    assert match.group(1) == "0af7651916cd43dd8448eb211c80319c"


def test_request_ids_are_found_in_lines() -> None:
    match = re.search(REQUEST_ID_IN_LINE, '{"request_id": "req-42"}')
    assert match is not None
    assert match.group(1) == "req-42"


def test_correlations_have_names_of_their_own() -> None:
    assert len({c.name for c in CORRELATIONS}) == len({(c.source, c.target, c.label) for c in CORRELATIONS}) == 4


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_promtool_accepts_prometheus_configuration(settings: Settings, promtool: str, tmp_path: Path) -> None:
    shown = subprocess.run([promtool, "--version"], capture_output=True, text=True, check=True)
    version = re.search(r"version (\d+)\.(\d+)", shown.stdout + shown.stderr)
    assert version is not None, shown.stdout
    if (int(version[1]), int(version[2])) < (3, 11):
        pytest.skip(
            f"promtool {version[1]}.{version[2]} cannot read storage.tsdb.retention; 3.11 is the first that can"
        )
    write(tmp_path, {f"rules/{n}": t for n, t in rules.render(settings).items()})
    text = prometheus.render(settings).replace("/etc/observability", str(tmp_path))
    write(tmp_path, {"prometheus.yml": text})
    done = subprocess.run(
        [promtool, "check", "config", str(tmp_path / "prometheus.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_loki_accepts_its_configuration(settings: Settings, tmp_path: Path) -> None:
    binary = shutil.which("loki")
    if binary is None:
        pytest.skip("no loki binary on PATH; `make up` has the image's own check it")
    write(tmp_path, {"loki.yaml": loki.render(settings).replace("/loki", str(tmp_path))})
    done = subprocess.run(
        [binary, "-verify-config", f"-config.file={tmp_path / 'loki.yaml'}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("retention", "ttl"), [("72h", "72h"), ("1h30m", "1h30m"), ("3d", "259200s"), ("1w", "604800s")]
)
def test_jaeger_reads_durations_without_days(retention: str, ttl: str) -> None:
    backends = yaml.safe_load(jaeger.render(load("dev", {"jaegerRetention": retention})))["extensions"][
        "jaeger_storage"
    ]
    assert backends["backends"]["badger"]["badger"]["ttl"] == {"spans": ttl}
