"""The stack's own Loki on a real S3 server: a new period, the old one readable, both processes killed."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from observability.configs import loki
from observability.settings import Settings, load
from tests.telemetry.conftest import Stores, answers, free_port, needed, wait_for

BUCKET: Final = "shop-logs"
SECRET: Final = "a-secret-key-of-a-test"
LINES: Final = 30
FOUND_SECONDS: Final = 60
DAY: Final = timedelta(days=1)


def settings_of(server: str, first_day: datetime, until: str = "") -> Settings:
    store = {"endpoint": server, "bucket": BUCKET, "user": "shop", "from": first_day.date().isoformat()}
    raw = {"logs": json.dumps({"objectStore": store | ({"until": until} if until else {})}), "logsPassword": SECRET}
    return load("dev", raw, frozenset({"logsPassword"}))


@contextmanager
def s3_server(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run an S3 server over a folder, whose folders are its buckets."""
    (folder / BUCKET).mkdir(parents=True, exist_ok=True)
    (folder.parent / "meta").mkdir(exist_ok=True)
    command = ["versitygw", "--access", "shop", "--secret", SECRET, "--port", f"127.0.0.1:{port}", "posix"]
    with (folder.parent / "s3.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--sidecar", str(folder.parent / "meta"), str(folder)], stdout=log, stderr=log
        )
    try:
        wait_for(lambda: _listens(port))
        yield process
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


class Lokis(Stores):
    """A Loki with its object store's credentials, whose configuration may change between two starts."""

    environment: Mapping[str, str]

    def start(self, name: str) -> None:
        secret = self.folder / "credentials"
        secret.write_text(loki.credentials(self.settings) or "")
        with pytest.MonkeyPatch.context() as patch:
            for key, value in loki.process(self.settings).environment.items():
                patch.setenv(key, value.replace(loki.OBJECT_STORE_FILE, str(secret)))
            super().start(name)

    def kill(self, name: str) -> None:
        """Kill a process as the kernel does that needs memory."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def push(self, text: str, when: datetime) -> None:
        """Send lines, and see them acknowledged."""
        start = int(when.timestamp()) * 10**9
        values = [[str(start + number), f"{text} {number}"] for number in range(LINES)]
        body = json.dumps({"streams": [{"stream": {"service_name": "shop"}, "values": values}]}).encode()
        url = f"http://127.0.0.1:{self.ports['loki']}/loki/api/v1/push"
        with urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"})) as answer:
            assert answer.status == 204

    def flush(self) -> None:
        """Write everything in memory to its store."""
        url = f"http://127.0.0.1:{self.ports['loki']}/flush"
        urllib.request.urlopen(urllib.request.Request(url, b"", method="POST")).close()

    def counted(self, name: str) -> float:
        """Return what Loki counts of itself."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['loki']}/metrics", timeout=10) as answer:
            rows = answer.read().decode().splitlines()
        return sum(float(row.rpartition(" ")[2]) for row in rows if row.startswith(name))

    def found(self, text: str) -> int:
        """Return how many lines there are of that text."""
        start = int((datetime.now(UTC) - 4 * DAY).timestamp())
        url = f"http://127.0.0.1:{self.ports['loki']}/loki/api/v1/query_range?limit=5000&start={start}&query="
        query = urllib.request.quote(f'{{service_name="shop"}} |= "{text}"')  # type: ignore[attr-defined]
        with urllib.request.urlopen(url + query, timeout=30) as answer:
            rows = json.loads(answer.read())["data"]["result"]
        return sum(len(row["values"]) for row in rows)


@dataclass
class Running:
    """Loki, its S3 server, and the folder of its bucket."""

    loki: Lokis
    server: str
    bucket: Path


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    needed("loki")
    if shutil.which("versitygw") is None:
        pytest.skip("versitygw, an S3 server, is not on PATH")
    port = free_port()
    server = f"http://127.0.0.1:{port}"
    lokis = Lokis(tmp_path, load("dev", {}))
    with s3_server(tmp_path / "s3", port):
        try:
            yield Running(lokis, server, tmp_path / "s3" / BUCKET)
        finally:
            for name in tuple(lokis.processes):
                lokis.kill(name)


def objects(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*") if path.is_file())


def test_old_lines_stay_readable_and_new_ones_are_in_the_bucket(running: Running) -> None:
    now = datetime.now(UTC)
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
    # The day of the change is behind us: Loki takes lines of a week, and so both periods have some.
    lokis = running.loki
    lokis.start("loki")
    lokis.push("before", noon - 2 * DAY)
    lokis.flush()
    lokis.stop("loki")
    assert objects(running.bucket) == 0

    lokis.settings = settings_of(running.server, now - DAY)
    lokis.start("loki")
    lokis.push("after", now - timedelta(seconds=30))
    lokis.flush()
    wait_for(lambda: objects(running.bucket) > 0, FOUND_SECONDS)
    assert (lokis.found("before"), lokis.found("after")) == (LINES, LINES)

    lokis.push("in memory", now - timedelta(seconds=20))
    lokis.kill("loki")
    lokis.start("loki")
    assert wait_for(lambda: lokis.found("in memory"), FOUND_SECONDS) == LINES
    assert (lokis.found("before"), lokis.found("after")) == (LINES, LINES)


def test_nothing_is_lost_while_the_s3_server_is_away(tmp_path: Path) -> None:
    needed("loki")
    if shutil.which("versitygw") is None:
        pytest.skip("versitygw, an S3 server, is not on PATH")
    port, now = free_port(), datetime.now(UTC)
    lokis = Lokis(tmp_path, settings_of(f"http://127.0.0.1:{port}", now - DAY))
    try:
        with s3_server(tmp_path / "s3", port):
            lokis.start("loki")
        lokis.push("server away", now - timedelta(seconds=30))
        lokis.flush()
        wait_for(lambda: lokis.counted("loki_ingester_chunks_flush_failures_total"), FOUND_SECONDS)
        lokis.kill("loki")
        with s3_server(tmp_path / "s3", port):
            lokis.start("loki")
            assert wait_for(lambda: lokis.found("server away"), FOUND_SECONDS) == LINES
            lokis.flush()
            wait_for(lambda: objects(tmp_path / "s3" / BUCKET) > 0, FOUND_SECONDS)
    finally:
        for name in tuple(lokis.processes):
            lokis.kill(name)


def test_until_is_the_way_back(running: Running) -> None:
    now = datetime.now(UTC)
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
    lokis = running.loki
    lokis.settings = settings_of(running.server, now - 3 * DAY, (now - DAY).date().isoformat())
    lokis.start("loki")
    lokis.push("in the bucket", noon - 2 * DAY)
    lokis.flush()
    wait_for(lambda: objects(running.bucket) > 0, FOUND_SECONDS)
    stored = objects(running.bucket)
    lokis.push("back on the volume", now - timedelta(seconds=30))
    lokis.flush()
    chunks = Path(lokis.folder) / "loki" / "chunks"
    wait_for(lambda: objects(chunks) > 0, FOUND_SECONDS)
    assert (lokis.found("in the bucket"), lokis.found("back on the volume")) == (LINES, LINES)
    lokis.stop("loki")
    lokis.start("loki")
    assert (lokis.found("in the bucket"), lokis.found("back on the volume")) == (LINES, LINES)
    assert objects(running.bucket) >= stored
    assert answers(f"http://127.0.0.1:{lokis.ports['loki']}/ready")
