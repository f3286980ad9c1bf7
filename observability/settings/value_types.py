"""The types of single values: numbers, durations, URLs, addresses, names.

Every value is converted first and then checked, by the same rule in every setting: `"99.5"` is the number 99.5, `true`
is no number, and the error for a wrong value says what is accepted. A type is `Annotated[…, Accepts]`. No field of the
settings has a plain `bool`, `int`, `float` or `str`; a test checks that.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from typing import Annotated, Any, Final, Literal, NoReturn
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, SecretStr
from pydantic_core import CoreSchema, core_schema

MAXIMUM_PORT = 65_535
ALL_PERCENT = 100
MAXIMUM_OBJECTIVE = 99.9999
"""One failure in a million requests. The recorded ratios cannot tell a smaller share from rounding."""
SHARE: Final = 1.0
"""Smallest percentage. A smaller number was surely meant as a share of 1, like 0.999."""
MAXIMUM_TEXT: Final = 1_000
"""Most characters of a text; certificates and PromQL have other limits."""


class Frozen(BaseModel):
    """Base of the immutable models of the configuration, which refuse unknown fields."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True, defer_build=True
    )


@dataclass(frozen=True)
class Accepts:
    """Converts and checks a value before pydantic does.

    Attributes:
        text: what is accepted, in words.
        convert: returns the converted value, or raises ValueError, with a message if it helps more than `text`.
    """

    text: str
    convert: Callable[[Any], Any]

    def __call__(self, value: Any) -> Any:  # noqa: ANN401 - raw configuration
        """Return the converted value; raise ValueError with what is accepted."""
        try:
            return self.convert(value)
        except RefusedError:
            raise
        except (ValueError, OverflowError):
            raise RefusedError(self.text) from None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        """Run the conversion before pydantic's own validation of the type."""
        return core_schema.no_info_before_validator_function(self, handler(source))


class RefusedError(ValueError):
    """A value that is not accepted; the message says what is accepted."""


def _refuse(accepted: str) -> NoReturn:
    raise RefusedError(accepted)


# ── Conversions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def to_boolean(value: object) -> bool:
    """Return true or false, written with or without quotes; ValueError for anything else, 1 and "yes" included."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise ValueError


def to_number(value: object) -> float:
    """Return a finite number, written with or without quotes."""
    if isinstance(value, str) and re.fullmatch(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError
    return float(value)


def to_whole(value: object) -> int:
    """Return a whole number, written with or without quotes."""
    number = to_number(value)
    if not number.is_integer():
        raise ValueError
    return int(number)


def to_text(value: object) -> str:
    """Return one line of text; a whole number becomes text, other types raise ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - one kind of refusal
    if len(value) > MAXIMUM_TEXT:
        _refuse(f"text of at most {MAXIMUM_TEXT} characters")
    if any(not c.isprintable() for c in value):
        _refuse("text without line breaks and control characters")
    return value


# ── Durations ────────────────────────────────────────────────────────────────────────────────────────────────────────

_DURATION = re.compile(
    r"(?:([0-9]+)y)?(?:([0-9]+)w)?(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?(?:([0-9]+)ms)?"
)
_DURATION_MS = (365 * 86_400_000, 7 * 86_400_000, 86_400_000, 3_600_000, 60_000, 1_000, 1)
_A_DURATION = "a duration like 300ms, 15s, 5m, 1h, 30d, 4w or 1y"
_LONGEST = "100y"


def milliseconds(duration: str) -> int:
    """Return a Prometheus duration (`30d`, `1h30m`, `4w`) in milliseconds; ValueError when it is not one."""
    match = _DURATION.fullmatch(duration)
    if not duration or match is None:
        raise ValueError(_A_DURATION)
    return sum(int(n) * unit for n, unit in zip(match.groups(default="0"), _DURATION_MS, strict=True))


def seconds(duration: str) -> float:
    """Return a Prometheus duration in seconds."""
    return milliseconds(duration) / 1000


def ratio(percent: float) -> float:
    """Return a percentage as a ratio, rounded to a billionth."""
    return round(percent / 100, 9)


def duration(lowest: str, highest: str, *, unit: str = "", reason: str = "") -> Accepts:
    """Return the check of a duration from `lowest` to `highest`, in whole `unit`s; `reason` extends the message."""
    multiple = {"": "", "1h": ", in whole hours", "1s": ", in whole seconds"}[unit]
    accepted = f"a duration from {lowest} to {highest}{multiple}{reason}, like {_example(lowest, highest)}"

    def convert(value: object) -> str:
        text = to_text(value)
        if re.fullmatch(r"[0-9.]+", text):
            _refuse(f"{accepted}: a number with its unit (ms, s, m, h, d, w, y)")
        if meant := _without_fraction(text):
            _refuse(f"{accepted}: whole numbers with their units; did you mean {meant}?")
        if not milliseconds(lowest) <= milliseconds(text) <= milliseconds(highest):
            raise ValueError
        if unit and milliseconds(text) % milliseconds(unit):
            raise ValueError
        return text

    return Accepts(accepted, convert)


def _without_fraction(text: str) -> str:
    """Return a duration like 0.3s in whole numbers of a smaller unit, "" for any other text."""
    match = re.fullmatch(r"([0-9]*\.[0-9]+)(ms|[ywdhms])", text)
    if match is None:
        return ""
    whole = float(match[1]) * milliseconds(f"1{match[2]}")
    if not whole.is_integer() or whole < 1:
        return ""
    units = dict(zip(("y", "w", "d", "h", "m", "s", "ms"), _DURATION_MS, strict=True))
    return next(f"{whole / each:.0f}{unit}" for unit, each in units.items() if whole % each == 0)


def _example(lowest: str, highest: str) -> str:
    examples = ("300ms", "15s", "1m", "1h", "72h", "30d", "40d")
    inside = [e for e in examples if milliseconds(lowest) <= milliseconds(e) <= milliseconds(highest)]
    return inside[len(inside) // 2] if inside else lowest


Duration = Annotated[str, duration("1ms", _LONGEST)]

# ── URLs and addresses ───────────────────────────────────────────────────────────────────────────────────────────────

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
_LONGEST_HOST = 253


def is_host(text: str) -> bool:
    """Return whether `text` is a host name or an IP address (IPv6 without brackets)."""
    if ":" in text:
        try:
            IPv6Address(text)
        except AddressValueError:
            return False
        return "%" not in text
    if re.fullmatch(r"[0-9.]+", text):
        try:
            IPv4Address(text)
        except AddressValueError:
            return False
        return True
    return len(text) <= _LONGEST_HOST and _HOST_NAME.fullmatch(text) is not None


def loopback(address: str) -> bool:
    """Return whether `address` is a loopback address, which only the host itself reaches."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _exact_url(value: object) -> str:
    text = to_text(value)
    if not text.isascii() or re.search(r"""[\s"'<>\\^`{|}]""", text):
        _refuse("a URL without spaces, quotes and other characters that a URL has to encode (%20)")
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        _refuse("a URL in which % begins a character's code, like %20")
    # Python accepts `[v1.x]` (RFC 3986, for future address families), Go does not.
    if "[" in parts.netloc and ":" not in parts.hostname:
        raise ValueError
    port = parts.netloc.rpartition("@")[2].rpartition("]")[2].partition(":")
    if port[1] and not (re.fullmatch(r"[0-9]{1,5}", port[2]) and 0 < int(port[2]) <= MAXIMUM_PORT):
        _refuse(f"a URL whose port is a number from 1 to {MAXIMUM_PORT}, like https://grafana.example.org:8443/")
    if not is_host(parts.hostname):
        _refuse("a URL with a host name or an IP address, like https://grafana.example.org/")
    return text


def _url(value: object) -> str:
    text = _exact_url(value)
    parts = urlsplit(text)
    if "@" in parts.netloc:
        _refuse("a URL without user name and password: settings are stored in plain text")
    if "?" in text or "#" in text:
        _refuse("a URL without query and fragment, like https://grafana.example.org/")
    return text.rstrip("/") + "/"


def _discovery_url(value: object) -> str:
    text = _exact_url(value)
    if "@" in urlsplit(text).netloc:
        _refuse("a URL without user name and password: settings are stored in plain text")
    if "#" in text:
        _refuse("a URL without a fragment, like https://discovery.example.org/targets?team=shop")
    return text


_A_SCHEME: Final = r"[a-z][a-z0-9+.-]*"


def _origin(value: object) -> str:
    text = to_text(value)
    if text == "*":
        return text
    if re.fullmatch(rf"(?i){_A_SCHEME}://[^/]+/", text):
        _refuse(f"an origin without a slash at its end: {text.rstrip('/')}")
    match = re.fullmatch(rf"({_A_SCHEME})://(\[[^\]]*\]|[^:\[\]/]*)(:([0-9]{{1,5}}))?", text.lower())
    if match is None or (match[4] and not 0 < int(match[4]) <= MAXIMUM_PORT):
        raise ValueError
    if text.count("*") > 1:
        _refuse("an origin with one * at most, like https://*.example.org")
    host = match[2].removeprefix("[").removesuffix("]")
    if host != "*" and (not is_host(host.replace("*", "x")) or (host != match[2]) != (":" in host)):
        raise ValueError
    return text


def _store_url(value: object) -> str:
    return _url(value).rstrip("/")


def _secret_url(value: object) -> object:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    _exact_url(text)
    return value


def _or_empty(convert: Callable[[object], str]) -> Callable[[object], str]:
    return lambda value: "" if value == "" else convert(value)


_A_URL = "a URL with its scheme, like https://grafana.example.org/"
_OR_EMPTY = ", or empty"


def _split_address(text: str) -> tuple[str, str]:
    match = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]+):([0-9]{1,5})", text)
    if match is None or not 0 < int(match[2]) <= MAXIMUM_PORT:
        raise ValueError
    return match[1], match[2]


def _address(value: object) -> str:
    text = to_text(value)
    if "//" in text or "/" in text:
        _refuse("host:port, like checkout:8000; scheme and metricsPath are fields of their own")
    host, _ = _split_address(text)
    bare = host.removeprefix("[").removesuffix("]")
    if not is_host(bare) or (host != bare) != (":" in bare):
        raise ValueError
    return text


def _mail_server(value: object) -> str:
    if isinstance(value, str) and "/" in value:
        _refuse("host:port, like mail:25, without a scheme and a path")
    return _address(value)


def _dns_address(value: object) -> str:
    text = _address(value)
    host, _ = _split_address(text)
    if re.fullmatch(r"\[.*|[0-9.]+", host):
        _refuse("a DNS name with a port, like checkout.internal:8000; an IP address belongs in targets")
    return text


def _host(value: object) -> str:
    text = to_text(value)
    if not is_host(text):
        raise ValueError
    return text


def _bind(value: object) -> str:
    text = to_text(value)
    if "%" in text:
        raise ValueError
    ip_address(text)
    return text


def _path(value: object) -> str:
    text = to_text(value)
    if "?" in text:
        given: dict[str, list[str]] = {}
        for name, single in parse_qsl(text.partition("?")[2], keep_blank_values=True):
            given.setdefault(name, []).append(single or "''")
        listed = ", ".join(f"{name}: [{', '.join(values)}]" for name, values in given.items())
        _refuse(f"a path without a query; a query belongs in `params:`, like params: {{{listed or 'name: [value]'}}}")
    if not text.startswith("/") or re.search(r"[\s#]", text):
        raise ValueError
    return text


# ── Names ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def matching(accepted: str, pattern: str, *, longest: int = MAXIMUM_TEXT) -> Accepts:
    """Return the check of a text that `pattern` matches as a whole; `accepted` says that in words."""
    compiled = re.compile(pattern)

    def convert(value: object) -> str:
        text = to_text(value)
        if len(text) > longest or compiled.fullmatch(text) is None:
            raise ValueError
        return text

    return Accepts(accepted, convert)


def whole(lowest: int, highest: int) -> Accepts:
    """Return the check of a whole number from `lowest` to `highest`."""

    def convert(value: object) -> int:
        number = to_whole(value)
        if not lowest <= number <= highest:
            raise ValueError
        return number

    return Accepts(f"a whole number from {lowest} to {highest}", convert)


def number(lowest: float, highest: float) -> Accepts:
    """Return the check of a number from `lowest` to `highest`."""

    def convert(value: object) -> float:
        number = to_number(value)
        if not lowest <= number <= highest:
            raise ValueError
        return number

    return Accepts(f"a number from {_plain(lowest)} to {_plain(highest)}", convert)


def _plain(value: float) -> str:
    """Return a number without an exponent."""
    return format(Decimal(repr(value)).normalize(), "f")


def text_of_length(shortest: int, longest: int) -> Accepts:
    """Return the check of one line of text with `shortest` to `longest` characters."""

    def convert(value: object) -> str:
        text = to_text(value)
        if not shortest <= len(text) <= longest:
            raise ValueError
        return text

    least = f"{shortest} to " if shortest else "at most "
    return Accepts(f"one line of text, {least}{longest} characters", convert)


def one_of(*values: str) -> Accepts:
    """Return the check of one of `values`, in upper or lower case."""
    lower = {value.lower(): value for value in values}
    return Accepts(_any_of(values), lambda value: lower.get(to_text(value).lower()) or _refuse(_any_of(values)))


def _any_of(values: tuple[str, ...]) -> str:
    return " or ".join(part for part in (", ".join(values[:-1]), values[-1]) if part)


def _time_zone(value: object) -> str:
    text = to_text(value)
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError from None
    return text


def _objective(value: object) -> float:
    number = to_number(value)
    meant = round(number * ALL_PERCENT, 9)
    if number < SHARE <= meant <= MAXIMUM_OBJECTIVE:
        _refuse(f"a percentage above 0 and below 100: did you mean {meant:g}?")
    if not SHARE <= number <= MAXIMUM_OBJECTIVE:
        raise ValueError
    return number


def check_label(value: object) -> str:
    """Return a label's name; raise ValueError if Prometheus would not accept it."""
    text = to_text(value)
    if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", text):
        if re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_.]*", text):
            _refuse(f"a label's name as Prometheus stores it: {text.replace('.', '_')}")
        raise ValueError
    if text.startswith("__"):
        _refuse("a label's name that does not start with __, which Prometheus keeps for itself")
    return text


def check_metric(value: object) -> str:
    """Return a metric's name; raise ValueError if Prometheus would not accept it."""
    text = to_text(value)
    if not re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", text):
        if re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:.]*", text):
            _refuse(f"a metric's name as Prometheus stores it: {text.replace('.', '_')}")
        raise ValueError
    return text


def _certificate(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - one kind of refusal
    if not value:
        return value
    from observability.certificates import certificates  # noqa: PLC0415 - only where there is one

    certificates(value)
    return value.strip() + "\n"


Boolean = Annotated[bool, Accepts("true or false", to_boolean)]
Text = Annotated[str, Accepts("one line of text", to_text)]
Port = Annotated[int, whole(1, MAXIMUM_PORT)]
Url = Annotated[str, Accepts(_A_URL, _url)]
OptionalUrl = Annotated[str, Accepts(_A_URL + _OR_EMPTY, _or_empty(_url))]
StoreUrl = Annotated[str, Accepts(_A_URL + _OR_EMPTY, _or_empty(_store_url))]
DiscoveryUrl = Annotated[str, Accepts("a URL with its scheme, like http://discovery:8080/targets", _discovery_url)]
Origin = Annotated[str, Accepts("an origin like https://shop.example.org, or * for any", _origin)]
OptionalExactUrl = Annotated[str, Accepts(_A_URL + _OR_EMPTY, _or_empty(_exact_url))]
SecretUrl = Annotated[SecretStr, Accepts(_A_URL, _secret_url)]
Address = Annotated[str, Accepts("host:port, like checkout:8000", _address)]
DnsAddress = Annotated[str, Accepts("host:port, like checkout.internal:8000", _dns_address)]
OptionalAddress = Annotated[str, Accepts("host:port, like mail:25, or empty", _or_empty(_mail_server))]
Host = Annotated[str, Accepts("a host name or an IP address, like docker.example.org or 10.1.2.3", _host)]
PublishedAddress = Annotated[
    str, Accepts("an IP address of the Docker host, like 127.0.0.1, or empty for not published", _or_empty(_bind))
]
BindAddress = Annotated[str, Accepts("an IP address of the Docker host, like 127.0.0.1, 0.0.0.0 or ::1", _bind)]
Path = Annotated[str, Accepts("a path that starts with /, like /metrics", _path)]
Certificate = Annotated[
    str, Accepts("one or more certificates as PEM, -----BEGIN CERTIFICATE----- and so on, or empty", _certificate)
]
Email = Annotated[str, matching("an e-mail address, like ops@example.org", r"[^@\s,;<>]+@[^@\s,;<>]+", longest=254)]
_OWNER = r"[A-Za-z0-9][A-Za-z0-9 ._@#/-]{0,63}"
_AN_OWNER = "1 to 64 letters, digits, spaces and . _ @ # / -, the first a letter or digit"
Owner = Annotated[str, matching(_AN_OWNER, _OWNER)]
OptionalOwner = Annotated[str, matching(_AN_OWNER + _OR_EMPTY, f"({_OWNER})?")]
ClockTime = Annotated[str, matching("a time of day from 00:00 to 23:59", r"([01][0-9]|2[0-3]):[0-5][0-9]")]
TimeZone = Annotated[str, Accepts("a time zone's name, like Europe/Berlin", _time_zone)]
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Weekday = Annotated[
    Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"], one_of(*_WEEKDAYS)
]
Objective = Annotated[
    float, Accepts(f"a percentage above 0 and below 100, from 1 to {MAXIMUM_OBJECTIVE}, like 99.5", _objective)
]
Name = Annotated[
    str,
    matching(
        "1 to 39 lower-case letters, digits and -, the first a letter, like checkout-api", r"[a-z][a-z0-9-]{0,38}"
    ),
]
Metric = Annotated[
    str,
    Accepts("a metric's name: letters, digits, _ and :, the first no digit, like http_requests_total", check_metric),
]
Label = Annotated[str, Accepts("a label's name: letters, digits and _, the first no digit, like status", check_label)]
