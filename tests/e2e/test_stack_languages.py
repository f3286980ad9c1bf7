"""What the README says joins an application: real ones in three languages, started by its very lines."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.sandbox import Sandbox
from observability.names import uids
from tests import readme
from tests.e2e.conftest import wait_for

APPLICATIONS = Path(__file__).parent / "applications"
AGENT = "io/opentelemetry/javaagent/opentelemetry-javaagent/2.21.0/opentelemetry-javaagent-2.21.0.jar"
PYTHON_AGENT = ("opentelemetry-distro==0.65b0", "opentelemetry-exporter-otlp==1.44.0")
"""Pinned: in the hours of a release its instrumentations are only partly on an index."""
MAVEN = os.environ.get("MAVEN_CENTRAL", "https://repo1.maven.org/maven2")
ROUTES = {"python": "/hello/<name>", "node": "/hello/:name", "java": "/hello/"}
WITH_LINES = {"python", "java"}
"""Node's instrumentation ships what its logging libraries write, not `console.log`."""


@dataclass(frozen=True)
class Application:
    """An application: its folder with all that it needs, the README's line that starts it, its port."""

    folder: Path
    command: str
    port: int
    path: str = ""


@pytest.fixture(scope="module")
def real(make_real: Callable[[str], Sandbox]) -> Iterator[Sandbox]:
    stack = make_real("e2e-languages")
    stack.configure(services=[{"name": f"shop-{language}", "otlp": True} for language in ROUTES])
    stack.up()
    yield stack
    stack.sweep()


def python(folder: Path) -> Application:
    venv = folder / "venv"
    run(folder, sys.executable, "-m", "venv", str(venv))
    pip = f"{venv}/bin/pip"
    run(folder, pip, "install", "-q", "flask", *PYTHON_AGENT)
    run(folder, f"{venv}/bin/opentelemetry-bootstrap", "-a", "install", path=f"{venv}/bin")
    run(folder, pip, "show", "opentelemetry-instrumentation-flask")  # bootstrap is silent about what it did not install
    command = readme.line(
        "OTEL_SEMCONV_STABILITY_OPT_IN=http opentelemetry-instrument --logs_exporter otlp python app.py"
    )
    return Application(folder, command, 18001, f"{venv}/bin")


def node(folder: Path) -> Application:
    run(folder, "npm", "init", "-y")
    run(folder, "npm", "install", "--silent", "express", "@opentelemetry/api",
        "@opentelemetry/auto-instrumentations-node")  # fmt: skip
    command = readme.line("node --require @opentelemetry/auto-instrumentations-node/register app.js")
    return Application(folder, command, 18002)


def java(folder: Path) -> Application:
    with urllib.request.urlopen(f"{MAVEN}/{AGENT}", timeout=120) as answer:
        (folder / "opentelemetry-javaagent.jar").write_bytes(answer.read())
    run(folder, "javac", "App.java")
    run(
        folder, "jar", "--create", "--file", "app.jar", "--main-class", "App", *(c.name for c in folder.glob("*.class"))
    )
    return Application(folder, readme.line("java -javaagent:opentelemetry-javaagent.jar -jar app.jar"), 18003)


def run(folder: Path, *command: str, path: str = "") -> None:
    environment = os.environ | ({"PATH": f"{path}{os.pathsep}{os.environ['PATH']}"} if path else {})
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


@contextmanager
def serving(real: Sandbox, language: str, application: Application) -> Iterator[None]:
    """Start it with the README's three variables, and nothing else."""
    environment = os.environ | {
        "OTEL_SERVICE_NAME": f"shop-{language}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": real.url("otlpHttp"),
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "PATH": f"{application.path}{os.pathsep}{os.environ['PATH']}",
    }
    with (application.folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", f"export E2E=yes; {application.command}"],
            cwd=application.folder, env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # Node's instrumentation catches the polite one, and the server stays
        process.wait(timeout=30)
        print((application.folder / "log").read_text(errors="replace")[-2_000:])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("language", "tool", "make"), [("python", "python3", python), ("node", "npm", node), ("java", "javac", java)]
)
def test_three_variables_and_one_line_join_it(
    real: Sandbox, tmp_path: Path, language: str, tool: str, make: Callable[[Path], Application]
) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"no {tool} on PATH")
    for file in APPLICATIONS.iterdir():
        shutil.copy(file, tmp_path)
    application = make(tmp_path)
    with serving(real, language, application):
        wait_for(lambda: asked(application.port, "a"), 90)
        for number in range(40):
            asked(application.port, "bad" if number % 4 == 0 else "a")
        name = f"shop-{language}"
        counted = f'http_server_request_duration_seconds_count{{service_name="{name}"}}'
        rows = wait_for(lambda: metric(real, counted), 120)
        assert {"200", "500"} <= {row["http_response_status_code"] for row in rows}
        assert ROUTES[language] in {row.get("http_route") for row in rows}, rows
        wait_for(lambda: metric(real, f'service:http_requests:rate5m{{service="{name}"}}'), 180)
        assert wait_for(lambda: traces(real, name), 60)
        if language in WITH_LINES:
            assert wait_for(lambda: lines(real, name), 60)


def asked(port: int, name: str) -> bool:
    """Send a request; return whether there was any answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/hello/{name}", timeout=5):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except OSError:
        return False


def metric(real: Sandbox, expr: str) -> list[dict[str, str]]:
    path = f"/api/datasources/proxy/uid/{uids.DATASOURCE_PROMETHEUS}/api/v1/query?query={urllib.parse.quote(expr)}"
    return [row["metric"] for row in real.grafana().request("GET", path)["data"]["result"]]


def traces(real: Sandbox, service: str) -> int:
    path = f"/api/datasources/proxy/uid/{uids.DATASOURCE_JAEGER}/api/traces?service={service}&lookback=1h"
    return len(real.grafana().request("GET", path)["data"])


def lines(real: Sandbox, service: str) -> int:
    query = urllib.parse.quote(f'{{service_name="{service}"}} |= "hello" | trace_id != ""')
    path = f"/api/datasources/proxy/uid/{uids.DATASOURCE_LOKI}/loki/api/v1/query_range?query={query}"
    return len(real.grafana().request("GET", path)["data"]["result"])
