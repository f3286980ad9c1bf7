"""The copy of the metrics, with a real Prometheus and a real store elsewhere, either of which is killed."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.otlp import push
from observability.configs import prometheus
from observability.settings import Settings, load
from tests.conftest import PROMETHEUS, major
from tests.telemetry.conftest import answers, free_port, wait_for

ENGINES = ("victoria-metrics", "mimir")
TENANT = "shop"
START_SECONDS = 120
COPIED_SECONDS = 120
POINTS = 40
FLUSHED_SECONDS = 7
"""VictoriaMetrics has no write-ahead log: what it took in the last 5 seconds before a kill is gone with it."""
MIMIR = """\
target: all
multitenancy_enabled: true
server:
  {{http_listen_address: 127.0.0.1, http_listen_port: {http}, grpc_listen_address: 127.0.0.1, grpc_listen_port: {grpc}}}
common: {{storage: {{backend: filesystem, filesystem: {{dir: {folder}/common}}}}}}
blocks_storage: {{tsdb: {{dir: {folder}/tsdb}}, bucket_store: {{sync_dir: {folder}/sync}}}}
compactor: {{data_dir: {folder}/compactor, sharding_ring: {ring}}}
distributor: {{ring: {ring}}}
ingester: {{ring: {{replication_factor: 1, {joined}}}}}
store_gateway: {{sharding_ring: {{replication_factor: 1, {joined}}}}}
ruler_storage: {{backend: filesystem, filesystem: {{dir: {folder}/rules}}}}
ruler: {{rule_path: {folder}/rule-files, poll_interval: 5s, ring: {ring}}}
alertmanager: {{data_dir: {folder}/alertmanager, sharding_ring: {ring}}}
memberlist: {{bind_addr: [127.0.0.1], bind_port: {gossip}, join_members: []}}
limits:
  out_of_order_time_window: 6h
  max_global_exemplars_per_user: 100000
  ruler_max_rules_per_rule_group: 0
  ruler_max_rule_groups_per_tenant: 0
usage_stats: {{enabled: false}}
activity_tracker: {{filepath: {folder}/activity.log}}
frontend: {{address: 127.0.0.1}}
query_scheduler: {{ring: {ring}}}
"""
_JOINED = "instance_addr: 127.0.0.1, kvstore: {store: inmemory}"


class Engine:
    """A store elsewhere, as one process with a folder of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder / name
        self.folder.mkdir()
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        if name == "mimir":
            config = MIMIR.format(
                http=self.port, grpc=free_port(), gossip=free_port(), folder=self.folder,
                ring=f"{{{_JOINED}}}", joined=_JOINED,
            )  # fmt: skip
            (self.folder / "mimir.yaml").write_text(config)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def write_url(self) -> str:
        return f"{self.url}/api/v1/{'push' if self.name == 'mimir' else 'write'}"

    @property
    def query_url(self) -> str:
        return f"{self.url}/prometheus" if self.name == "mimir" else self.url

    def start(self) -> None:
        command = (
            ["mimir", f"-config.file={self.folder}/mimir.yaml"]
            if self.name == "mimir"
            else [self.name, f"-storageDataPath={self.folder}/data", f"-httpListenAddr=127.0.0.1:{self.port}"]
        )
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        ready = f"{self.url}/{'ready' if self.name == 'mimir' else 'health'}"
        wait_for(lambda: answers(ready), START_SECONDS)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class Sender:
    """Prometheus as a stack with a copy has it, on loopback."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.port = folder, free_port()
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "rules").mkdir()
        text = prometheus.render(settings).partition("scrape_configs:")[0]
        (folder / "prometheus.yml").write_text(text.replace(prometheus.RULES, f"{folder}/rules"))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [
            "prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
            "--web.enable-otlp-receiver", "--enable-feature=exemplar-storage",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(lambda: answers(f"{self.url}/-/ready"), START_SECONDS)
        time.sleep(2)  # it sends on what is newer than its own start

    def push(self, first: int) -> int:
        """Write POINTS numbers, a second apart in time, each acknowledged; return what the next one is."""
        now = time.time_ns()
        for number in range(first, first + POINTS):
            at = now - (first + POINTS - number) * 10_000_000
            point = {"timeUnixNano": str(at), "asDouble": number}
            push(
                f"{self.url}/api/v1/otlp", "metrics", {"shop": [{"name": "written", "gauge": {"dataPoints": [point]}}]}
            )
        return first + POINTS

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def numbers(url: str, tenant: str = "") -> set[int]:
    """Return every number that a store has."""
    request = urllib.request.Request(f"{url}/api/v1/query?query=written%5B1h%5D")
    if tenant:
        request.add_header("X-Scope-OrgID", tenant)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            series = json.load(answer)["data"]["result"]
    except OSError:  # Mimir refuses queries for some seconds after its start
        return set()
    return {int(float(value)) for one in series for _, value in one["values"]}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not on PATH")
    found = shutil.which("prometheus")
    if found is None or major(found) < PROMETHEUS:
        pytest.skip("Prometheus 3 is not on PATH")
    made = Engine(request.param, tmp_path)
    yield made
    made.kill()


@pytest.fixture
def sender(engine: Engine, tmp_path: Path) -> Iterator[Sender]:
    metrics = {"writeUrl": engine.write_url, "queryUrl": engine.query_url, "tenant": TENANT}
    made = Sender(tmp_path, load("test", {"metrics": json.dumps(metrics)}))
    yield made
    made.kill()


def tenant(engine: Engine) -> str:
    return TENANT if engine.name == "mimir" else ""


def test_nothing_is_lost_while_the_other_store_is_away(engine: Engine, sender: Sender) -> None:
    engine.start()
    sender.start()
    following = sender.push(0)
    wait_for(lambda: len(numbers(engine.query_url, tenant(engine))) == following, COPIED_SECONDS)
    time.sleep(FLUSHED_SECONDS)
    engine.kill()
    following = sender.push(following)
    time.sleep(3)
    following = sender.push(following)
    engine.start()
    wait_for(lambda: len(numbers(engine.query_url, tenant(engine))) == following, COPIED_SECONDS)
    assert numbers(engine.query_url, tenant(engine)) == numbers(sender.url) == set(range(following))


def test_what_is_copied_survives_a_kill_of_prometheus(engine: Engine, sender: Sender) -> None:
    """What Prometheus had not sent when it was killed stays missing in the copy: it does not look back."""
    engine.start()
    sender.start()
    copied = sender.push(0)
    wait_for(lambda: len(numbers(engine.query_url, tenant(engine))) == copied, COPIED_SECONDS)
    sender.kill()
    sender.start()
    following = sender.push(copied)
    wait_for(lambda: len(numbers(engine.query_url, tenant(engine))) == following, COPIED_SECONDS)
    assert numbers(sender.url) == set(range(following))


def test_exemplars_and_native_histograms_are_copied(engine: Engine, sender: Sender) -> None:
    if engine.name != "mimir":
        pytest.skip("VictoriaMetrics stores no exemplars")
    engine.start()
    sender.start()
    now = str(time.time_ns())
    trace = "0af7651916cd43dd8448eb211c80319c"
    point = {
        "timeUnixNano": now, "startTimeUnixNano": now, "count": 3, "sum": 6, "scale": 0, "zeroCount": 0,
        "positive": {"offset": 0, "bucketCounts": [1, 2]},
        "exemplars": [{"timeUnixNano": now, "asDouble": 2.0, "traceId": trace, "spanId": "b7ad6b7169203331"}],
    }  # fmt: skip
    sent = {"name": "took", "exponentialHistogram": {"aggregationTemporality": 2, "dataPoints": [point]}}
    push(f"{sender.url}/api/v1/otlp", "metrics", {"shop": [sent]})
    request = f"{engine.query_url}/api/v1/query?query=histogram_count(took)"
    wait_for(lambda: _asked(request)["data"]["result"], COPIED_SECONDS)
    assert _asked(request)["data"]["result"][0]["value"][1] == "3"
    start = int(time.time()) - 600
    exemplars = f"{engine.query_url}/api/v1/query_exemplars?query=took&start={start}&end={start + 1200}"
    wait_for(lambda: trace in json.dumps(_asked(exemplars)), COPIED_SECONDS)


def _asked(url: str) -> dict[str, dict[str, list[dict[str, list[str]]]]]:
    request = urllib.request.Request(url, headers={"X-Scope-OrgID": TENANT})
    try:
        answer = urllib.request.urlopen(request, timeout=10)
    except OSError:  # as above
        return {"data": {"result": []}}
    with answer:
        found: dict[str, dict[str, list[dict[str, list[str]]]]] = json.load(answer)
    return found
