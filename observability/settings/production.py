"""Checks of secrets: texts that Grafana would expand, and, in production, weak secrets and unencrypted connections."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from observability.settings.errors import HIDDEN
from observability.settings.model import Settings, secrets_of
from observability.settings.secret_rules import STAND_IN, WEAK_SECRETS

EXPANDED: Final = re.compile(r"\$(|__\w+)\{[^}]+\}")
"""Text that Grafana replaces in its settings by a file or an environment variable (pkg/setting/expanders.go)."""
_TO_GRAFANA: Final = ("oauth", "smtpHost", "smtpUser", "smtpFrom", "grafanaRootUrl", "grafanaAdminUser")
"""Settings that reach Grafana as environment variables."""
_HTTPS: Final = (
    "alertWebhookUrl",
    "alertSlackUrl",
    "alertPagerdutyUrl",
    "oauth.authUrl",
    "oauth.tokenUrl",
    "oauth.apiUrl",
    "metrics.writeUrl",
    "metrics.queryUrl",
    "logs.writeUrl",
    "logs.queryUrl",
    "logs.objectStore.endpoint",
    "traces.writeUrl",
    "traces.queryUrl",
    "grafanaUrl",
)
_CREDENTIALS: Final = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*@")
_DISTINCT: Final = 6
_LEFT: Final = 6
_LEET: Final = str.maketrans("@4310$57!", "aaeiosst" + "i")


def problems(settings: Settings) -> list[str]:
    """Return the problems of secrets and connections; most are only problems in production."""
    result = [
        f"{key}: (hidden); accepted: text without ${{…}} and $__file{{…}}, which Grafana would replace"
        for key, text in _texts(settings)
        if key.partition(".")[0].partition("[")[0] in _TO_GRAFANA and EXPANDED.search(text)
    ]
    if settings.production:
        result += _weak(settings)
        result += _plain(settings)
    return result


def is_guessable(secret: str) -> bool:
    """Return whether a secret repeats one piece, or consists of known words, runs like 1234 and punctuation."""
    text = secret.casefold()
    if len(set(text)) < _DISTINCT or text in (text + text)[1:-1]:
        return True
    for word in sorted(WEAK_SECRETS, key=len, reverse=True):
        text = text.replace(word, " ")
        text = re.sub(re.escape(word), " ", text.translate(_LEET)) if word in text.translate(_LEET) else text
    left = [c for before, c in zip(" " + text, text, strict=False) if c.isalnum() and abs(ord(c) - ord(before)) > 1]
    return len(left) < _LEFT


def _weak(settings: Settings) -> list[str]:
    return [
        f"{key}: {HIDDEN}; accepted: in production, a secret that is no known word and no repetition"
        for key, value in secrets_of(settings)
        if value is not None and value.get_secret_value() != STAND_IN and is_guessable(value.get_secret_value())
    ]


def _plain(settings: Settings) -> Iterator[str]:
    texts = dict(_texts(settings))
    secret = {key: value.get_secret_value() for key, value in secrets_of(settings) if value is not None}
    for key in _HTTPS:
        url = texts.get(key) or secret.get(key) or ""
        if url and urlsplit(url).scheme != "https":
            yield f"{key}: {HIDDEN}; accepted: in production, an address with https"
    for key, text in secret.items():
        if key.startswith("ownSecrets.") and urlsplit(text).scheme == "http":
            yield f"{key}: {HIDDEN}; accepted: in production, an address with https"
    for key, text in texts.items():
        if _CREDENTIALS.match(text):
            yield f"{key}: {HIDDEN}; accepted: an address without user name and password, because it is no secret"


def _texts(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield key and value of every text in the settings that is not a secret."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            inner = field.alias or name
            yield from _texts(getattr(value, name), f"{key}.{inner}" if key else inner)
    elif isinstance(value, Mapping):
        for name, inside in value.items():
            yield from _texts(inside, f"{key}.{name}")
    elif isinstance(value, Sequence) and not isinstance(value, SecretStr):
        for index, inside in enumerate(value):
            yield from _texts(inside, f"{key}[{index}]")
