"""Runs real libraries on loopback, sends each ten requests, and keeps what it shows: `python capture.py <folder>`.

`folder` holds what the library needs, installed by its own packager:

    flask, fastapi   a virtual environment in py/v: prometheus-flask-exporter prometheus-fastapi-instrumentator uvicorn
    node             npm install express express-prom-bundle prom-client, in node/
    go, caddy        go build of the programs below as go/shop and caddy/caddy

Of ten requests eight succeed, one of them after 0.7 s, and two fail. The files are named after library and version.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
PORT: Final = 18_345
REQUESTS: Final = ("/ok",) * 7 + ("/slow", "/bad", "/bad")

FLASK: Final = """
import sys, time
from flask import Flask
from prometheus_flask_exporter import PrometheusMetrics
app = Flask(__name__)
PrometheusMetrics(app)
@app.get("/ok")
def ok(): return "ok"
@app.get("/slow")
def slow(): time.sleep(0.7); return "ok"
@app.get("/bad")
def bad(): return "bad", 503
app.run("127.0.0.1", int(sys.argv[1]))
"""
FASTAPI: Final = """
import asyncio, sys, uvicorn
from fastapi import FastAPI, Response
from prometheus_fastapi_instrumentator import Instrumentator
app = FastAPI()
Instrumentator().instrument(app).expose(app)
@app.get("/ok")
async def ok(): return "ok"
@app.get("/slow")
async def slow(): await asyncio.sleep(0.7); return "ok"
@app.get("/bad")
async def bad(): return Response(status_code=503)
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
"""
NODE: Final = """
const app = require("express")();
app.use(require("express-prom-bundle")({ includeMethod: true, includePath: true }));
app.get("/ok", (_, answer) => answer.send("ok"));
app.get("/slow", (_, answer) => setTimeout(() => answer.send("ok"), 700));
app.get("/bad", (_, answer) => answer.status(503).send("bad"));
app.listen(Number(process.argv[2]), "127.0.0.1");
"""
GO: Final = """
package main

import (
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func main() {
	labels := []string{"code", "method"}
	requests := promauto.NewCounterVec(prometheus.CounterOpts{Name: "http_requests_total"}, labels)
	seconds := promauto.NewHistogramVec(prometheus.HistogramOpts{Name: "http_request_duration_seconds"}, labels)
	app := http.NewServeMux()
	app.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) })
	app.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(700 * time.Millisecond)
		w.WriteHeader(200)
	})
	app.HandleFunc("/bad", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	http.Handle("/metrics", promhttp.Handler())
	http.Handle("/", promhttp.InstrumentHandlerDuration(seconds, promhttp.InstrumentHandlerCounter(requests, app)))
	http.ListenAndServe("127.0.0.1:"+os.Args[1], nil)
}
"""
# The slow one is what it passes on to the Go program. Its metrics are at its administration's address, as by default.
CADDY: Final = """
{{
	admin 127.0.0.1:{admin}
	metrics
}}
http://127.0.0.1:{port} {{
	respond /ok 200
	respond /bad 503
	reverse_proxy /slow 127.0.0.1:{behind}
}}
"""
USUAL: Final = r"(go|process|python|nodejs|promhttp|flask_exporter|caddy_(admin|config))_"
"""What is no request of ours is left out."""


def run(library: str, folder: Path) -> tuple[list[list[str]], str]:
    """Return the commands that serve, the one with the metrics last, and the version."""
    port, behind = str(PORT), str(PORT + 1)
    python = folder / "py/v/bin/python"
    if library in ("flask", "fastapi"):
        name = {"flask": "prometheus-flask-exporter", "fastapi": "prometheus-fastapi-instrumentator"}[library]
        said = f"import importlib.metadata as m; print(m.version({name!r}))"
        version = subprocess.check_output([python, "-c", said], text=True).strip()
        return [[str(python), "-c", {"flask": FLASK, "fastapi": FASTAPI}[library], port]], f"{name}-{version}"
    if library == "node":
        said = 'console.log(require("express-prom-bundle/package.json").version)'
        version = subprocess.check_output(["node", "-p", said], text=True, cwd=folder / "node").split()[0]
        (folder / "node/app.js").write_text(NODE)
        return [["node", str(folder / "node/app.js"), port]], f"express-prom-bundle-{version}"
    module = {"go": "prometheus/client_golang", "caddy": "caddyserver/caddy/v2"}[library]
    binary = folder / {"go": "go/shop", "caddy": "caddy/caddy"}[library]
    modules = subprocess.check_output(["go", "version", "-m", binary], text=True)
    version = modules.partition(f"{module}\tv")[2].split()[0]
    if library == "go":
        return [[str(folder / "go/shop"), port]], f"client_golang-{version}"
    (folder / "Caddyfile").write_text(CADDY.format(port=port, behind=behind, admin=PORT + 2))
    caddy = [str(folder / "caddy/caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    return [[str(folder / "go/shop"), behind], caddy], f"caddy-{version}"


def ask(path: str, port: int = PORT) -> str:
    """Return the answer, whatever its status."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return str(answer.read(), "utf-8")
    except urllib.error.HTTPError as error:
        return str(error.read(), "utf-8")


def main() -> None:
    """Capture every library."""
    folder = Path(sys.argv[1]).resolve()
    for library in sys.argv[2:] or ("flask", "fastapi", "node", "go", "caddy"):
        commands, name = run(library, folder)
        shown = PORT + 2 if library == "caddy" else PORT
        running = [subprocess.Popen(c, env={**os.environ, "HOME": str(folder)}) for c in commands]
        try:
            for _ in range(300):
                try:
                    ask("/metrics", shown)
                    break
                except OSError:
                    time.sleep(0.1)
            for path in REQUESTS:
                ask(path)
            time.sleep(0.5)
            text = ask("/metrics", shown)
        finally:
            for process in running:
                process.terminate()
                process.wait()
        kept = [line for line in text.splitlines() if line and not re.match(rf"(# (HELP|TYPE) )?{USUAL}", line)]
        (FOLDER / f"{library}.{name}.txt").write_text("\n".join(kept) + "\n")
        print(library, name, len(kept), "lines")


if __name__ == "__main__":
    main()
