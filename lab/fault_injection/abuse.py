"""Thousands of bad requests to every published port: no access, no crash, and memory stays within its limits.

The requests are oversized, malformed or slow, carry wrong credentials, traverse directories, use unknown methods, or
are small archives that unpack to gigabytes. Bounded: COUNT requests, WORKERS at a time, loopback only.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import random
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Final

from cli.console import say, table
from cli.waiting import until
from components.grafana_api import GrafanaError
from lab import load_generator
from lab.fault_injection import AROUND_SECONDS, RATE, Outcome, after, missed, restarts, settle
from lab.fault_injection.alarms import watched
from lab.sandbox import Sandbox
from lab.stress import measured
from observability.settings import DEFAULT_PORTS, DEMO_PORTS
from observability.settings.parts import PORTS as PUBLISHED

COUNT: Final = 10_000
WORKERS: Final = 16
SLOW: Final = 40
"""Connections to each port that send one header per second and never finish."""
SLOW_SECONDS: Final = 30.0
ANSWER_SECONDS: Final = 10.0
_READ_BYTES: Final = 65_536
_MEBIBYTE: Final = 1024 * 1024
_LARGE: Final = 24 * _MEBIBYTE
_BOMB_MEBIBYTES: Final = 2_000
_RARE: Final = 50
"""One request in this many is oversized or an archive."""
FORGED: Final = b"\x93\xa1a\xdd\x7f\xff\xff\xff"
"""A fluentd forward message that announces two billion entries. Collector 0.152 allocates memory for all of them at
once and has no setting against it. A few messages kill it; only this host can reach `containerLogs`."""
FORGERIES: Final = 50
_JSON: Final = {"Content-Type": "application/json"}
_BACK_SECONDS: Final = 60.0
_LOCKED_SECONDS: Final = 400.0

PORTS: Final = tuple(name for name, port in PUBLISHED.items() if name not in DEMO_PORTS and not port.requires)
SECRETS: Final = (b"root:x:0", b"[security]", b"admin_password", b"SECRET", b"PRIVATE KEY", b"scrape_configs:")
"""Content that no answer may contain: a password file, configurations, keys."""

INTAKES: Final[dict[str, tuple[str, ...]]] = {
    "grafana": ("/api/ds/query", "/login", "/api/dashboards/db", "/api/live/push/x"),
    "prometheus": ("/api/v1/otlp/v1/metrics", "/api/v1/write", "/api/v1/query"),
    "loki": ("/loki/api/v1/push", "/otlp/v1/logs", "/loki/api/v1/query_range"),
    "jaeger": ("/api/traces", "/analytics/v1/x"),
    "otlpHttp": ("/v1/traces", "/v1/logs", "/v1/metrics"),
    "otlpGrpc": ("/opentelemetry.proto.collector.trace.v1.TraceService/Export",),
    "collector": ("/",),
    "containerLogs": ("/",),
}
"""Paths of each port that accept data."""
PROTECTED: Final = (
    "/api/user", "/api/search", "/api/admin/settings", "/api/datasources", "/api/org/users", "/metrics",
    "/api/datasources/proxy/uid/prometheus/api/v1/query?query=up", "/api/v1/provisioning/alert-rules",
    "/api/frontend/settings/", "/api/snapshots", "/api/admin/users", "/api/serviceaccounts/search",
)  # fmt: skip
"""Paths of Grafana that need credentials."""
CLOSED: Final[dict[str, tuple[str, ...]]] = {
    "prometheus": (
        "/-/quit",
        "/-/reload",
        "/api/v1/admin/tsdb/delete_series?match[]=up",
        "/api/v1/admin/tsdb/snapshot",
    ),
}
"""Paths that would change or stop a service and are disabled. They are requested with POST."""
TRAVERSALS: Final = (
    "/../../../../etc/passwd", "/..%2f..%2f..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/public/../../../../../etc/passwd", "/public/plugins/alertlist/../../../../../../../../etc/passwd",
    "/static/..%252f..%252fetc/passwd", "/..\\..\\..\\etc\\passwd", "//etc/passwd", "/graph/../../../run/observability",
    "/public/..%2f..%2f..%2frun/observability/admin-password", "/avatar/..%2f..%2fetc%2fpasswd",
)  # fmt: skip


@dataclass(frozen=True)
class Bad:
    """One bad request. `kind` names what is wrong with it; with `refuse`, an answer of 2xx is a vulnerability."""

    port: str
    kind: str
    payload: bytes
    refuse: bool = False


@dataclass
class Answers:
    """Answers by port: how many of each class (`2xx`, …, `none`), and answers that are vulnerabilities."""

    by_port: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in PORTS})
    vulnerabilities: list[str] = field(default_factory=list)

    def take(self, bad: Bad, answer: bytes) -> None:
        """Count one answer."""
        head = answer[:12]
        status = head[9:12].decode(errors="replace") if head.startswith(b"HTTP/1.") else ""
        self.by_port[bad.port][f"{status[0]}xx" if status.isdecimal() else "other" if answer else "none"] += 1
        if (bad.refuse and status.startswith("2")) or any(secret in answer for secret in SECRETS):
            self.vulnerabilities.append(f"{bad.port}: {bad.kind}: {bad.payload[:60]!r} was answered {answer[:60]!r}")


def http(
    path: str,
    headers: Mapping[str, str] = MappingProxyType({}),
    *,
    method: str = "GET",
    body: bytes = b"",
    length: int | None = None,
) -> bytes:
    """Return an HTTP/1.1 request as bytes. Nothing is checked or completed."""
    all_headers = {"Host": "127.0.0.1", "Connection": "close", **headers}
    if body or length is not None:
        all_headers["Content-Length"] = str(len(body) if length is None else length)
    lines = "".join(f"{key}: {value}\r\n" for key, value in all_headers.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode(errors="surrogateescape") + body


def bad_requests(port: str, seed: int = 0) -> Iterator[Bad]:
    """Yield an endless series of bad requests to a port, repeatable by its seed."""
    chance = random.Random(f"{port}{seed}")  # noqa: S311 - a repeatable variety, no secret
    makers = [_malformed, _methods, _traversal, _bodies, _binary]
    if port == "grafana":
        makers += [_credentials, _credentials]
    for number in itertools.count():
        if number % _RARE == 0:
            yield from _large(port, number // _RARE)
        yield from makers[number % len(makers)](port, chance)


def _malformed(port: str, chance: random.Random) -> Iterator[Bad]:
    noise = chance.randbytes(chance.randint(1, 4096))
    yield Bad(port, "malformed", chance.choice((
        noise,
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET  HTTP/1.1\r\nHost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\nzzzz\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + noise,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\x04\x00\x00\x00\x00\x00",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + noise,  # a TLS handshake
    )))  # fmt: skip


def _methods(port: str, chance: random.Random) -> Iterator[Bad]:
    method = chance.choice(("BREW", "TRACE", "CONNECT", "PROPFIND", "DELETE", "PUT", "PATCH", "get", "\x00"))
    yield Bad(port, "method", http(chance.choice(INTAKES[port]), method=method))
    if port in CLOSED:
        yield Bad(port, "closed", http(chance.choice(CLOSED[port]), method="POST", length=0), refuse=True)


def _traversal(port: str, chance: random.Random) -> Iterator[Bad]:
    yield Bad(port, "traversal", http(chance.choice(TRAVERSALS)))


def _bodies(port: str, chance: random.Random) -> Iterator[Bad]:
    body = chance.choice((
        b'{"queries": [' + b"[" * 20_000,
        b"{" * 1_000,
        b'{"a": "\xff\xfe"',
        b'"' + b"\\u0000" * 500,
    ))  # fmt: skip
    path = chance.choice(INTAKES[port])
    yield Bad(port, "json", http(path, _JSON, method="POST", body=body), refuse=port in {"otlpHttp", "loki"})
    shape = chance.choice((
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": 1}]}]}]}',
        b'{"streams": [{"stream": {"a": 1}, "values": [["x"]]}]}',
        b"null",
    ))  # fmt: skip
    yield Bad(port, "shape", http(path, _JSON, method="POST", body=shape))
    yield Bad(port, "too short", http(path, _JSON, method="POST", body=body, length=10**10))


def _binary(port: str, chance: random.Random) -> Iterator[Bad]:
    noise = b"\x0a\xff\xff\xff\xff\x0f" + chance.randbytes(chance.randint(1, 2048))  # announces a field of 4 GiB
    path = chance.choice(INTAKES[port])
    binary_headers = {
        "Content_Type": "application/x-protobuf",
        "Content_Encoding": chance.choice(("", "snappy", "gzip", "zstd")),
    }
    yield Bad(
        port, "protobuf", http(path, binary_headers, method="POST", body=noise), refuse=port in {"otlpHttp", "loki"}
    )
    yield Bad(port, "message", chance.choice((
        b"\xdd\xff\xff\xff\xff" + noise,  # MessagePack: announces an array of 4 billion
        b"\xdb\xff\xff\xff\xff" + noise,  # a string of 4 GiB
        b"\xc6\xff\xff\xff\xff" + noise,  # binary data of 4 GiB
        b"\x91" * 50_000,  # deeply nested arrays
        b"\x93\xa1a\xdd\x00\x00\xff\xff" + noise,  # a forward message of 65,535 entries; FORGED announces more
        b"\x94\xa1a\x01\x81\xa1b\xdf\xff\xff\xff\xff" + noise,  # an entry of 4 billion fields
    )))  # fmt: skip


def _credentials(port: str, chance: random.Random) -> Iterator[Bad]:
    word = chance.choice(("admin", "password", "", "' OR 1=1 --", chance.randbytes(12).hex()))
    user = chance.choice(("nobody", "root", "", chance.randbytes(4).hex()))
    basic = base64.b64encode(f"{user}:{word}".encode()).decode()
    path = chance.choice(PROTECTED)
    yield Bad(port, "credentials", http(path, chance.choice((
        {"Authorization": f"Basic {basic}"},
        {"Authorization": f"Bearer glsa_{chance.randbytes(16).hex()}_00000000"},
        {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."},
        {"Cookie": f"grafana_session={chance.randbytes(16).hex()}"},
        {"X-WEBAUTH-USER": "admin"},
        {"X-JWT-Assertion": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."},
        {"X-Grafana-Org-Id": "1", "X-Forwarded-For": "127.0.0.1"},
        {},
    ))), refuse=True)  # fmt: skip


def _large(port: str, number: int) -> Iterator[Bad]:
    path = INTAKES[port][number % len(INTAKES[port])]
    refuse = port == "otlpHttp"
    if number % 2:
        packed = {**_JSON, "Content-Encoding": "gzip"}
        yield Bad(port, "archive", http(path, packed, method="POST", body=_archive()), refuse=refuse)
    else:
        yield Bad(port, "oversized", http(path, _JSON, method="POST", body=b'{"a": "' + b" " * _LARGE), refuse=refuse)


@cache
def _archive() -> bytes:
    """Return a gzip archive that unpacks to _BOMB_MEBIBYTES."""
    packing = zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS)
    return b"".join(packing.compress(b" " * _MEBIBYTE) for _ in range(_BOMB_MEBIBYTES)) + packing.flush()


async def _send(port: int, bad: Bad) -> bytes:
    answer = b""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(bad.payload)
                await writer.drain()
                if bad.kind in {"too short", "message"}:
                    writer.write_eof()
                while len(answer) < _READ_BYTES and (part := await reader.read(_READ_BYTES)):
                    answer += part
            finally:
                writer.close()
    except (OSError, TimeoutError):
        pass
    return answer


async def _slowly(port: int) -> None:
    """Keep a connection open with a request that never ends."""
    until_ = time.monotonic() + SLOW_SECONDS
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\n")
        while time.monotonic() < until_:
            writer.write(b"X-a: b\r\n")
            await writer.drain()
            await asyncio.sleep(1)
        writer.close()
    except OSError:
        return


async def _send_all(stack: Sandbox, count: int) -> Answers:
    answers = Answers()
    sources = [bad_requests(port) for port in PORTS]
    everything = itertools.islice((bad for row in zip(*sources, strict=True) for bad in row), count)

    async def work() -> None:
        for bad in everything:
            answers.take(bad, await _send(DEFAULT_PORTS[bad.port] + stack.offset, bad))

    await asyncio.gather(
        *(work() for _ in range(WORKERS)),
        *(_slowly(DEFAULT_PORTS[port] + stack.offset) for port in PORTS for _ in range(SLOW)),
    )
    return answers


def send_all(stack: Sandbox, count: int) -> Answers:
    """Send `count` bad requests over all published ports, together with the slow ones; return the answers."""
    return asyncio.run(_send_all(stack, count))


def scenario(stack: Sandbox, _after: ExitStack) -> Outcome:
    """Send all requests, then lock out the administrator with wrong passwords and wait until login works again."""
    settle(stack)
    before, began = restarts(stack), time.monotonic()
    with watched(stack) as alarms, measured(stack) as uses:
        answers = send_all(stack, COUNT)
        took = time.monotonic() - began
        say(f"  {COUNT:,} in {took:.0f} s")
    died = {name: count - before[name] for name, count in restarts(stack).items() if count != before[name]}
    serving = until(lambda: all(stack.healthy(name) for name in uses), ANSWER_SECONDS)
    classes = ("2xx", "3xx", "4xx", "5xx", "other", "none")
    table(
        f"{COUNT:,} bad requests, {SLOW} slow connections to each port",
        ("port", *classes),
        [(port, *(f"{counts[name]:,}" for name in classes)) for port, counts in answers.by_port.items()],
    )
    table(
        "memory, at most",
        ("container", "MiB", "limit"),
        [(name, f"{use.memory:.0f}", f"{use.limit_memory:.0f}") for name, use in uses.items()],
    )
    for vulnerability in answers.vulnerabilities[:20]:
        say(vulnerability)
    locked = _locked(stack)
    most = max(uses, key=lambda name: uses[name].memory / (uses[name].limit_memory or 1))
    return Outcome(
        f"{COUNT:,} bad requests over {len(PORTS)} ports in {took:.0f} s",
        f"died: {died or 'nothing'}; let through: {len(answers.vulnerabilities) or 'none'}; most memory: {most}"
        f" {uses[most].memory:.0f} of {uses[most].limit_memory:.0f} MiB",
        f"healthy throughout; after wrong passwords the administrator can log in after {locked:.0f} s",
        alarms.summary() or "no alert",
        missed(
            {
                "nothing dies": not died,
                "memory stays below its limit": all(u.memory < u.limit_memory for u in uses.values()),
                "no request gets access": not answers.vulnerabilities,
                "every service is healthy afterwards": serving <= ANSWER_SECONDS,
                "the administrator can log in again": locked <= _LOCKED_SECONDS,
            }
        ),
    )


async def _forge(port: int) -> None:
    """Send FORGED several times, each followed by bytes that are no entry."""
    bad = Bad("containerLogs", "message", FORGED + b"\xff" * 1_000)
    await asyncio.gather(*(_send(port, bad) for _ in range(FORGERIES)))


def forged(stack: Sandbox, _after: ExitStack) -> Outcome:
    """Send the message that the collector cannot defend against, under light load."""
    settle(stack)
    with watched(stack) as alarms, load_generator.counted(stack, RATE) as counted:
        time.sleep(AROUND_SECONDS)
        before = restarts(stack)["collector"]
        asyncio.run(_forge(DEFAULT_PORTS["containerLogs"] + stack.offset))
        died = until(lambda: restarts(stack)["collector"] > before, ANSWER_SECONDS) <= ANSWER_SECONDS
        well = until(lambda: stack.serves("collector"), _BACK_SECONDS)
        time.sleep(AROUND_SECONDS)
    return Outcome(
        f"{FORGERIES} messages to the port for container logs that announce two billion lines",
        f"{counted}",
        f"the collector {'dies, and serves again' if died else 'survives, and serves'} after {after(well)}",
        alarms.summary() or "no alert",
        missed({"it recovers without help": well <= _BACK_SECONDS, "acknowledged data is stored": counted.whole}),
    )


def _locked(stack: Sandbox) -> float:
    """Try wrong passwords as the administrator; return the seconds until the right one is accepted again."""
    path = http("/api/user", {"Authorization": f"Basic {base64.b64encode(b'admin:wrong').decode()}"})
    port = DEFAULT_PORTS["grafana"] + stack.offset
    for _ in range(10):
        asyncio.run(_send(port, Bad("grafana", "credentials", path)))

    def accepted() -> bool:
        try:
            return bool(stack.grafana().request("GET", "/api/user"))
        except GrafanaError:
            return False

    return until(accepted, _LOCKED_SECONDS, every=2)
