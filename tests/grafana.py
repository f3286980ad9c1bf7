"""A real Grafana as a process on loopback. It needs the binary on PATH and GRAFANA_HOME; without them tests skip."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from lab.preview import grafana_home
from tests.telemetry.conftest import free_port

PASSWORD: Final = "a-password-of-a-test-0123456789"
START_SECONDS: Final = 240


@dataclass
class Grafana:
    """A running Grafana."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Return the status and the JSON that the administrator gets; `Cookie` takes the place of the password."""
        login = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
        sent = {
            "Content-Type": "application/json",
            **({} if "Cookie" in headers else {"Authorization": f"Basic {login}"}),
        }
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, {**sent, **headers}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or "null")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON at a path."""
        status, answer = self.ask("GET", path)
        assert status == 200, (path, status, answer)
        return answer

    def log_in(self) -> str:
        """Return the cookie of a person's session."""
        body = json.dumps({"user": "admin", "password": PASSWORD}).encode()
        request = urllib.request.Request(f"{self.url}/login", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            cookies = answer.headers.get_all("Set-Cookie")
        return "; ".join(cookie.partition(";")[0] for cookie in cookies)


@contextmanager
def running(folder: Path, environment: Mapping[str, str], port: int | None = None) -> Iterator[Grafana]:
    """Yield a Grafana whose files are in `folder`, configured by environment variables alone."""
    home, binary = grafana_home(), shutil.which("grafana")
    if binary is None or not (home / "conf" / "defaults.ini").exists():
        pytest.skip("needs grafana on PATH, and GRAFANA_HOME")
    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "grafana.ini").touch()
    every = {
        **os.environ,
        "GF_PATHS_CONFIG": str(folder / "grafana.ini"),
        **{f"GF_PATHS_{name}": str(folder / name.lower()) for name in ("DATA", "LOGS", "PLUGINS", "PROVISIONING")},
        "GF_SERVER_HTTP_ADDR": "127.0.0.1",
        "GF_SERVER_HTTP_PORT": str(port),
        "GF_SECURITY_ADMIN_PASSWORD": PASSWORD,
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_PLUGINS_PREINSTALL_DISABLED": "true",
        "GF_LOG_LEVEL": "warn",
        **environment,
    }
    command = [binary, "server", f"--homepath={home}", f"--config={folder / 'grafana.ini'}"]
    with (folder / "grafana.log").open("ab") as log:
        process = subprocess.Popen(command, env=every, stdout=log, stderr=log)
    server = Grafana(port, process, folder / "grafana.log")
    try:
        _await(server)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(server: Grafana) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        end = server.log.read_text(errors="replace")[-3_000:]
        assert server.process.poll() is None, end
        assert time.monotonic() < deadline, end
        try:
            if server.ask("GET", "/api/health")[0] == 200:
                return
        except OSError:
            time.sleep(1)
