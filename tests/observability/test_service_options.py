"""What a service may have of its own: another name in its telemetry, scrape options, another unit, no SLO at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from observability import alerts, rules
from observability.alerts.links import alert_annotations
from observability.configs import prometheus
from observability.names import series
from observability.rules import slo
from observability.settings import LatencySlo, MetricNames, Settings, WatchedService, load
from tests.observability.rules.conftest import Promtool
from tests.observability.test_settings_properties import check_config
from tests.pem import self_signed

if TYPE_CHECKING:
    from pathlib import Path

CERTIFICATE, KEY = self_signed("node.example.org")
SECRETS = {"password": "hunter2-correct", "token": "horse-battery-staple", "key": KEY}


def settings(*services: dict[str, object]) -> Settings:
    raw = {"services": json.dumps(services), "scrapeSecrets": json.dumps(SECRETS)}
    return load("dev", raw, frozenset({"scrapeSecrets"}))


def jobs(given: Settings) -> dict[str, Any]:
    return {job["job_name"]: job for job in yaml.safe_load(prometheus.render(given))["scrape_configs"]}


def kinds(given: Settings, service: str) -> set[str]:
    return {a.kind for group in alerts.groups(given) for a in group.alerts if a.service == service}


EXPORTER: dict[str, object] = {"name": "node", "targets": ["n:9100"], "availability": None, "latency": None}


def test_an_exporter_is_scraped_and_quiet() -> None:
    given = settings(EXPORTER, {"name": "shop", "targets": ["s:1"]})
    assert "node" in jobs(given)
    assert kinds(given, "node") == {"service-gone", "target-down"}
    assert "service-uncounted" in kinds(given, "shop")
    assert "slo-node.yml" not in rules.render(given)
    pushes = settings({"name": "job", "otlp": True, "availability": None, "latency": None})
    assert kinds(pushes, "job") == set()


def test_a_service_with_slos_of_its_own_needs_no_requests() -> None:
    own = {"name": "x", "objective": 99, "good": "a_total", "total": "b_total"}
    given = settings(EXPORTER | {"slos": [own]})
    assert "service-uncounted" not in kinds(given, "node")
    assert "slo-node.yml" in rules.render(given)


@pytest.mark.parametrize("name", ["Shop.Checkout", "cart_api", "shop/checkout", "🙂"])
@pytest.mark.parametrize("otlp", [True, False])
def test_the_name_in_the_telemetry_is_used_alike(name: str, *, otlp: bool) -> None:
    how: dict[str, object] = {"otlp": True} if otlp else {"targets": ["a:1"]}
    given = settings({"name": "checkout", "serviceName": name, **how})
    label = "service_name" if otlp else "service"
    assert given.services[0].matchers == f'{label}="{name}"'
    rendered = rules.render(given)["slo-checkout.yml"]
    assert f'{label}="{name}"' in "".join(yaml.safe_load(rendered)["groups"][0]["rules"][0]["expr"])
    alert = next(a for group in alerts.groups(given) for a in group.alerts if a.service == "checkout")
    links = alert_annotations(alert, given)
    assert json.dumps(name)[1:-1] in unquoted(links["logs_url"])
    assert json.dumps(name)[1:-1] in unquoted(links["traces_url"])
    assert "var-service=checkout" in links["service_url"]
    if not otlp:
        assert jobs(given)["checkout"]["static_configs"][0]["labels"]["service"] == name


def unquoted(url: str) -> str:
    from urllib.parse import unquote  # noqa: PLC0415

    return unquote(url).replace("\\\\", "\\")


def test_scrape_options(promtool: str, tmp_path: Path) -> None:
    basic = EXPORTER | {
        "scrapeInterval": "2m",
        "scrapeTimeout": "20s",
        "params": {"module": ["http_2xx"], "target": "https://example.org"},
        "basicAuth": {"username": "me", "passwordSecret": "password"},
        "targetLabels": {"price": "$1"},
    }
    tls = {"ca": CERTIFICATE, "certificate": CERTIFICATE, "keySecret": "key", "serverName": "node.example.org"}
    bearer = EXPORTER | {"name": "pg", "scheme": "https", "bearerTokenSecret": "token", "tls": tls}
    given = settings(basic, bearer)
    node, postgres = jobs(given)["node"], jobs(given)["pg"]
    assert (node["scrape_interval"], node["scrape_timeout"]) == ("2m", "20s")
    assert node["params"] == {"module": ["http_2xx"], "target": ["https://example.org"]}
    assert node["basic_auth"] == {"username": "me", "password_file": "/run/observability/scrape-password"}
    assert {"target_label": "price", "replacement": "$$1"} in node["relabel_configs"]
    assert postgres["authorization"] == {"type": "Bearer", "credentials_file": "/run/observability/scrape-token"}
    assert postgres["tls_config"] == {
        "ca_file": "/etc/observability/scrape-pg-ca.crt",
        "cert_file": "/etc/observability/scrape-pg-client.crt",
        "key_file": "/run/observability/scrape-key",
        "server_name": "node.example.org",
    }
    process = prometheus.process(given, {})
    assert set(process.checker_stand_ins) == {f"/run/observability/scrape-{name}" for name in SECRETS}
    assert all(secret not in "".join(process.files.values()) for secret in SECRETS.values())
    done = check_config(Promtool(promtool, tmp_path), given)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_histogram_in_milliseconds_is_recorded_in_seconds(promtool: str, tmp_path: Path) -> None:
    service = WatchedService(
        name="checkout",
        metrics=MetricNames(duration="x_ms", unit="milliseconds"),
        availability=None,
        latency=LatencySlo(threshold="300ms"),
    )
    own = 'service="checkout"'
    observed = {"5.0": 10, "50.0": 20, "300.0": 95, "2500.0": 99, "1e+06": 100, "+Inf": 100}
    given = {f'x_ms_bucket{{{own}, le="{le}"}}': f"0+{count}x30" for le, count in observed.items()}
    given |= {f"x_ms_count{{{own}}}": "0+100x30", f"x_ms_sum{{{own}}}": "0+60000x30"}
    bucket = f"sum by (le) ({series.DURATION_BUCKET} * 60)"
    Promtool(promtool, tmp_path).evaluate(
        slo.group(service, "1m"),
        given,
        [
            ("30m", f"sum(round({bucket}))", 424.0),
            *(
                ("30m", f'sum(round({series.DURATION_BUCKET}{{le="{le}"}} * 60))', float(count))
                for le, count in {
                    "0.0050": 10,
                    "0.0500": 20,
                    "0.3000": 95,
                    "2.5000": 99,
                    "1e+03": 100,
                    "+Inf": 100,
                }.items()
            ),
            ("30m", f"round({series.DURATION_MEAN}, 0.001)", 0.6),
            ("30m", f"round(sum({series.LATENCY_5M}), 0.0001)", 0.95),
            ("30m", f"sum({series.DURATION_P50} < bool 0.3)", 1.0),
        ],
    )
