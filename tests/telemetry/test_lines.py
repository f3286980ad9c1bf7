"""What containers print and applications log: whose it is, how bad it is, which trace it belongs to, and no secret."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
import uuid
from typing import Any, Final

import pytest

from cli import otlp
from observability.configs.datasources import datasources, lines_of_trace
from tests.telemetry.conftest import Stores, wait_for

TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN: Final = "00f067aa0ba902b7"
SHORT: Final = "a3ce929d0e0e4736"
OPENED: Final = "5f0c1f0a9a3e4c1d8b7a6f5e4d3c2b1a"
PADDED: Final = SHORT.zfill(32)
UUID: Final = "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"

SPELLINGS: Final = {
    "OpenTelemetry": (f"INFO trace_id={TRACE} span_id={SPAN} paid", TRACE),
    "OpenTelemetry for Python": (f"[trace_id={TRACE} span_id={SPAN} resource.service.name=x] - paid", TRACE),
    "OpenTelemetry for Python, JSON": (json.dumps({"otelTraceID": TRACE, "otelSpanID": SPAN}), TRACE),
    "ECS, nested": (json.dumps({"message": "x", "trace": {"id": TRACE}, "span": {"id": SPAN}}), TRACE),
    "ECS, dotted": (json.dumps({"message": "x", "trace.id": TRACE}), TRACE),
    "camel case": (json.dumps({"traceId": TRACE, "msg": "x"}), TRACE),
    "camel case with ID": (json.dumps({"traceID": TRACE, "msg": "x"}), TRACE),
    "Pascal case": (json.dumps({"@t": "2026", "TraceId": TRACE}), TRACE),
    "nested in MDC": (json.dumps({"mdc": {"traceId": TRACE}, "message": "x"}), TRACE),
    "JSON in a string": (json.dumps({"log": json.dumps({"trace_id": TRACE})}), TRACE),
    "upper case": (f"TRACE_ID={TRACE.upper()} paid", TRACE),
    "W3C header": (f"traceparent: 00-{TRACE}-{SPAN}-01", TRACE),
    "W3C in JSON": (json.dumps({"traceparent": f"00-{TRACE}-{SPAN}-01"}), TRACE),
    "B3": (f"b3: {TRACE}-{SPAN}-1", TRACE),
    "B3 header": (f"X-B3-TraceId: {TRACE}", TRACE),
    "B3, 64 bits": (f"X-B3-TraceId: {SHORT}", PADDED),
    "Jaeger's header": (f"uber-trace-id: {TRACE}:{SPAN}:0:1", TRACE),
    "Spring Cloud Sleuth": (f"2026-01-01 10:00:00.000  INFO [shop,{TRACE},{SPAN}] 1 --- [main] x : paid", TRACE),
    "Spring Cloud Sleuth, 64 bits": (f"INFO [shop,{SHORT},{SHORT},true] paid", PADDED),
    "Spring Boot 3": (f"2026-01-01T10:00:00Z  INFO 1 --- [shop] [nio-1] [{TRACE}-{SPAN}] x : paid", TRACE),
    "UUID": (f"traceId={UUID} paid", TRACE),
    "64 bits": (f'level=info traceID="{SHORT}" msg=paid', PADDED),
    "logfmt with dashes": (f"trace-id={TRACE} paid", TRACE),
}
NONE: Final = {
    "Datadog's decimal": "dd.trace_id=1234567890123456789 dd.span_id=987654321 paid",
    "sixteen decimal digits": "trace_id=1234567890123456 paid",
    "twenty decimal digits": "trace_id=12345678901234567890 paid",
    "thirty-two decimal digits": "trace_id=12345678901234567890123456789012 paid",
    "another ID": f"request_id={UUID} order={TRACE}",
    "zeros": f"trace_id={'0' * 32}",
    "too long": f"trace_id={TRACE}abcdef",
    "a parent's": f"parent_trace_id={TRACE}",
    "no ID": "trace_id=none",
}
LEVELS: Final = {
    "pino 10": ('{"level":10,"msg":"x"}', "trace"),
    "pino 20": ('{"level":20,"msg":"x"}', "debug"),
    "pino 30": ('{"level":30,"msg":"an error, no"}', "info"),
    "pino 40": ('{"level":40,"msg":"x"}', "warn"),
    "pino 50": ('{"level":50,"msg":"x"}', "error"),
    "pino 60": ('{"level":60,"msg":"x"}', "fatal"),
    "GELF 3": ('{"version":"1.1","short_message":"x","level":3}', "error"),
    "GELF 6": ('{"version":"1.1","short_message":"x","level":6}', "info"),
    "zap": ('{"level":"warn","ts":1,"msg":"error"}', "warn"),
    "ECS": ('{"log.level":"ERROR","message":"x"}', "error"),
    "ECS, nested": ('{"log":{"level":"error"},"message":"x"}', "error"),
    "Google": ('{"severity":"CRITICAL","message":"x"}', "fatal"),
    "Python's JSON": ('{"levelname":"WARNING","message":"x"}', "warn"),
    "JSON without a level": ('{"message":"an error in trace mode"}', ""),
    "logfmt": ("time=2026 level=warn msg=error", "warn"),
    "logfmt, quoted": ('ts=1 level="error" msg=x', "error"),
    "Python": ("ERROR:root:x", "error"),
    "Python with a time": ("2026-01-01 10:00:00,000 - shop - WARNING - x", ""),
    "uvicorn": ("INFO:     Started server process [1]", "info"),
    "coloured": ("\x1b[32mINFO\x1b[0m:     Application startup complete.", "info"),
    "coloured error": ("\x1b[31;1mERROR\x1b[0m x", "error"),
    "Spring Boot": ("2026-01-01T10:00:00.000Z  WARN 1 --- [main] c.x.Y : no error", "warn"),
    "log4j": ("10:00:00.123 [main] ERROR com.x.Y - x", "error"),
    "nginx's error log": ("2026/01/01 10:00:00 [error] 7#7: *1 open() failed", "error"),
    "Apache's error log": ("[Thu Jan 01 10:00:00.1 2026] [core:notice] [pid 1] AH00094: x", "info"),
    "klog": ("E0101 10:00:00.000000       1 main.go:1] x", "error"),
    "access log, 200": ('1.2.3.4 - - [01/Jan/2026:10:00:00 +0000] "GET /error HTTP/1.1" 200 5 "-" "curl"', "info"),
    "access log, 404": ('1.2.3.4 - - [01/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 404 5 "-" "curl"', "warn"),
    "access log, 503": ('1.2.3.4 - - [01/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 503 5 "-" "curl"', "error"),
    "uvicorn's access log": ('INFO:     1.2.3.4:5 - "GET / HTTP/1.1" 500 Internal Server Error', "error"),
    "words of a message": ("no error was found while we trace the warning", ""),
    "Python's exception": ('Traceback (most recent call last):\n  File "x", line 1\nValueError: x', "error"),
    "a line of Python's stack": ('  File "/app/shop.py", line 12, in pay', "error"),
    "a line of Java's stack": ("\tat com.x.Shop.pay(Shop.java:12)", "error"),
    "Java's exception": ("java.lang.IllegalStateException: x\n\tat a.B.c(B.java:1)", "error"),
    "Go's panic": ("panic: x\n\ngoroutine 1 [running]:", "error"),
}
SECRETS: Final = {
    "password=hunter2": "password=****",
    "user=a password=hunter2 b": "user=a password=**** b",
    '{"password": "hunter2", "a": 1}': '{"password": "****", "a": 1}',
    "DB_PASSWORD: hunter2": "DB_PASSWORD: ****",
    "GET /x?token=abc123&b=1": "GET /x?token=****&b=1",
    "api_key='abc123'": "api_key='****'",
    "Authorization: Bearer abc.def": "Authorization: Bearer ****",
    "authorization=Basic dXNlcjpwdw==": "authorization=Basic ****",
    "postgres://shop:hunter2@db/shop": "postgres://shop:****@db/shop",
    "key AKIAIOSFODNN7EXAMPLE used": "key **** used",
    "ghp_0123456789abcdefghijklmnopqrstuvwxyz": "****",
    "client_secret=abc": "client_secret=****",
}
PLAIN: Final = (
    "the password was wrong", "token refreshed", "passed=12 failed=0", "tokens: 12 of 500", "key not found: order 7",
    "http://shop:8080/a", "at 10:00:00 b@c.d",
)  # fmt: skip


def of(line_stores: Stores, name: str) -> list[tuple[dict[str, str], str]]:
    return line_stores.lines(f'{{container_name="{name}"}}')


def printed(line_stores: Stores, lines: dict[str, str], **record: str) -> dict[str, tuple[dict[str, str], str]]:
    """Print each line in a container of its own, and return its labels and its text as they are stored."""
    tag = uuid.uuid4().hex[:8]
    names = {kind: f"box-{tag}-{n}" for n, kind in enumerate(lines)}
    for kind, line in lines.items():
        line_stores.print_line(line, container_name=f"/{names[kind]}", container_id=names[kind], **record)
    selector = f'{{container_name=~"box-{tag}-.*"}}'
    wait_for(lambda: len(line_stores.lines(selector)) >= len(lines))
    result = {labels["container_name"]: (labels, text) for labels, text in line_stores.lines(selector)}
    return {kind: result[name] for kind, name in names.items()}


def test_every_spelling_of_a_trace_id_is_one_label(line_stores: Stores) -> None:
    result = printed(line_stores, {kind: line for kind, (line, _) in SPELLINGS.items()})
    wrong = {
        kind: (result[kind][0].get("trace_id"), line)
        for kind, (line, trace) in SPELLINGS.items()
        if result[kind][0].get("trace_id") != trace
    }
    assert wrong == {}


def test_what_is_no_trace_id_leads_nowhere(line_stores: Stores) -> None:
    result = printed(line_stores, NONE)
    assert {kind: labels["trace_id"] for kind, (labels, _) in result.items() if labels.get("trace_id")} == {}


def test_one_button_and_no_second_one(line_stores: Stores) -> None:
    """With the data source's own settings, matched by JavaScript as Grafana 12.4 matches them (getDerivedFields.ts)."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("not on PATH: node")
    (fields,) = (d.json_data["derivedFields"] for d in datasources(line_stores.settings) if d.uid == "loki")
    traces = [field for field in fields if field["datasourceUid"] == "jaeger"]
    result = printed(line_stores, {**{kind: line for kind, (line, _) in SPELLINGS.items()}, **NONE})
    script = """
    const [fields, rows] = JSON.parse(require("fs").readFileSync(0));
    const value = (field, labels, line) => {
      if (field.matcherType === "label") {
        const key = Object.keys(labels).find((name) => new RegExp(field.matcherRegex).test(name));
        return key === undefined ? null : labels[key];
      }
      const match = line.match(field.matcherRegex);
      return match && match[1] ? match[1] : null;
    };
    console.log(JSON.stringify(rows.map(([labels, line]) =>
      fields.map((field) => value(field, labels, line)).filter((found) => found))));
    """
    given = json.dumps([traces, [list(row) for row in result.values()]])
    done = subprocess.run([node, "-e", script], input=given, capture_output=True, text=True, check=True)
    buttons = dict(zip(result, json.loads(done.stdout), strict=True))
    assert buttons == {**{kind: [trace] for kind, (_, trace) in SPELLINGS.items()}, **{kind: [] for kind in NONE}}


def test_from_the_trace_back_to_its_lines(line_stores: Stores) -> None:
    lines = {kind: line for kind, (line, trace) in SPELLINGS.items() if trace == TRACE}
    printed(line_stores, lines)
    assert len(line_stores.lines(lines_of_trace(TRACE))) >= len(lines)
    short = {kind: line for kind, (line, trace) in SPELLINGS.items() if trace == PADDED}
    printed(line_stores, short)
    assert len(line_stores.lines(lines_of_trace(SHORT))) >= len(short)


def test_a_page_opened_to_look_at_a_trace_is_no_line_of_it(line_stores: Stores) -> None:
    """Grafana logs the address of the page with each request that it makes."""
    before = len(line_stores.lines(lines_of_trace(OPENED)))
    own = {"observability.service": "grafana", "observability.stack": line_stores.settings.stack}
    own["container_name"] = f"/{line_stores.settings.prefix}-grafana"
    line_stores.print_line(f'msg="Request Completed" referer="/explore?query={OPENED}"', **own)
    line_stores.print_line(f"something about {OPENED}")
    wait_for(lambda: len(line_stores.lines(f'{{service_name=~".+"}} |= "{OPENED}"')) == 2)
    assert len(line_stores.lines(lines_of_trace(OPENED))) == before + 1


def test_every_line_has_the_level_that_it_says(line_stores: Stores) -> None:
    result = printed(line_stores, {kind: line for kind, (line, _) in LEVELS.items()})
    wrong = {
        kind: (result[kind][0].get("detected_level", ""), level)
        for kind, (_, level) in LEVELS.items()
        if result[kind][0].get("detected_level", "") != level
    }
    assert wrong == {}


def test_a_record_keeps_the_level_that_it_was_sent_with(line_stores: Stores) -> None:
    record = otlp.record("an error in a warning", level="") | {"severityNumber": 9}
    otlp.push(line_stores.otlp, "records", {"levelled": [record, otlp.record("error", level="WARN")]})
    wait_for(lambda: len(line_stores.lines('{service_name="levelled"}')) == 2)
    levels = {text: labels.get("detected_level") for labels, text in line_stores.lines('{service_name="levelled"}')}
    assert levels == {"an error in a warning": "info", "error": "warn"}


def test_secrets_are_masked_and_nothing_else(line_stores: Stores) -> None:
    given = {**{line: line for line in SECRETS}, **{line: line for line in PLAIN}}
    result = printed(line_stores, given)
    assert {line: result[line][1] for line in given} == {**SECRETS, **{line: line for line in PLAIN}}


def test_secrets_in_attributes_are_masked(line_stores: Stores) -> None:
    attributes = [
        {"key": key, "value": {"stringValue": value}}
        for key, value in {
            "http.request.header.authorization": "Bearer abc", "user.password": "hunter2",
            "url.full": "https://x/?token=abc&b=1", "plain": "value",
        }.items()
    ]  # fmt: skip
    otlp.push(line_stores.otlp, "records", {"masked": [otlp.record("x") | {"attributes": attributes}]})
    (labels, _) = wait_for(lambda: line_stores.lines('{service_name="masked"}'))[0]
    expected = {
        "http_request_header_authorization": "****", "user_password": "****",
        "url_full": "https://x/?token=****&b=1", "plain": "value",
    }  # fmt: skip
    assert {key: labels.get(key) for key in expected} == expected


def test_what_a_terminal_would_act_on_is_gone(line_stores: Stores) -> None:
    lines = {
        "colours": "\x1b[1;31mred\x1b[0m and \x1b]0;title\x07plain",
        "reversed": "invoice\u202efdp.exe",
        "control": "a\x00b\x08c\td",
    }
    result = printed(line_stores, lines)
    assert {kind: text for kind, (_, text) in result.items()} == {
        "colours": "red and plain", "reversed": "invoicefdp.exe", "control": "abc\td",
    }  # fmt: skip


def test_a_line_belongs_to_the_container_that_printed_it(line_stores: Stores) -> None:
    prefix = line_stores.settings.prefix
    label = "observability.service"
    claims: dict[str, dict[str, Any]] = {
        "own": {"container_name": f"/{prefix}-grafana", label: "grafana", "observability.stack": "dev"},
        "claims to be": {"container_name": "/rogue", label: "grafana", "observability.stack": "dev"},
        "is called like": {"container_name": "/grafana"},
        "another stack's": {
            "container_name": "/observability-other-loki",
            label: "loki",
            "observability.stack": "other",
        },
        "an application": {"container_name": "/shop-1"},
        "labelled": {"container_name": "/shop-2", label: "shop"},
    }
    tag = uuid.uuid4().hex
    for kind, record in claims.items():
        line_stores.print_line(f"{tag} {kind}", **record)
    wait_for(lambda: len(line_stores.lines(f'{{service_name=~".+"}} |= "{tag}"')) == len(claims))
    result = {
        text.partition(" ")[2]: (labels["service_name"], labels["stack"])
        for labels, text in line_stores.lines(f'{{service_name=~".+"}} |= "{tag}"')
    }
    assert result == {
        "own": ("grafana", "dev"),
        "claims to be": ("docker/grafana", "dev"),
        "is called like": ("docker/grafana", "dev"),
        "another stack's": ("docker/loki", "dev"),
        "an application": ("shop-1", "dev"),
        "labelled": ("shop", "dev"),
    }


def test_what_reading_and_masking_cost(line_stores: Stores) -> None:
    """Say how many lines a second go through; no limit, as the machine may be busy."""
    line = f'{{"level":"info","msg":"paid","trace_id":"{TRACE}","path":"/orders","ms":12}}'
    started = time.monotonic()
    for _ in range(40):
        otlp.push(line_stores.otlp, "records", {"fast": [otlp.record(line) for _ in range(250)]})
    wait_for(lambda: len(line_stores.lines('{service_name="fast"}')) >= 5_000, 60)
    cpu = next(v for k, v in line_stores.own_metrics().items() if re.match("otelcol_process_cpu_seconds", k))
    sys.stdout.write(f"\n10,000 lines in {time.monotonic() - started:.1f} s; the collector's CPU so far {cpu:.1f} s\n")
