"""Turns raw configuration into checked settings, or raises one error with every problem."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import ValidationError

from observability.settings.checks import across
from observability.settings.errors import (
    SettingsError,
    describe,
    foreign_keys,
    is_collection,
    one_line,
    unknown_setting,
)
from observability.settings.model import Settings, secret_keys
from observability.settings.secret_rules import PLAIN_OUTSIDE_PRODUCTION

_STACK_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,38}")


def parse_raw(key: str, text: str) -> Any:  # noqa: ANN401 - it is what pydantic checks next
    """Return the value of Pulumi's text for `key`: JSON for lists and objects, else the text itself."""
    if not is_collection(key):
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, (list, dict)) else text


def load(
    stack: str,
    raw: Mapping[str, str],
    secret: frozenset[str] = frozenset(),
    others: Iterable[str] = (),
    *,
    name_prefix: str = "",
) -> Settings:
    """Check the raw configuration of `stack` and freeze it.

    Args:
        stack: the stack's name.
        raw: Pulumi's text by key, without the project's name.
        secret: the keys that are stored encrypted. An empty secret is one that is not configured.
        others: full keys of other namespaces, among which a misspelt one is found.
        name_prefix: start of every name on the Docker host; empty for project and stack.

    Raises:
        SettingsError: with every problem found.

    """
    problems = foreign_keys(others)
    raw = {key: text for key, text in raw.items() if not _left_out(key, text)}
    names = {f.alias or n for n, f in Settings.model_fields.items() if not f.exclude}
    values: dict[str, Any] = {"stack": stack, "name_prefix": name_prefix}
    for key in sorted(raw):
        if key not in names:
            problems.append(f"{one_line(key)}: {unknown_setting(key, names)}")
        else:
            values[key] = parse_raw(key, raw[key])
    problems += [
        f"{key}: stored in plain text; accepted: a secret, set by `pulumi config set --secret {key}`"
        for key in secret_keys()
        if key in raw
        and key not in secret
        and not (key in PLAIN_OUTSIDE_PRODUCTION and raw.get("production") != "true")
    ]
    if not _STACK_NAME.fullmatch(stack):
        problems.append(
            f"stack name: '{one_line(stack)}'; accepted: lower-case letters, digits, '.', '_' and '-', at most 39"
        )
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        details = error.errors()
        problems += [describe(e, values) for e in details]
        # The wrong settings are left out, so that problems between the other settings are found in the same run.
        wrong = {e["loc"][0] for e in details if e["loc"]}
        settings = Settings.model_validate({k: v for k, v in values.items() if k not in wrong})
    problems += across(settings)
    if problems:
        raise SettingsError(stack, problems)
    return settings


def _left_out(key: str, text: str) -> bool:
    """Return whether a text means "not set": an empty secret, or a list or object without entries."""
    return (text == "" and (key in secret_keys() or is_collection(key))) or (text == "{}" and key in secret_keys())
