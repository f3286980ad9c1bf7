"""Stores elsewhere: which combinations of settings are refused, and what the accepted ones render."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from observability.configs import datasources, prometheus
from observability.configs.process import SettingSecret
from observability.settings import Settings, SettingsError, load

URL = "https://mimir.example.org/api/v1/push"
READ = "https://mimir.example.org/prometheus"


def settings_of(*secrets: str, **raw: Any) -> Settings:  # noqa: ANN401 - raw configuration
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in raw.items()}
    return load("test", texts, frozenset(secrets))


def problems(*secrets: str, **raw: Any) -> str:  # noqa: ANN401 - as above
    with pytest.raises(SettingsError) as caught:
        settings_of(*secrets, **raw)
    return str(caught.value)


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"queryUrl": READ}, "metrics.writeUrl: ''; accepted: where Prometheus sends its copy"),
        ({"tenant": "shop"}, "tenant, user and caCertificate together with writeUrl or queryUrl"),
        ({"writeUrl": URL, "user": "shop"}, "metricsPassword: missing; accepted: the password of metrics.user"),
        ({"writeUrl": "mimir:8080"}, "metrics.writeUrl: 'mimir:8080'; accepted: a URL with its scheme"),
        ({"writeUrl": "https://a:b@mimir/push"}, "a URL without user name and password"),
        ({"writeUrl": URL, "tenant": "a b"}, "metrics.tenant: 'a b'; accepted: a tenant's ID"),
        ({"writeUrl": URL, "mode": "both"}, "metrics.mode: 'both'; accepted:"),
        ({"url": URL}, "metrics.url: unknown field; Fields are"),
    ],
)
def test_wrong_combinations_are_refused_with_the_reason(metrics: dict[str, str], said: str) -> None:
    assert said in problems(metrics=metrics)


def test_a_password_for_nobody_is_refused() -> None:
    assert "metrics.queryUrl: ''; accepted: whom metricsPassword is for" in problems(
        "metricsPassword", metricsPassword="hidden-password"
    )


def test_a_password_in_plain_text_is_refused_and_not_shown() -> None:
    said = problems(metrics={"writeUrl": URL, "user": "shop"}, metricsPassword="plain-to-see")
    assert "metricsPassword: stored in plain text" in said
    assert "plain-to-see" not in said


def test_production_wants_https() -> None:
    said = problems(production="true", metrics={"writeUrl": "http://mimir.example.org/api/v1/push"})
    assert "metrics.writeUrl: (hidden); accepted: in production, an address with https" in said


@pytest.mark.parametrize("user", ["shop", ""])
def test_prometheus_sends_everything_on_with_its_password_in_a_file(user: str) -> None:
    metrics = {"writeUrl": URL, "queryUrl": READ, "tenant": "shop-prod", "user": user}
    settings = settings_of("metricsPassword", metrics=metrics, metricsPassword="hidden-password")
    text = prometheus.render(settings)
    document = yaml.safe_load(text)
    (client,) = document["remote_write"]
    assert client["url"] == URL
    assert client["headers"] == {"X-Scope-OrgID": "shop-prod"}
    assert client["send_exemplars"]
    assert client["send_native_histograms"]
    assert client["queue_config"]["retry_on_http_429"]
    assert "hidden-password" not in text
    given = client["basic_auth"]["password_file"] if user else client["authorization"]["credentials_file"]
    assert given == prometheus.STORE_PASSWORD_FILE
    assert prometheus.process(settings, {}).secrets[given] == SettingSecret("metrics_password")
    assert "external_labels" not in document["global"], "in a tenant of its own a series has its very name"


def test_without_a_tenant_the_copy_says_which_stack_it_is_of() -> None:
    document = yaml.safe_load(prometheus.render(settings_of(metrics={"writeUrl": URL})))
    assert document["global"]["external_labels"] == {"stack": "test"}


def test_the_copy_is_a_data_source_of_its_own() -> None:
    own = settings_of(metrics={"writeUrl": URL})
    assert "prometheus-long-term" not in {spec.uid for spec in datasources.datasources(own)}
    read = settings_of(metrics={"writeUrl": URL, "queryUrl": READ, "tenant": "shop"})
    specs = {spec.uid: spec for spec in datasources.datasources(read)}
    copy, whole = specs["prometheus-long-term"], specs["prometheus"]
    assert (copy.type, copy.url, copy.default) == ("prometheus", READ, False)
    assert whole.default
    assert whole.endpoint is None
    assert copy.endpoint is not None
    assert copy.endpoint.tenant == "shop"
