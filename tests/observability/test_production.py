"""What production refuses, and what is refused everywhere because Grafana would expand it."""

from __future__ import annotations

import json
import re
import secrets
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability.configs import grafana
from observability.own.model import OwnContentError
from observability.settings import Settings, SettingsError, load
from observability.settings.production import EXPANDED, is_guessable

STRONG = "wq7ZpL2vR9xKd4TnB6mC"
BASE = {"production": "true", "grafanaAdminPassword": STRONG, "grafanaSecretKey": STRONG[::-1]}
SECRET = frozenset({*BASE, "alertWebhookUrl", "alertSlackUrl", "smtpPassword", "oauthClientSecret"})
OAUTH: dict[str, Any] = {
    "clientId": "grafana",
    "authUrl": "https://id.example.org/authorize",
    "tokenUrl": "https://id.example.org/token",
    "apiUrl": "https://id.example.org/me",
}


def refused(raw: dict[str, str], secret: frozenset[str] = SECRET, *, production: bool = True) -> str:
    with pytest.raises(SettingsError) as error:
        load("prod", BASE | {"production": str(production).lower()} | raw, secret)
    return str(error.value)


def accepted(raw: dict[str, str], secret: frozenset[str] = SECRET, *, production: bool = True) -> Settings:
    return load("prod", BASE | {"production": str(production).lower()} | raw, secret)


GUESSABLE = (
    "aaaaaaaaaaaaaaaaaaaa",
    "abababababababababab", "abcdefabcdefabcdefabcdef", "passwordpassword", "Password1234567890",
    "admin-admin-admin-admin", "changeme-changeme!", "0123456789abcdef", "P4ssw0rd!P4ssw0rd!", "grafana-secret-1234",
    "letmeinletmein2026", "                    ", "1234567890123456", "abcdefghijklmnopqrstuvwxyz",
)  # fmt: skip


@pytest.mark.parametrize("secret", GUESSABLE)
def test_a_secret_that_can_be_guessed_is_refused(secret: str) -> None:
    for key in ("grafanaAdminPassword", "grafanaSecretKey", "smtpPassword"):
        result = refused({key: secret, "smtpHost": "mail:25"})
        assert f"{key}: (hidden); accepted:" in result
        assert secret not in result


@pytest.mark.parametrize(
    "secret", ["correct horse battery staple", "Tr0ub4dor&3-and-more", "8f14e45fceea167a5a36", STRONG]
)
def test_a_secret_that_cannot_is_accepted(secret: str) -> None:
    accepted({"grafanaAdminPassword": secret})


def test_no_generated_secret_is_refused() -> None:
    alphabet = string.ascii_letters + string.digits
    for _ in range(2_000):
        assert not is_guessable("".join(secrets.choice(alphabet) for _ in range(32)))
        assert not is_guessable(secrets.token_hex(16))
        assert not is_guessable(secrets.token_urlsafe(16))


@given(st.text(min_size=1, max_size=3), st.integers(6, 40))
def test_every_repetition_is_guessable(piece: str, times: int) -> None:
    assert is_guessable(piece * times)


@pytest.mark.parametrize("key", ["authUrl", "tokenUrl", "apiUrl"])
def test_single_sign_on_goes_over_https(key: str) -> None:
    plain = {"oauth": json.dumps(OAUTH | {key: "http://id.example.org/x"})}
    assert f"oauth.{key}: (hidden); accepted: in production, an address with https" in refused(plain)
    accepted(plain, production=False)
    accepted({"oauth": json.dumps(OAUTH)})


@pytest.mark.parametrize("key", ["alertWebhookUrl", "alertSlackUrl", "alertPagerdutyUrl"])
def test_notifications_go_over_https(key: str) -> None:
    url = "http://hooks.example.org/of-the-team"
    result = refused({key: url})
    assert f"{key}: (hidden); accepted: in production, an address with https" in result
    assert "of-the-team" not in result
    accepted({key: url}, production=False)


def test_the_webhooks_address_is_a_secret() -> None:
    url = "https://hooks.example.org/of-the-team"
    plain = SECRET - {"alertWebhookUrl"}
    result = refused({"alertWebhookUrl": url}, plain)
    assert "alertWebhookUrl: stored in plain text" in result
    assert url not in result
    before = accepted({"alertWebhookUrl": url}, plain, production=False)
    assert before.webhook is not None
    assert before.webhook.get_secret_value() == url
    assert url not in repr(before)


@pytest.mark.parametrize("key", ["alertPagerdutyUrl", "oauth"])
def test_no_password_is_in_an_address_that_is_no_secret(key: str) -> None:
    url = "https://me:hunter2hunter2@id.example.org/x"
    raw = {key: url if key != "oauth" else json.dumps(OAUTH | {"tokenUrl": url})}
    result = refused(raw)
    assert "accepted: an address without user name and password" in result
    assert "hunter2" not in result


EXPANSIONS = ("$__file{/etc/passwd}", "x$__env{HOME}", "${GF_SECURITY_ADMIN_PASSWORD}", "$__vault{kv:x:y}")


@pytest.mark.parametrize("text", EXPANSIONS)
@pytest.mark.parametrize("production", [True, False])
def test_what_grafana_would_expand_is_refused_everywhere(text: str, *, production: bool) -> None:
    cases = {
        "smtpUser": {"smtpUser": text, "smtpHost": "mail:25", "smtpPassword": STRONG},
        **{
            f"oauth.{key}": {"oauth": json.dumps(OAUTH | {key: value})}
            for key, value in {
                "name": text, "clientId": text, "roleAttributePath": text, "scopes": [text],
            }.items()
        },
    }  # fmt: skip
    for key, raw in cases.items():
        assert f"{key}" in refused(raw, production=production)


def test_no_text_setting_brings_an_expansion_to_grafana() -> None:
    """Of the kind: every setting that takes text, also one that is added later."""
    own = {value for value in grafana.environment(accepted({})).values() if EXPANDED.search(value)}
    for name, field in Settings.model_fields.items():
        if name == "stack" or "str" not in str(field.annotation).lower() or "Secret" in str(field.annotation):
            continue
        try:
            settings = accepted({field.alias or name: "$__file{/etc/passwd}"}, production=False)
            made = {value for value in grafana.environment(settings).values() if EXPANDED.search(value)}
        except (SettingsError, OwnContentError):
            continue
        assert made == own, name


def test_the_pattern_is_grafanas() -> None:
    assert re.compile(r"\$(|__\w+){([^}]+)}").search("$__file{x}")
    for text in EXPANSIONS:
        assert EXPANDED.search(text)
    for text in ("$NONCE", "costs $5 {really}", "sum by (job) (x)", "$__file"):
        assert not EXPANDED.search(text)
