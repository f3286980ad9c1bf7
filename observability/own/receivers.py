"""What Grafana wants of a receiver and of a mute timing, looked at before an `up` that it would stop half-way."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any, Final

from observability.own.reading import File, ValuePath

REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "dingding": ("url",),
    "discord": ("url",),
    "email": ("addresses",),
    "googlechat": ("url",),
    "jira": ("api_url", "project", "issue_type"),
    "kafka": ("kafkaRestProxy", "kafkaTopic"),
    "line": ("token",),
    "mqtt": ("brokerUrl", "topic"),
    "oncall": ("url",),
    "opsgenie": ("apiKey",),
    "pagerduty": ("integrationKey",),
    "prometheus-alertmanager": ("url",),
    "pushover": ("apiToken", "userKey"),
    "sensugo": ("url", "apikey"),
    "slack": (),
    "sns": (),
    "teams": ("url",),
    "telegram": ("bottoken", "chatid"),
    "threema": ("gateway_id", "recipient_id", "api_secret"),
    "victorops": ("url",),
    "webex": ("bot_token", "room_id"),
    "webhook": ("url",),
    "wecom": (),
}
"""The receivers of Grafana 12.4, and the settings without which it refuses each."""
_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_INTERVAL: Final = frozenset({"times", "weekdays", "days_of_month", "months", "years", "location"})


def check_receiver(file: File, kind: str, settings: Mapping[str, Any], path: ValuePath) -> None:
    """Refuse a kind that Grafana does not know, and settings that it would refuse."""
    wanted = REQUIRED.get(kind.lower())
    if wanted is None:
        meant = get_close_matches(kind.lower(), REQUIRED, 1)
        question = f"did you mean {meant[0]}? " if meant else ""
        file.refuse((*path, "type"), f"'{kind}'; {question}accepted: {', '.join(REQUIRED)}")
        return
    for key in wanted:
        if settings.get(key) in {None, ""}:
            file.refuse((*path, "settings"), f"{key} is missing, which {kind} needs")
    if kind.lower() == "slack" and not any(settings.get(key) for key in ("url", "token")):
        file.refuse((*path, "settings"), "url or token is missing, which slack needs")


def check_interval(file: File, interval: Mapping[str, Any], path: ValuePath) -> None:
    """Refuse times and days that are none."""
    for key in interval:
        if key not in _INTERVAL:
            file.refuse((*path, key), f"unknown field; accepted: {', '.join(sorted(_INTERVAL))}")
    for where, times in file.items(interval.get("times"), (*path, "times")):
        start, end = (str(times.get(key, "")) for key in ("start_time", "end_time"))
        if not (_TIME.fullmatch(start) and _TIME.fullmatch(end) and start < end):
            file.refuse(where, f"from '{start}' to '{end}'; accepted: start_time before end_time, like 22:00 and 24:00")
    for number, days in enumerate(_list(interval.get("weekdays"))):
        if any(day not in _DAYS for day in str(days).lower().split(":")):
            file.refuse((*path, "weekdays", number), f"'{days}'; accepted: a day like monday, or monday:friday")


def _list(value: Any) -> Collection[Any]:  # noqa: ANN401 - YAML
    return value if isinstance(value, list) else ()
