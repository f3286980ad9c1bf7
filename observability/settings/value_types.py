"""The types of single values: durations, URLs, addresses, names. Each refuses with what it accepts."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

MAXIMUM_PORT = 65_535
ALL_PERCENT = 100

_DURATION = re.compile(r"^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$")
_DURATION_MS = (86_400_000, 3_600_000, 60_000, 1_000, 1)


def milliseconds(duration: str) -> int:
    """Return a Prometheus duration (`30d`, `1h30m`, `300ms`) in milliseconds; ValueError when it is not one."""
    match = _DURATION.match(duration)
    if not duration or match is None:
        msg = "a duration like 300ms, 15s, 5m, 1h or 30d"
        raise ValueError(msg)
    return sum(int(n) * unit for n, unit in zip(match.groups(default="0"), _DURATION_MS, strict=True))


def seconds(duration: str) -> float:
    """Return a Prometheus duration in seconds."""
    return milliseconds(duration) / 1000


def _duration(value: str) -> str:
    if milliseconds(value) <= 0:
        msg = "a duration above zero, like 300ms, 15s, 5m, 1h or 30d"
        raise ValueError(msg)
    return value


def _exact_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        msg = "a URL with its scheme, like https://grafana.example.org/"
        raise ValueError(msg)
    return value


def _url(value: str) -> str:
    return _exact_url(value).rstrip("/") + "/"


def _optional_exact_url(value: str) -> str:
    return _exact_url(value) if value else ""


def _secret_url(value: SecretStr) -> SecretStr:
    _exact_url(value.get_secret_value())
    return value


def time_zone(value: str) -> str:
    """Return `value`, the name of a time zone; ValueError when it is none."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = "a time zone's name, like Europe/Berlin"
        raise ValueError(msg) from None
    return value


def _optional_url(value: str) -> str:
    return _url(value) if value else ""


def _certificate(value: str) -> str:
    if not value:
        return value
    from observability.certificates import certificates  # noqa: PLC0415 - only where there is one

    try:
        certificates(value)
    except ValueError:
        msg = "one or more certificates as PEM, -----BEGIN CERTIFICATE----- and so on"
        raise ValueError(msg) from None
    return value.strip() + "\n"


def _address(value: str) -> str:
    if (
        not re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):\d{1,5}", value)
        or not 0 < int(value.rsplit(":", 1)[1]) <= MAXIMUM_PORT
    ):
        msg = "host:port, like checkout:8000"
        raise ValueError(msg)
    return value


def _optional_address(value: str) -> str:
    return _address(value) if value else ""


def _objective(value: float | str) -> float | str:
    if isinstance(value, (int, float)) and not 0 < value < ALL_PERCENT:
        msg = "a percentage above 0 and below 100, like 99.5"
        raise ValueError(msg)
    return value


Duration = Annotated[str, AfterValidator(_duration)]
Url = Annotated[str, AfterValidator(_url)]
Address = Annotated[str, AfterValidator(_address)]
OptionalUrl = Annotated[str, AfterValidator(_optional_url)]
OptionalAddress = Annotated[str, AfterValidator(_optional_address)]
OptionalExactUrl = Annotated[str, AfterValidator(_optional_exact_url)]
SecretUrl = Annotated[SecretStr, AfterValidator(_secret_url)]
Certificate = Annotated[str, AfterValidator(_certificate)]
Email = Annotated[str, Field(pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$")]
Owner = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._@#/-]{0,63}$")]
OptionalOwner = Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9 ._@#/-]{0,63})?$")]
ClockTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Objective = Annotated[float, BeforeValidator(_objective)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,38}$")]
Metric = Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")]
Label = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]
Port = Annotated[int, Field(ge=1, le=65535)]


class Frozen(BaseModel):
    """Immutable fields of the configuration; a field that is not declared is refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True, defer_build=True
    )


def _published_address(value: str) -> str:
    if value:
        try:
            ip_address(value)
        except ValueError:
            msg = 'an IP address of the Docker host, like 127.0.0.1, or "" for not published'
            raise ValueError(msg) from None
    return value


PublishedAddress = Annotated[str, AfterValidator(_published_address)]


def loopback(address: str) -> bool:
    """Say whether only the host itself reaches what is published on `address`."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
