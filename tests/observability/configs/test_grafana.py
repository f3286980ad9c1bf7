"""What each setting makes reach Grafana, and nothing besides."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from observability.configs import grafana, prometheus
from observability.settings import Settings, load
from tests.pem import self_signed

CERTIFICATE, KEY = self_signed("127.0.0.1")
SECRET = "a-long-enough-secret-0123"
OAUTH: dict[str, Any] = {
    "name": "Example",
    "clientId": "grafana",
    "authUrl": "https://id.example.org/authorize",
    "tokenUrl": "https://id.example.org/token",
    "apiUrl": "https://id.example.org/userinfo",
    "roleAttributePath": "contains(groups, 'sre') && 'Admin' || 'Viewer'",
    "allowedDomains": ["example.org", "example.com"],
    "autoLogin": True,
}
HTTPS = {
    "GF_SECURITY_COOKIE_SECURE": "true",
    "GF_AUTH_LOGIN_COOKIE_NAME": "__Host-grafana_session",
    "GF_SECURITY_STRICT_TRANSPORT_SECURITY": "true",
}
CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "root URL": (
        {"grafanaRootUrl": "https://grafana.example.org/"},
        {"GF_SERVER_ROOT_URL": "https://grafana.example.org/", **HTTPS},
    ),
    "TLS": (
        {"tlsCertificate": CERTIFICATE, "tlsKey": KEY},
        {
            "GF_SERVER_ROOT_URL": "https://127.0.0.1:3000/",
            "GF_SERVER_PROTOCOL": "https",
            "GF_SERVER_CERT_FILE": grafana.CERTIFICATE_FILE,
            "GF_SERVER_CERT_KEY": grafana.KEY_FILE,
            **HTTPS,
        },
    ),
    "single sign-on": (
        {"oauth": json.dumps(OAUTH), "oauthClientSecret": SECRET},
        {
            "GF_AUTH_GENERIC_OAUTH_ENABLED": "true",
            "GF_AUTH_GENERIC_OAUTH_NAME": "Example",
            "GF_AUTH_GENERIC_OAUTH_CLIENT_ID": "grafana",
            "GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET": f"$__file{{{grafana.OAUTH_SECRET_FILE}}}",
            "GF_AUTH_GENERIC_OAUTH_AUTH_URL": OAUTH["authUrl"],
            "GF_AUTH_GENERIC_OAUTH_TOKEN_URL": OAUTH["tokenUrl"],
            "GF_AUTH_GENERIC_OAUTH_API_URL": OAUTH["apiUrl"],
            "GF_AUTH_GENERIC_OAUTH_SCOPES": "openid profile email",
            "GF_AUTH_GENERIC_OAUTH_ROLE_ATTRIBUTE_PATH": OAUTH["roleAttributePath"],
            "GF_AUTH_GENERIC_OAUTH_ROLE_ATTRIBUTE_STRICT": "false",
            "GF_AUTH_GENERIC_OAUTH_ALLOWED_DOMAINS": "example.org example.com",
            "GF_AUTH_GENERIC_OAUTH_ALLOW_SIGN_UP": "true",
            "GF_AUTH_GENERIC_OAUTH_AUTO_LOGIN": "true",
            "GF_AUTH_GENERIC_OAUTH_USE_PKCE": "true",
            "GF_SECURITY_COOKIE_SAMESITE": "lax",
        },
    ),
    "mail": (
        {"smtpHost": "mail:25", "smtpUser": "me", "smtpPassword": SECRET, "smtpFrom": "g@example.org"},
        {
            "GF_SMTP_ENABLED": "true",
            "GF_SMTP_HOST": "mail:25",
            "GF_SMTP_USER": "me",
            "GF_SMTP_PASSWORD": f"$__file{{{grafana.SMTP_PASSWORD_FILE}}}",
            "GF_SMTP_FROM_ADDRESS": "g@example.org",
            "GF_SMTP_STARTTLS_POLICY": "MandatoryStartTLS",
        },
    ),
    "theme": ({"grafanaTheme": "light"}, {"GF_USERS_DEFAULT_THEME": "light"}),
    "public dashboards": (
        {"grafanaPublicDashboards": "true"},
        {"GF_PUBLIC_DASHBOARDS_ENABLED": "true", "GF_SNAPSHOTS_ENABLED": "true"},
    ),
    "toggles": (
        {"grafanaFeatureToggles": '["some"]'},
        {"GF_FEATURE_TOGGLES_ENABLE": "jaegerEnableGrpcEndpoint,some"},
    ),
    "administrator": ({"grafanaAdminUser": "root"}, {"GF_SECURITY_ADMIN_USER": "root"}),
}


def configured(raw: dict[str, str]) -> Settings:
    return load("dev", raw, frozenset(raw))


@pytest.mark.parametrize("case", CASES)
def test_a_setting_reaches_grafana_and_changes_nothing_else(case: str) -> None:
    raw, expected = CASES[case]
    plain, made = grafana.environment(configured({})), grafana.environment(configured(raw))
    assert {k: v for k, v in made.items() if plain.get(k) != v} == expected
    assert set(plain) <= set(made)


def test_wrong_passwords_lock_out_an_address_and_no_user() -> None:
    made = grafana.environment(configured({}))
    assert made["GF_SECURITY_DISABLE_BRUTE_FORCE_LOGIN_PROTECTION"] == "false"
    assert made["GF_SECURITY_DISABLE_IP_ADDRESS_LOGIN_PROTECTION"] == "false"
    assert made["GF_SECURITY_DISABLE_USERNAME_LOGIN_PROTECTION"] == "true"


def test_the_pages_load_and_frame_nothing_from_elsewhere() -> None:
    policy = grafana.environment(configured({}))["GF_SECURITY_CONTENT_SECURITY_POLICY_TEMPLATE"]
    directives = {
        name: values.split() for name, _, values in (part.strip().partition(" ") for part in policy.split(";"))
    }
    for name in ("default-src", "frame-ancestors", "frame-src", "worker-src", "base-uri", "form-action", "object-src"):
        assert set(directives[name]) <= {"'self'", "'none'", "blob:"}
    assert "$NONCE" in directives["script-src"]
    assert not [v for values in directives.values() for v in values if "*" in v or "." in v or "http" in v]


def test_sign_ins_and_requests_are_in_the_log() -> None:
    made = grafana.environment(configured({}))
    assert made["GF_SERVER_ROUTER_LOGGING"] == "true"
    assert set(made["GF_LOG_FILTERS"].split()) == {"authn.service:info", "context:info", "http.server:info"}


def test_strict_cookies_would_not_come_back_from_a_sign_on_provider() -> None:
    both = configured(CASES["TLS"][0] | CASES["single sign-on"][0])
    made = grafana.environment(both)
    assert made["GF_SECURITY_COOKIE_SECURE"] == "true"
    assert made["GF_SECURITY_COOKIE_SAMESITE"] == "lax"


def test_the_certificate_is_a_file_and_its_key_is_not_among_them() -> None:
    files = grafana.files(configured(CASES["TLS"][0]))
    assert files[grafana.CERTIFICATE_FILE] == CERTIFICATE
    assert KEY not in "".join(files.values())


def test_prometheus_scrapes_grafana_as_it_is_served() -> None:
    def job(raw: dict[str, str]) -> str:
        result = re.search(r"job_name: grafana\n.*?(?=- job_name)", prometheus.render(configured(raw)), re.DOTALL)
        assert result
        return result[0]

    assert "https" not in job({})
    own = job(CASES["TLS"][0])
    assert "scheme: https" in own
    assert "server_name: 127.0.0.1" in own
    assert "ca_file" not in own
    vouched = CASES["TLS"][0] | {"tlsCaCertificate": CERTIFICATE}
    assert f"ca_file: {prometheus.CA_FILE}" in job(vouched)
    assert prometheus.files(configured(vouched))[prometheus.CA_FILE] == CERTIFICATE


def test_production_differs_where_it_should(settings_of: Callable[[str], Settings]) -> None:
    dev, prod = settings_of("dev"), settings_of("prod")
    assert (dev.dashboards_editable, prod.dashboards_editable) == (True, False)
    assert (dev.demo, prod.demo) == (True, False)
    assert (dev.protect_data, prod.protect_data) == (False, True)
    assert (dev.prometheus_retention, prod.prometheus_retention) == ("40d", "90d")
    assert prod.production
