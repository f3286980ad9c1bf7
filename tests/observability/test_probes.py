"""Probes: what is accepted, what the blackbox exporter and Prometheus are asked, and what people see of them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from cli import probe_check
from cli.engine import Engine
from components.grafana_api import GrafanaApi
from dashboards.catalogue import dashboards
from observability import alerts, processes, rules, runbooks, topology
from observability.alerts.model import Alert
from observability.configs import blackbox, lines, prometheus
from observability.names import uids
from observability.settings import Settings, SettingsError, load

FRONT: dict[str, Any] = {
    "name": "front",
    "target": "https://shop.example.org/health?full=1",
    "objective": 99.9,
    "owner": "shop",
}
MAIL: dict[str, Any] = {
    "name": "mail",
    "type": "tcp",
    "target": "mail.example.org:465",
    "tls": {},
    "certificateDays": 30,
}
NAMES: dict[str, Any] = {
    "name": "names",
    "type": "dns",
    "target": "shop.example.org",
    "server": "1.1.1.1:53",
    "answer": "93[.]",
}
GATE: dict[str, Any] = {
    "name": "gate",
    "type": "icmp",
    "target": "10.0.0.1",
    "ipVersion": 6,
    "interval": "10s",
    "timeout": "10s",
}
EVERY = [FRONT, MAIL, NAMES, GATE]


def settings_of(*probes: dict[str, Any], **others: Any) -> Settings:  # noqa: ANN401 - raw configuration
    raw = {"probes": list(probes), **others}
    given = {key: value if isinstance(value, str) else json.dumps(value) for key, value in raw.items()}
    return load("test", given, frozenset({"scrapeSecrets"}))


def module(probe: dict[str, Any], **others: Any) -> dict[str, Any]:  # noqa: ANN401 - raw configuration
    document = yaml.safe_load(blackbox.render(settings_of(probe, **others)))
    found: dict[str, Any] = document["modules"][probe["name"]]
    return found


def jobs(settings: Settings) -> dict[str, dict[str, Any]]:
    return {job["job_name"]: job for job in yaml.safe_load(prometheus.render(settings))["scrape_configs"]}


def told(settings: Settings) -> list[Alert]:
    return [alert for group in alerts.groups(settings) for alert in group.alerts]


def test_a_stack_without_probes_has_nothing_of_them() -> None:
    plain = settings_of()
    assert topology.BLACKBOX.name not in plain.containers
    assert uids.PROBES not in {file.uid for file in dashboards(plain)}
    assert uids.PROBES not in next(file.json for file in dashboards(plain) if file.uid == uids.HOME)
    assert "certificate-expiring" not in runbooks.shown(plain)
    assert not [group for group in alerts.groups(plain) if group.name == "probes"]


def test_any_probe_brings_the_exporter() -> None:
    settings = settings_of(FRONT)
    assert topology.BLACKBOX.name in settings.containers
    assert topology.BLACKBOX.networks == ("applications",), "a redirect leads it to no part of the stack"
    process = processes.process(topology.BLACKBOX.name, settings)
    assert list(process.files) == [blackbox.FILE]
    assert blackbox.FILE in " ".join(process.checker)
    own = json.dumps(lines.of_containers(settings))
    assert "|blackbox)" in own, "its lines are those of one of the stack's own services"
    assert "blackbox" not in json.dumps(lines.of_containers(settings_of()))


def test_http() -> None:
    assert module(FRONT) == {
        "prober": "http",
        "timeout": "5s",
        "http": {
            "preferred_ip_protocol": "ip4",
            "method": "GET",
            "body_size_limit": "10MB",
            "fail_if_not_ssl": True,
        },
    }
    found = module({"name": "a", "target": "http://a/", "status": [301, 401], "contains": "sign in", "method": "post"})
    assert found["http"] | {"preferred_ip_protocol": "ip4"} == {
        "preferred_ip_protocol": "ip4",
        "method": "POST",
        "body_size_limit": "10MB",
        "valid_status_codes": [301, 401],
        "follow_redirects": False,
        "fail_if_body_not_matches_regexp": ["sign in"],
    }


def test_passwords_and_tokens_are_files() -> None:
    probe = {"name": "a", "target": "https://a/", "basicAuth": {"username": "u", "passwordSecret": "pass"}}
    secrets = {"pass": "a long secret text"}
    assert module(probe, scrapeSecrets=secrets)["http"]["basic_auth"] == {
        "username": "u",
        "password_file": "/run/observability/probe-pass",
    }
    token = {"name": "a", "target": "https://a/", "bearerTokenSecret": "pass"}
    settings = settings_of(token, scrapeSecrets=secrets)
    process = processes.process(topology.BLACKBOX.name, settings)
    assert list(process.secrets) == ["/run/observability/probe-pass"]
    assert "a long secret" not in json.dumps([dict(process.files), jobs(settings)])


def test_the_other_types() -> None:
    assert module(MAIL)["tcp"] == {"preferred_ip_protocol": "ip4", "tls": True}
    assert module({**MAIL, "tls": {"serverName": "mx"}})["tcp"]["tls_config"] == {"server_name": "mx"}
    assert module(NAMES)["dns"]["query_name"] == "shop.example.org"
    assert module(NAMES)["dns"]["validate_answer_rrs"] == {"fail_if_none_matches_regexp": ["93[.]"]}
    assert module({**NAMES, "answer": None})["dns"]["validate_answer_rrs"] == {"fail_if_none_matches_regexp": [".+"]}
    assert module(GATE) == {"prober": "icmp", "timeout": "10s", "icmp": {"preferred_ip_protocol": "ip6"}}


def test_prometheus_scrapes_the_exporter_and_names_the_target() -> None:
    settings = settings_of(*EVERY)
    for probe, address in zip(EVERY, (FRONT["target"], MAIL["target"], "1.1.1.1:53", GATE["target"]), strict=True):
        job = jobs(settings)[str(probe["name"])]
        assert job["metrics_path"] == "/probe"
        assert job["params"] == {"module": [probe["name"]], "target": [address]}
        assert job["static_configs"][0]["targets"] == ["blackbox:9115"]
        named = {rule["target_label"]: rule["replacement"] for rule in job["relabel_configs"] if "target_label" in rule}
        assert named == {"service": probe["name"], "instance": probe["target"]}
    assert jobs(settings)["front"]["scrape_timeout"] == "6s", "longer than the probe's own, so that a slow one fails"
    assert jobs(settings)["gate"]["scrape_timeout"] == "10s", "no longer than the interval"


def test_a_probe_is_a_service_with_one_objective() -> None:
    (group,) = yaml.safe_load(rules.render(settings_of(FRONT))["slo-front.yml"])["groups"]
    counted = [rule["expr"] for rule in group["rules"] if rule["labels"].get("slo") == "probe"]
    assert any('probe_success{service="front"}' in expr for expr in counted)
    mine = [alert for alert in told(settings_of(FRONT)) if alert.service == "front"]
    assert {alert.owner for alert in mine} == {"shop"}
    page = next(alert for alert in mine if alert.severity == "page")
    assert "of the last 5 minutes' probes were not good" in page.summary
    assert not [alert for alert in mine if alert.kind == "service-gone"], "whether probes are made is one alert of all"


def test_alerts_of_certificates_follow_what_has_one() -> None:
    found = [a for a in told(settings_of(*EVERY)) if a.kind == "certificate-expiring"]
    assert {(a.service, a.condition) for a in found} == {("front", "$days < 14"), ("mail", "$days < 30")}
    none = told(settings_of({**FRONT, "certificateDays": None}))
    assert not [a for a in none if a.kind == "certificate-expiring"]


@pytest.mark.parametrize(
    ("probe", "problem"),
    [
        ({"target": "shop"}, "target: a URL, like https://shop.example.org/health, because type is http"),
        ({"name": "Shop"}, "probes[0].name: 'Shop'"),
        ({"type": "tcp", "target": "shop"}, "target: host:port"),
        ({"type": "tcp", "target": "shop:1", "status": [200]}, "no status with type: tcp; it is for http only"),
        ({"type": "icmp", "target": "shop", "tls": {}}, "no tls with type: icmp; it is for http and tcp only"),
        ({"type": "dns", "target": "shop"}, "server, because type is dns"),
        ({"type": "dns", "target": "8.8.8.8", "server": "8.8.8.8:53"}, "target: the name to look up"),
        ({"target": "https://u:p@shop/"}, "use basicAuth with passwordSecret"),
        ({"target": "http://shop/", "certificateDays": 3}, "certificateDays: for a target with a certificate"),
        ({"target": "http://shop/", "tls": {}}, "target: an https URL, because tls is given"),
        ({"interval": "5s", "timeout": "10s"}, "timeout: at most the interval, 5s"),
        ({"interval": "2m"}, "probes[0].interval: '2m'"),
        ({"name": "prometheus"}, "a name that no other probe and no service has"),
        ({"name": "blackbox"}, "a name that no other probe and no service has"),
        ({"name": "shop"}, "a name that no other probe and no service has"),
        ({"name": "shop-tickets"}, "a name that no other probe and no service has"),
        ({"bearerTokenSecret": "tok"}, "probes[0].bearerTokenSecret: (hidden); accepted: the name of a secret"),
        ({"window": "1d"}, "probes[0].window: '1d'"),
        ({"type": "ftp"}, "probes[0].type: 'ftp'; accepted: http, tcp, dns or icmp"),
        ({"status": [99]}, "probes[0].status[0]: 99"),
        ({"contains": "("}, "probes[0].contains: '('"),
        ({"url": "https://shop/"}, "probes[0].url"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_is_refused(probe: dict[str, Any], problem: str) -> None:
    others = {"services": [{"name": "shop", "targets": ["shop:8000"]}]}
    with pytest.raises(SettingsError) as error:
        settings_of({"name": "front", "target": "https://shop.example.org/", **probe}, **others)
    assert problem in str(error.value)


def test_two_probes_need_two_names_and_content_alone_makes_none() -> None:
    with pytest.raises(SettingsError, match="no other probe"):
        settings_of(FRONT, {**MAIL, "name": "front"})
    with pytest.raises(SettingsError, match="a container makes the probes"):
        settings_of(FRONT, deploy="content")


class _Answers(GrafanaApi):
    """Grafana whose Prometheus has one value for some of the jobs."""

    def __init__(self, values: dict[str, float]) -> None:
        super().__init__("http://grafana", "token")
        self.values = values

    def request(self, method: str, path: str, body: Any = None) -> Any:  # noqa: ANN401, ARG002 - as its base
        expr = body["queries"][0]["expr"]
        value = next((v for job, v in self.values.items() if f'service="{job}"' in expr), None)
        fields = [{"name": "Time", "type": "time"}, {"name": "Value", "type": "number"}]
        answer = {"schema": {"fields": fields}, "data": {"values": [[0], [value]]}}
        frames = [] if value is None else [answer]
        ref = body["queries"][0]["refId"]
        return {"results": {ref: {"frames": frames}}}


def test_verify_tells_what_each_probe_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_check, "_INTERVALS", 0)
    settings = settings_of(FRONT, MAIL, NAMES)
    rows = list(probe_check.checks(_Answers({"front": 1, "mail": 0}), settings))
    assert [(part, name, passed) for part, name, passed, _ in rows] == [
        ("probe", "front", True),
        ("probe", "mail", True),
        ("probe", "names", False),
    ]
    assert "answers" in rows[0][3]
    assert "FAILS" in rows[1][3]
    assert "not probed" in rows[2][3]


def test_the_image_is_pulled_only_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    pulled: list[str] = []
    monkeypatch.setattr(Engine, "pull_image", lambda _self, reference, _hint: pulled.append(reference))
    engine = Engine.__new__(Engine)
    engine.pull(settings_of())
    assert not [name for name in pulled if "blackbox" in name]
    engine.pull(settings_of(FRONT))
    assert [name for name in pulled if "blackbox" in name]


def test_nothing_that_a_sender_can_set_tells_whose_probe_it_is() -> None:
    """A sender's `service.name` becomes the label job; only a scrape or a rule sets service."""
    settings = settings_of(FRONT)
    texts = [alert.queries.get("days", "") for alert in told(settings)]
    texts += [rules.render(settings)["slo-front.yml"]]
    texts += [file.json for file in dashboards(settings) if file.uid == uids.PROBES]
    read = [match for text in texts for match in re.findall(r"probe_\w+\{[^}]*\}", text.replace('\\"', '"'))]
    assert len(read) > 5
    assert all("service=" in selector and "job=" not in selector for selector in read)
