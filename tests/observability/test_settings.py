"""Bad settings stop the program before anything exists, all of them at once, and no secret is ever shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from observability.configs import prometheus
from observability.settings import LabelNames, Settings, SettingsError, field_of, load, milliseconds, secret_keys
from observability.settings.secret_rules import PLAIN_OUTSIDE_PRODUCTION
from tests.pem import self_signed

ROOT = Path(__file__).parents[2]
STRONG = "a-long-enough-secret-0123"


def problems(raw: dict[str, str], secret: frozenset[str] = frozenset(), stack: str = "dev") -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(stack, raw, secret)
    return caught.value.problems


def custom(**fields: object) -> str:
    """Return a service with one SLO of its own."""
    slo = {"name": "b", "objective": 99, "good": "x_total", "total": "x_total"} | fields
    return json.dumps([{"name": "a", "targets": ["a:1"], "slos": [slo]}])


def scraped(**fields: object) -> str:
    """Return one service with a target and these fields."""
    return json.dumps([{"name": "a", "targets": ["a:1"], **fields}])


def test_defaults_are_the_promised_ones() -> None:
    settings = load("dev", {})
    assert [settings.port(n) for n in ("grafana", "prometheus", "loki", "jaeger", "otlpGrpc", "otlpHttp")] == [
        3000, 9090, 3100, 16686, 4317, 4318,
    ]  # fmt: skip
    assert settings.bind_address == "127.0.0.1"
    assert settings.grafana_theme == "dark"
    assert milliseconds(settings.prometheus_retention) >= 35 * 86_400_000


@pytest.mark.parametrize(
    ("key", "value", "accepted"),
    [
        ("portOffset", "abc", "a whole number"),
        ("portOffset", "-1", "a whole number from 0 to 50000"),
        ("dashboardsEditable", "maybe", "true or false"),
        ("grafanaRootUrl", "grafana.example.org", "a URL with its scheme"),
        ("grafanaTheme", "pink", "dark, light or system"),
        ("smtpHost", "mail", "host:port"),
        ("smtpStartTls", "yes", "OpportunisticStartTLS, MandatoryStartTLS or NoStartTLS"),
        ("scrapeInterval", "soon", "a duration"),
        ("scrapeInterval", "0s", "a duration from 1s to 1m"),
        ("scrapeInterval", "2m", "a duration from 1s to 1m"),
        ("ruleInterval", "10m", "a duration from 1s to 5m"),
        ("prometheusRetention", "30d", "a duration from 35d"),
        ("prometheusRetentionSize", "lots", "a whole number with MB, GB or TB"),
        ("lokiRetention", "90m", "a duration from 24h"),
        ("bindAddress", "everywhere", "an IP address"),
        ("publishReason", "two\nlines", "text without line breaks"),
        ("limits", '{"grafana": {"memory": 1, "cpus": 1}}', "a whole number from 64"),
        ("limits", '{"nginx": {"memory": 100, "cpus": 1}}', "grafana, prometheus, loki, jaeger"),
        ("ports", '{"grafana": 4318}', "a port of its own"),
        ("ports", '{"web": 80}', "grafana, otlpGrpc, otlpHttp"),
        ("owner", "", "1 to 64 letters"),
        ("alertEmail", '["nobody"]', "an e-mail address"),
        ("alertWebhookUrl", "hooks.example.org", "a URL with its scheme"),
        ("ticketQuietHours", '{"start": "18:00"}', "start and end together"),
        ("ticketQuietHours", '{"start": "18:00", "end": "24:00"}', "a time of day"),
        ("ticketQuietHours", '{"weekdays": ["someday"]}', "monday, tuesday"),
        ("ticketQuietHours", '{"timezone": "Mars/Olympus"}', "a time zone's name"),
        ("runbookBaseUrl", "docs/runbooks", "a URL with its scheme"),
        ("services", "{}", "a list"),
        ("services", '[{"name": "No"}]', "lower-case letters"),
        ("services", '[{"name": "a", "targets": ["nowhere"]}]', "host:port"),
        ("services", scraped(selector="service="), "PromQL label matchers"),
        (
            "services",
            '[{"name": "a", "targets": ["a:1"], "availability": {"objective": 100}}]',
            "above 0 and below 100",
        ),
        (
            "services",
            '[{"name": "a", "targets": ["a:1"], "availability": {"window": "60d"}}]',
            "at most prometheusRetention",
        ),
        ("services", scraped(latency={"threshold": "fast"}), "a duration"),
        ("services", scraped(errors="("), "a regular expression"),
        (
            "services",
            '[{"name": "a", "targets": ["a:1"]}, {"name": "a", "targets": ["a:1"]}]',
            "a name that no other service has",
        ),
        ("services", '[{"name": "loki"}]', "a name that no other service has"),
        ("services", scraped(colour="red"), "unknown field"),
        ("services", '[{"name": "a", "otlp": true, "targets": ["a:1"]}]', "false where there is something to scrape"),
        ("services", '[{"name": "a", "otlp": true, "labels": "x"}]', "an object with named fields"),
        (
            "services",
            '[{"name": "a", "targets": ["a:1"], "labels": {"endpoint": "method", "method": "endpoint"}}]',
            "swapped in a circle",
        ),
        ("services", scraped(buckets=[0.25, 0.5]), "one of its buckets, 0.25s, 0.5s"),
        ("services", scraped(latency={"histogram": "sparse"}), "classic or native"),
        (
            "services",
            '[{"name": "a", "targets": ["a:1"], "availability": {"runbook": "docs/a.md"}}]',
            "a URL with its scheme",
        ),
        (
            "services",
            '[{"name": "a", "targets": ["a:1"], "availability": {"owner": "\\n"}}]',
            "text without line breaks",
        ),
        ("services", custom(name="B"), "lower-case letters"),
        ("services", custom(name="latency"), "a name that no other SLO here has"),
        ("services", custom(objective=100), "above 0 and below 100"),
        ("services", custom(objective=0), "above 0 and below 100"),
        ("services", custom(window="41d"), "at most prometheusRetention"),
        ("services", custom(good="sum(rate(x[5m])"), "PromQL for events per second"),
        ("services", custom(good="sum(rate(x[5m]))!"), "PromQL for events per second"),
        ("services", custom(total="rate(x)"), "PromQL for events per second"),
        ("services", custom(total="x_total[5m]"), "PromQL that gives an instant vector"),
        ("services", custom(total="-(x_total[1h:5m])"), "PromQL"),
        ("services", custom(total="time() / 2"), "PromQL that gives an instant vector"),
        ("services", custom(total="'x'"), "PromQL that gives an instant vector"),
    ],
)
def test_a_bad_value_is_named_with_what_is_accepted(key: str, value: str, accepted: str) -> None:
    result = problems({key: value})[0]
    assert result.startswith(key), result
    assert accepted in result


def test_every_problem_is_listed_at_once() -> None:
    result = problems({"portOffset": "x", "grafanaTheme": "pink", "nonsense": "1", "grafanaRootUrl": "x"})
    assert len(result) == 4
    result = problems({"grafanaTheme": "pink", "smtpUser": "me"})  # the second needs two settings to see
    assert [f.split(":")[0] for f in result] == ["grafanaTheme", "smtpPassword"]


def test_an_unknown_key_names_its_nearest() -> None:
    (result,) = problems({"watchStak": "true"})
    assert "watchStack" in result


def test_a_port_used_twice_is_refused_whatever_moves_it() -> None:
    (result,) = problems({"ports": '{"otlpHttp": 3000}'})
    assert "grafana has this one" in result
    (result,) = problems({"portOffset": "50000", "addresses": '{"jaeger": "127.0.0.1"}'})
    assert result.startswith("portOffset: 50000")
    assert "jaeger" in result


def test_ports_that_others_reach_need_a_reason() -> None:
    https = {"grafanaRootUrl": "https://grafana.example.org/"}
    for address in ("0.0.0.0", "10.1.2.3", "::"):  # noqa: S104 - what is refused
        with pytest.raises(SettingsError) as stop:
            load("dev", https | {"bindAddress": address})
        why = f"grafana is published on {address}"
        expected = f"publishReason: ''; accepted: why others should reach the ports, because {why}"
        assert stop.value.problems == (expected,)
        raw = https | {"bindAddress": address, "publishReason": "the office"}
        assert load("dev", raw).publish_reason == "the office"
    for address in ("127.0.0.1", "127.1.2.3", "::1"):
        assert load("dev", {"bindAddress": address}).bind_address == address


def test_production_needs_strong_secrets() -> None:
    result = problems({"production": "true"}, stack="prod")
    assert [f.split(":")[0] for f in result] == ["grafanaAdminPassword", "grafanaSecretKey"]
    weak = {"production": "true", "grafanaAdminPassword": "hunter2", "grafanaSecretKey": STRONG}
    (found_weak,) = problems(weak, frozenset(weak), stack="prod")
    assert "at least 16 characters" in found_weak
    assert load("prod", weak | {"grafanaAdminPassword": STRONG}, frozenset(weak)).production


CERTIFICATE, KEY = self_signed("127.0.0.1", "*.example.org")
TLS = {"tlsCertificate": CERTIFICATE, "tlsKey": KEY}
OAUTH = '{"clientId": "g", "authUrl": "https://id.example.org/a", "tokenUrl": "https://id.example.org/t"}'


def content_alone(user_of: str = "") -> dict[str, str]:
    """Return settings of content alone; the store of `user_of` asks for a password."""
    stores = {
        signal: json.dumps(
            {"queryUrl": f"https://{signal}.example.org"} | ({"user": "me"} if signal == user_of else {})
        )
        for signal in ("metrics", "logs", "traces")
    }
    token = {} if user_of == "" else {"grafanaToken": "a-token-of-a-service-account"}
    return {"deploy": "content", "grafanaUrl": "https://grafana.example.org", **stores, **token}


NEEDED = {
    "smtpPassword": {"smtpHost": "mail:25"},
    "tlsKey": {"tlsCertificate": CERTIFICATE},
    "oauthClientSecret": {"oauth": OAUTH},
    "metricsPassword": {"metrics": '{"writeUrl": "https://metrics.example.org/push", "user": "me"}'},
    "grafanaToken": content_alone(),
    "otlpTokens": {"otlpSenders": '{"a": []}'},
    "logsPassword": content_alone("logs"),
    "tracesPassword": content_alone("traces"),
}
"""What some secrets are no use without."""


@pytest.mark.parametrize("key", sorted({*secret_keys()} - PLAIN_OUTSIDE_PRODUCTION))
def test_a_secret_in_plain_text_is_refused_and_never_echoed(key: str) -> None:
    # Some of them are URLs.
    value = KEY if key == "tlsKey" else "https://hooks.example.org/correct-horse-battery-staple"
    value = json.dumps({"a": value}) if key in {"scrapeSecrets", "ownSecrets", "otlpTokens"} else value
    others = NEEDED.get(key, {})
    result = problems({key: value, **others, "portOffset": "x"})
    assert any("plain text" in f for f in result)
    assert value not in "".join(result)
    assert all(value not in f for f in problems({key: "x\n" + value[1:], **others}, frozenset({key})))
    settings = load("dev", {key: value, **others}, frozenset({key, "grafanaToken"}))
    assert value not in repr(settings)
    assert value not in str(settings)


def test_common_passwords_are_refused_everywhere() -> None:
    (result,) = problems({"grafanaAdminPassword": "password"}, frozenset({"grafanaAdminPassword"}))
    assert "(hidden)" in result


def test_smtp_needs_its_password_and_its_host() -> None:
    assert "because alertEmail is set" in problems({"alertEmail": '["a@example.org"]'})[0]
    assert "smtpPassword" in problems({"smtpHost": "mail:25", "smtpUser": "me"})[0]
    assert "smtpHost" in problems({"smtpPassword": STRONG}, frozenset({"smtpPassword"}))[0]


def test_a_certificate_is_tried_before_it_is_used() -> None:
    secret = frozenset({"tlsKey"})
    assert load("dev", TLS, secret).address("grafana") == "https://127.0.0.1:3000"
    assert load("dev", TLS, secret).address("loki") == "http://127.0.0.1:3100"
    assert load("dev", TLS | {"grafanaRootUrl": "https://grafana.example.org/"}, secret)
    cases = {
        "tlsKey: missing": {"tlsCertificate": CERTIFICATE},
        "tlsCertificate: missing": {"tlsCaCertificate": CERTIFICATE},
        "tlsCertificate: 'x'": TLS | {"tlsCertificate": "x"},
        "tlsKey: (hidden); accepted: the key that": TLS | {"tlsKey": self_signed("127.0.0.1")[1]},
        "tlsKey: (hidden); accepted: a private key as PEM": TLS | {"tlsKey": "x"},
    }
    for wanted, given in cases.items():
        assert problems(given, secret)[0].startswith(wanted), wanted
    (result,) = problems(TLS | {"accessHost": "grafana.internal"}, secret)
    assert "made out to *.example.org, 127.0.0.1; accepted: one that is made out to grafana.internal too" in result
    (result,) = problems(TLS | {"grafanaRootUrl": "https://a.b.example.org/"}, secret)
    assert "a.b.example.org" in result
    old = dict(zip(("tlsCertificate", "tlsKey"), self_signed("127.0.0.1", days=0), strict=True))
    assert "accepted: one that is valid now" in problems(old, secret)[0]


def test_single_sign_on_is_whole_or_not_there() -> None:
    assert not load("dev", {"oauth": "{}"}).oauth
    assert load("dev", {"oauth": OAUTH}).oauth
    assert "clientId, authUrl and tokenUrl together" in problems({"oauth": '{"clientId": "x"}'})[0]
    assert "unknown field" in problems({"oauth": '{"clientSecret": "x"}'})[0]
    assert problems({"oauth": OAUTH[:-1] + ', "usePkce": false}'})[0].startswith("oauthClientSecret: missing")
    secret = frozenset({"oauthClientSecret"})
    assert problems({"oauthClientSecret": STRONG}, secret)[0].startswith("oauth: missing")


def test_settings_are_frozen() -> None:
    settings = load("dev", {})
    with pytest.raises(ValueError, match="frozen"):
        settings.port_offset = 3  # type: ignore[misc]


def test_a_service_is_a_few_lines() -> None:
    settings = load("dev", {"services": '[{"name": "checkout", "targets": ["checkout:8000"]}]'})
    (service,) = settings.services
    assert service.matchers == 'service="checkout"'
    assert service.availability is not None
    assert service.latency is not None
    assert (service.availability.objective, service.availability.window) == (99.5, "30d")
    assert (service.latency.objective, service.latency.threshold, service.latency.window) == (99.0, "300ms", "7d")


def test_a_problem_of_an_slo_names_its_place() -> None:
    (result,) = problems({"services": custom(good="sum(")})
    assert result.startswith("services[0].slos[0].good: 'sum('; accepted: PromQL")
    twice = json.loads(custom())
    twice[0]["slos"] *= 2
    (result,) = problems({"services": json.dumps(twice)})
    assert result.startswith("services[0].slos[1].name: 'b'; accepted:")


def test_every_slo_has_its_name_and_its_owner() -> None:
    (service,) = json.loads(custom(owner="orders", alerting=False))
    (read,) = load("dev", {"services": json.dumps([service | {"owner": "shop", "latency": None}])}).services
    assert {name: (slo.owner, slo.alerting) for name, slo in read.slo_by_name.items()} == {
        "availability": ("shop", True),
        "b": ("orders", False),
    }


@pytest.mark.parametrize(
    "total", ["x_total", "sum by (a) (rate(x_total[5m])) # all", "1 + x:rate5m", "-x + y", "(vector(1))"]
)
def test_events_are_a_counter_or_any_instant_vector(total: str) -> None:
    (service,) = load("dev", {"services": custom(total=total)}).services
    assert service.slos[0].total == total


def test_a_native_histogram_needs_no_bucket() -> None:
    service: dict[str, object] = {
        "name": "a",
        "targets": ["a:1"],
        "buckets": [0.25],
        "latency": {"histogram": "native"},
    }
    assert load("dev", {"services": json.dumps([service])}).services
    service["latency"] = {"threshold": "250ms"}
    assert load("dev", {"services": json.dumps([service])}).services


def schema() -> dict[str, dict[str, Any]]:
    config: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    return config


def test_the_schema_in_pulumi_yaml_is_the_settings() -> None:
    fields = {f.alias or n: f for n, f in Settings.model_fields.items() if not f.exclude}
    assert list(schema()) == list(fields)
    for key, entry in schema().items():
        assert entry["description"] == fields[key].description, key
        assert field_of(key) is not None
        if entry["type"] in {"string", "boolean", "integer"}:
            expected = "" if key in secret_keys() else fields[key].default
            assert entry["default"] == expected, key
        if key in secret_keys():
            assert entry["description"].startswith("Secret.")


def test_the_defaults_of_the_schema_are_accepted() -> None:
    raw = {k: e["default"] if isinstance(e["default"], str) else json.dumps(e["default"]) for k, e in schema().items()}
    assert load("dev", raw) == load("dev", {})


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_environments_hold_only_what_differs(stack: str) -> None:
    document = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())
    for key, value in document["config"].items():
        namespace, _, name = key.partition(":")
        assert namespace == "observability"
        assert value != schema()[name]["default"], f"{name} repeats its default"


def test_environments_share_a_host() -> None:
    used: dict[int, str] = {}
    for stack in ("dev", "staging", "prod"):
        document = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
        raw = {k.partition(":")[2]: v if isinstance(v, str) else json.dumps(v) for k, v in document.items()}
        raw |= {"grafanaAdminPassword": STRONG, "grafanaSecretKey": STRONG}
        settings = load(stack, raw, frozenset(secret_keys()))
        for name in ("grafana", "prometheus", "loki", "jaeger", "otlpGrpc", "otlpHttp"):
            assert used.setdefault(settings.port(name), stack) == stack


def test_a_service_that_pushes_is_one_line() -> None:
    given = '[{"name": "checkout", "otlp": true, "labels": {"endpoint": "route"}}]'
    (service,) = load("dev", {"services": given}).services
    assert service.matchers == 'service_name="checkout"'
    assert service.metrics.requests == "http_server_request_duration_seconds_count"
    assert service.labels == LabelNames(
        endpoint="route", method="http_request_method", status="http_response_status_code"
    )
    assert service.latency is not None
    assert (service.latency.threshold, service.latency.objective) == ("500ms", 99.0)


def test_what_pushes_is_not_scraped() -> None:
    settings = load("dev", {"services": '[{"name": "checkout", "otlp": true}, {"name": "shop", "targets": ["s:1"]}]'})
    jobs = {job["job_name"] for job in yaml.safe_load(prometheus.render(settings))["scrape_configs"]}
    assert "shop" in jobs
    assert "checkout" not in jobs


def test_by_default_only_grafana_and_otlp_are_published() -> None:
    settings = load("dev", {})
    assert settings.published == ("grafana", "otlpGrpc", "otlpHttp", "containerLogs")
    assert {settings.published_address(name) for name in settings.published} == {"127.0.0.1"}


def test_grafana_alone_follows_the_bind_address() -> None:
    raw = {"bindAddress": "192.0.2.1", "publishReason": "the office", "grafanaRootUrl": "https://grafana.example.org/"}
    settings = load("dev", raw)
    addresses = {name: settings.published_address(name) for name in settings.published}
    assert addresses == {
        "grafana": "192.0.2.1", "otlpGrpc": "127.0.0.1", "otlpHttp": "127.0.0.1", "containerLogs": "127.0.0.1",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["prometheus", "loki", "jaeger", "collector"])
def test_a_port_without_login_is_published_on_request_and_on_loopback_alone(name: str) -> None:
    settings = load("dev", {"addresses": json.dumps({name: "127.0.0.1"})})
    assert settings.published_address(name) == "127.0.0.1"
    result = problems({"addresses": json.dumps({name: "192.0.2.1"}), "publishReason": "the office"})
    why = "accepted: an address of loopback, like 127.0.0.1, because it asks for no login"
    assert result == (f"addresses.{name}: '192.0.2.1'; {why}",)


def test_a_port_can_be_closed() -> None:
    assert "otlpGrpc" not in load("dev", {"addresses": '{"otlpGrpc": ""}'}).published


def test_the_log_port_is_for_the_engine_alone() -> None:
    raw = {"addresses": '{"containerLogs": "192.0.2.1"}', "publishReason": "the office"}
    assert load("dev", raw).published_address("containerLogs") == "127.0.0.1"


def test_grafana_outside_loopback_needs_https() -> None:
    raw = {"bindAddress": "192.0.2.1", "publishReason": "the office"}
    (problem,) = problems(raw)
    assert problem.startswith("tlsCertificate: missing; accepted: a certificate with tlsKey, or an https address")
    (problem,) = problems(raw | {"grafanaRootUrl": "http://grafana.example.org/"})
    assert problem.startswith("tlsCertificate: missing")


def test_each_sender_outside_has_a_token_of_its_own() -> None:
    certificate, key = self_signed("127.0.0.1")
    raw = {"addresses": '{"otlpHttp": "192.0.2.1"}', "publishReason": "x", "tlsCertificate": certificate, "tlsKey": key}
    secret = frozenset({"tlsKey", "otlpToken", "otlpTokens"})

    def wrong(**given: object) -> tuple[str, ...]:
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}
        return problems(raw | texts, secret)

    senders = {"shop": ["checkout"], "gateway": []}
    tokens = {"shop": "0123456789abcdef", "gateway": "fedcba9876543210"}
    accepted = load("dev", raw | {"otlpSenders": json.dumps(senders), "otlpTokens": json.dumps(tokens)}, secret)
    assert accepted.otlp_senders == {"shop": ("checkout",), "gateway": ()}
    (problem,) = wrong(otlpSenders=senders, otlpTokens={"shop": tokens["shop"]})
    assert problem.startswith("otlpTokens.gateway: missing; accepted: the token of a sender in otlpSenders")
    (problem,) = wrong(otlpSenders={"shop": []}, otlpTokens=tokens)
    assert problem.startswith("otlpSenders.gateway: missing; accepted: the services")
    (problem,) = wrong(otlpSenders=senders, otlpTokens=tokens, otlpToken=STRONG)
    assert problem == "otlpToken: (hidden); accepted: nothing, because each of otlpSenders has a token of its own"
    for weak in (
        "short",
        "{SHA}0123456789abcdef=",
        "$2y$10$abcdefghijklmnop",
        "with a blank in it.",
        "a-line\nbreak-in-it-0123",
    ):
        found = wrong(otlpSenders=senders, otlpTokens=tokens | {"shop": weak})
        assert any(p.startswith("otlpTokens.shop: (hidden); accepted: at least 16 of letters, digits") for p in found)
    (problem,) = wrong(otlpSenders={"shop": ["grafana"], "gateway": []}, otlpTokens=tokens)
    assert problem.startswith("otlpSenders.shop[0]: 'grafana'; accepted: a service that is none of the stack's own")
    assert any(p.startswith("otlpSenders") for p in wrong(otlpSenders={"a:b": []}, otlpTokens=tokens))


def test_otlp_outside_loopback_needs_tls_and_a_token_or_client_certificates() -> None:
    raw = {"addresses": '{"otlpHttp": "192.0.2.1"}', "publishReason": "the office"}
    assert [problem.split(":")[0] for problem in problems(raw)] == ["tlsCertificate", "otlpToken"]
    certificate, key = self_signed("127.0.0.1")
    tls = raw | {"tlsCertificate": certificate, "tlsKey": key}
    secret = frozenset({"tlsKey", "otlpToken"})
    assert [problem.split(":")[0] for problem in problems(tls, secret)] == ["otlpToken"]
    assert load("dev", tls | {"otlpToken": STRONG}, secret).address("otlpHttp") == "https://127.0.0.1:4318"
    assert load("dev", tls | {"otlpClientCaCertificate": certificate}, secret).otlp_outside
    (problem,) = problems(tls | {"otlpToken": "short"}, secret)
    assert problem == "otlpToken: (hidden); accepted: at least 16 characters"
