"""What masking of secrets costs: the collector's processor time with it, over that without it, for the same lines."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Final

import yaml

from cli import otlp
from observability.configs import collector
from observability.settings import load

BINARY: Final = "otelcol-contrib"
PUSHES, LINES = 60, 250
_LINES: Final = {
    "JSON": '{"level":"info","msg":"paid","path":"/orders","customer":"c-4711","amount":"12.50","ms":12}',
    "plain text": '10.1.2.3 - - [27/Nov/2026:01:02:03 +0000] "GET /orders?page=2 HTTP/1.1" 200 512 "-" "curl/8.5"',
}
_START_SECONDS: Final = 60
GOAL: Final = 2.0

Row = tuple[str, str, str, str, str, str]


def rows(folder: Path) -> list[Row]:
    """Return a row for each kind of line; one that says so where the collector's binary is missing."""
    if shutil.which(BINARY) is None:
        return [("lines, redaction", "no redaction", f"{BINARY} is not on PATH", "", "", "")]
    result = []
    for kind, line in _LINES.items():
        masked, plain = (_Collector(folder, redaction=redaction) for redaction in (True, False))
        try:
            for running in (masked, plain):
                running.wait()
            before = masked.cpu(), plain.cpu()
            for _ in range(PUSHES):  # in turns: what else runs here slows both
                for running in (masked, plain):
                    running.push(line)
            time.sleep(2)
            this, that = masked.cpu() - before[0], plain.cpu() - before[1]
        finally:
            masked.stop()
            plain.stop()
        count = PUSHES * LINES
        figures = (f"{this:.2f} s of CPU", f"{that:.2f} s", f"{this / that:.2f}", f"at most {GOAL:g}")
        result.append((f"{count:,} {kind} lines, redaction", "no redaction", *figures))
    return result


class _Collector:
    """A collector process whose logs end in nothing."""

    def __init__(self, folder: Path, *, redaction: bool) -> None:
        self.port = _free_port()
        settings = load("dev", {"redaction": str(redaction).lower(), "dockerSocket": ""})
        path = folder / f"redaction-{self.port}.yaml"
        path.write_text(yaml.safe_dump(_only_logs(yaml.safe_load(collector.render(settings)), self.port)))
        self.process = subprocess.Popen(  # noqa: S603 - the collector, with a file of ours
            [BINARY, f"--config={path}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def wait(self) -> None:
        """Wait until it takes lines."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                return self.push("ready?")
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def push(self, line: str) -> None:
        """Push the same line many times in one request."""
        otlp.push(f"http://127.0.0.1:{self.port}", "records", {"bench": [otlp.record(line) for _ in range(LINES)]})

    def cpu(self) -> float:
        """Return its processor time in seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)


def _only_logs(document: dict[str, Any], port: int) -> dict[str, Any]:
    """Return the configuration with the pipelines of pushed lines alone."""
    pipelines = {name: document["service"]["pipelines"][name] for name in ("logs", "logs/refused", "logs/accepted")}
    for name in ("logs/refused", "logs/accepted"):
        pipelines[name]["exporters"] = ["debug"]
    used = {part for pipeline in pipelines.values() for part in pipeline["processors"]}
    return {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
        "processors": {name: value for name, value in document["processors"].items() if name in used},
        "connectors": {"routing/logs": document["connectors"]["routing/logs"]},
        "exporters": {"debug": {"verbosity": "basic"}},
        "service": {"pipelines": pipelines, "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "error"}}},
    }


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
