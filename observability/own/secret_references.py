"""References to secrets, `${secret:name}`, and values that should have been one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from observability.settings import STAND_IN

REFERENCE: Final = re.compile(r"\$\{secret:([A-Za-z][A-Za-z0-9_-]{0,62})\}")
_LIKE_A_REFERENCE: Final = re.compile(r"\$\{secret:[^}]*\}?")

# Names of fields that hold a secret in Prometheus', the collector's and Grafana's files. `..._file` and `..._key` that
# name something (`remoteKey`, `groupKey`) are none.
_SECRET_FIELD: Final = re.compile(
    r"(?i)^(.*_)?(password|passwd|passphrase|bearer_?token|access_?token|auth_?token|api_?token|token|api_?key|"
    r"secret|client_?secret|secret_?key|access_?key|private_?key|integration_?key|routing_?key|service_?key|"
    r"credentials|credential|user_?key|basicAuthPassword|api_?secret|hmac_?secret|sharedsecret|bot_?token)$"
)
_NO_SECRET: Final = re.compile(r"(?i)_(file|path|ref|name)$")
_SECRET_VALUE: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("a token of GitHub", re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{50,})")),
    ("a token of GitLab", re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}")),
    ("a token of Grafana", re.compile(r"\b(glsa_[A-Za-z0-9]{20,}_[a-f0-9]{8}|glc_[A-Za-z0-9+/]{32,}={0,2})")),
    ("a token of Slack", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}")),
    ("a webhook of Slack", re.compile(r"https://hooks\.slack\.com/(services|workflows)/[A-Za-z0-9/]{20,}")),
    ("a webhook of Discord", re.compile(r"https://(ptb\.|canary\.)?discord(app)?\.com/api/webhooks/[0-9]+/[\w-]{20,}")),
    ("an access key of AWS", re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("a JSON web token", re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}")),
    ("a password in an address", re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@\"'$<{]+:(?!\$\{)[^\s/@\"'<]{3,}@[\w.-]")),
)

Path = tuple[str | int, ...]


def names(value: Any) -> frozenset[str]:  # noqa: ANN401 - JSON
    """Return the names of the secrets that a text, or any text in a value, refers to."""
    return frozenset(match[1] for _, text in texts(value) for match in REFERENCE.finditer(text))


def texts(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:  # noqa: ANN401 - JSON
    """Yield every text within a value, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from texts(inner, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from texts(inner, (*path, index))


def replace(value: Any, text_of: Callable[[str], str]) -> Any:  # noqa: ANN401 - JSON both ways
    """Return `value` with `text_of(name)` in place of each reference."""
    if isinstance(value, str):
        return REFERENCE.sub(lambda match: text_of(match[1]), value)
    if isinstance(value, Mapping):
        return {key: replace(inner, text_of) for key, inner in value.items()}
    return [replace(inner, text_of) for inner in value] if isinstance(value, list | tuple) else value


def stand_in(text: str) -> str:
    """Return `text` with a stand-in for each reference: for a checker, which sees no secret."""
    return REFERENCE.sub(STAND_IN, text)


def malformed(text: str) -> str:
    """Return the first thing in `text` that was meant as a reference and is none, "" without one."""
    return next((m[0] for m in _LIKE_A_REFERENCE.finditer(text) if not REFERENCE.fullmatch(m[0])), "")


def looks_secret(path: Path, text: str, *, by_field: bool) -> str:
    """Return what a text seems to be, like "a token of Slack", "" for no secret.

    Args:
        path: where the text is; its last name tells what it is.
        text: the text.
        by_field: whether the name of the field counts, too; dashboards have fields of any name.

    """
    rest = REFERENCE.sub("", text)
    for kind, pattern in _SECRET_VALUE:
        if pattern.search(rest):
            return kind
    field = next((str(part) for part in reversed(path) if isinstance(part, str)), "")
    named = by_field and _SECRET_FIELD.fullmatch(field) and not _NO_SECRET.search(field)
    plain = rest == text and text.strip() and not text.startswith(("$__file{", "/"))
    return f"the value of {field}" if named and plain else ""
