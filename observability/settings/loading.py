"""From raw configuration to checked settings, or to one error with every problem."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from observability.settings.checks import across
from observability.settings.errors import SettingsError, describe, nearest
from observability.settings.model import Settings, field_of, secret_keys


def parse_raw(key: str, text: str) -> Any:  # noqa: ANN401 - it is what pydantic checks next
    """Turn Pulumi's text for `key` into a value: JSON where the field is not text, else the text itself."""
    name = field_of(key)
    if name is None or Settings.model_fields[name].annotation is str or key in secret_keys():
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return (
        text
        if isinstance(value, (int, float))
        and not isinstance(value, bool)
        and "int" not in str(Settings.model_fields[name].annotation)
        else value
    )


def load(stack: str, raw: Mapping[str, str], secret: frozenset[str] = frozenset()) -> Settings:
    """Check the raw configuration of `stack` and freeze it.

    `raw` maps keys without the project's name to Pulumi's text; `secret` names the keys that are stored encrypted.
    An empty secret is one that is not configured.
    Raises SettingsError with every problem found.
    """
    problems: list[str] = []
    raw = {key: text for key, text in raw.items() if text or key not in secret_keys()}
    known = {f.alias or n for n, f in Settings.model_fields.items() if n != "stack"}
    values: dict[str, Any] = {"stack": stack}
    for key in sorted(raw):
        if key not in known:
            problems.append(f"{key}: no such setting; accepted: {nearest(key, known)}")
        else:
            values[key] = parse_raw(key, raw[key])
    problems += [
        f"{key}: stored in plain text; accepted: a secret, set by `pulumi config set --secret {key}`"
        for key in secret_keys()
        if key in raw and key not in secret
    ]
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,38}", stack):
        problems.append(f"stack name: '{stack}'; accepted: lower-case letters, digits, '.', '_' and '-', at most 39")
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        found = error.errors()
        problems += [describe(e, values) for e in found]
        # What is wrong by itself is left out, so that what is wrong between settings shows in the same list.
        wrong = {e["loc"][0] for e in found if e["loc"]}
        settings = Settings.model_validate({k: v for k, v in values.items() if k not in wrong})
    problems += across(settings)
    if problems:
        raise SettingsError(stack, problems)
    return settings
