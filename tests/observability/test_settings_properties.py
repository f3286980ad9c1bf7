"""Any input gives settings or a list of problems; what is accepted, Prometheus accepts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as bounds
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from observability import rules
from observability.configs import prometheus
from observability.names.paths import CONFIG, SECRETS
from observability.rules.slo import RecordingRule, RuleGroup, group, to_yaml
from observability.settings import CustomSlo, Settings, SettingsError, WatchedService, load, quoted, secret_keys
from observability.settings.documents import DocumentError, parse
from observability.settings.promql import Events, Regex, Selector
from tests.observability.rules.conftest import Promtool

if TYPE_CHECKING:
    from pathlib import Path

UNHURRIED = bounds(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
SECRET = "hunter2-correct-horse-battery"
KEYS = [f.alias or n for n, f in Settings.model_fields.items() if not f.exclude]


def names(model: type[Any] = Settings) -> list[str]:
    """Return the names of all fields, of the nested models too."""
    schema = json.dumps(model.model_json_schema(by_alias=True))
    result: list[str] = []
    for part in [json.loads(schema), *json.loads(schema).get("$defs", {}).values()]:
        result += part.get("properties", {})
    return sorted(set(result))


def problems(raw: dict[str, str]) -> tuple[str, ...]:
    """Return what is wrong with a configuration."""
    try:
        load("dev", raw)
    except SettingsError as error:
        return error.problems
    return ()


def mistake(text: str) -> str:
    """Return what is wrong with the text of a stack's file."""
    try:
        parse(text, "Pulumi.dev.yaml")
    except DocumentError as error:
        return str(error)
    return ""


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["true", "99.5", "nan", "30d", "4w", "a:1", "http_requests_total", "5..", "sum(x)", "{}"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(names()) | st.text(max_size=5), inner),
    max_leaves=12,
)
TEXTS = st.text(max_size=30) | VALUES.map(json.dumps)


@UNHURRIED
@given(
    raw=st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), TEXTS, max_size=5),
    secret=st.sets(st.sampled_from(secret_keys())),
    stack=st.sampled_from(["dev", "prod", "", "A b", "é\n"]),
    others=st.lists(st.text(max_size=20), max_size=2),
)
@example(raw={"services": '[{"name": "a", "otlp": [[]]}]'}, secret=set(), stack="dev", others=[])
def test_any_configuration_gives_settings_or_problems(
    raw: dict[str, str], secret: set[str], stack: str, others: list[str]
) -> None:
    raw |= dict.fromkeys(secret, SECRET)
    raw["slackToken"] = SECRET
    with pytest.raises(SettingsError) as caught:
        load(stack, raw, frozenset(secret), others)
    assert SECRET not in str(caught.value)
    assert all(problem.splitlines() == [problem] for problem in caught.value.problems)


@UNHURRIED
@given(st.lists(VALUES, max_size=3))
def test_any_services_give_settings_or_problems(services: list[object]) -> None:
    assert all(problem.splitlines() == [problem] for problem in problems({"services": json.dumps(services)}))


FRAGMENTS = st.sampled_from(
    [
        "config:",
        "observability:demo",
        ": ",
        "- ",
        "\n",
        "\n  ",
        "\t",
        "{",
        "}",
        "[",
        "]",
        '"',
        "'",
        "&a",
        "*a",
        "!!int",
        "!x",
        "|",
        ">",
        "---",
        "...",
        "#",
        "%YAML 1.1",
        "? ",
        "<<",
        "true",
        "1",
        "0x",
        "1e",
        "2026-01-01",
        "secure",
        "\x00",
        "\u2028",
        "🙂",
    ]
)


@UNHURRIED
@given(st.lists(FRAGMENTS | st.text(max_size=3), max_size=25).map("".join))
def test_any_text_gives_a_document_or_one_line(text: str) -> None:
    output = mistake(text)
    assert len(output.splitlines()) <= 1
    assert not output or output.startswith("Pulumi.dev.yaml:")


LABEL = st.sampled_from(["app", "env", "le", "status", "code", "path", "_x", "__y"])
WORD = st.text("ab5.*+?()[]{}|\\^$dDwW(?=!<:é🙂\"'`", max_size=6)
MATCHER = st.builds(lambda n, o, v: f"{n}{o}{json.dumps(v)}", LABEL, st.sampled_from(["=", "!=", "=~", "!~"]), WORD)
SELECTOR = st.lists(MATCHER, max_size=3).map(", ".join) | st.lists(MATCHER, min_size=1, max_size=2).map(" or ".join)
COUNTER = st.builds(
    lambda name, selector, more: f"{name}{{{selector}}}{more}" if selector else f"{name}{more}",
    st.sampled_from(["orders_total", "http_requests_count", "queue_depth", "x:y:rate5m", "sum"]),
    SELECTOR,
    st.sampled_from(["", "", " offset 5m", " @ 5", " @ end()", "[5m]", " # all"]),
)
PROMQL = st.recursive(
    COUNTER,
    lambda inner: st.one_of(
        inner.map(lambda e: f"sum(rate({e}[5m]))"),
        inner.map(lambda e: f"({e})"),
        inner.map(lambda e: f"-{e}"),
        st.builds(
            lambda a, o, b: f"{a} {o} {b}", inner, st.sampled_from(["+", "/", "or", "and on ()", "> bool"]), inner
        ),
        inner.map(lambda e: f"topk(1, {e})"),
        inner.map(lambda e: f"limitk(1, {e})"),
        inner.map(lambda e: f"clamp_min({e}, 0)"),
        inner.map(lambda e: f"max_over_time({e}[5m:1m])"),
    ),
    max_leaves=4,
)
GOALS = {
    "objective": st.sampled_from([50, "99.5", 99.99, 99.9999, 0.5]),
    "window": st.sampled_from(["3d", "4w", "720h", "30d"]),
}
SLOS = st.fixed_dictionaries({"name": st.sampled_from(["x", "y"]), "good": PROMQL, "total": PROMQL, **GOALS})
KINDS = st.sampled_from(["native", "classic"])
METRICS: list[dict[str, object]] = [
    {},
    {"duration": "x_ms", "unit": "milliseconds"},
    {"requests": "x", "inProgress": None},
]
SERVICE = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b", "a-tickets", "shop"]), "targets": st.just(["a:1"])},
    optional={
        "serviceName": st.sampled_from(["Shop.Checkout", "cart_api", "shop/checkout", 'a"b\\c', "🙂 é"]),
        "selector": SELECTOR,
        "errors": WORD | st.sampled_from(["5..", "5(?!03)..", "4..|5..", "\\d{3}"]),
        "targetLabels": st.dictionaries(LABEL, WORD, max_size=2),
        "params": st.dictionaries(WORD, st.lists(WORD, max_size=2), max_size=2),
        "scrapeInterval": st.sampled_from(["1s", "30s", "1m"]),
        "metrics": st.sampled_from(METRICS),
        "labels": st.fixed_dictionaries({}, optional=dict.fromkeys(("endpoint", "method", "status"), LABEL)),
        "availability": st.none() | st.fixed_dictionaries({}, optional=GOALS),
        "latency": st.none() | st.fixed_dictionaries({}, optional={**GOALS, "histogram": KINDS}),
        "slos": st.lists(SLOS, max_size=2),
    },
)


@bounds(UNHURRIED, max_examples=60)
@given(st.lists(SERVICE, min_size=1, max_size=2))
def test_what_settings_accept_promtool_accepts(
    promtool: str, tmp_path: Path, services: list[dict[str, object]]
) -> None:
    tool = Promtool(promtool, tmp_path)
    try:
        settings = load("dev", {"services": json.dumps(services)})
    except SettingsError:
        return
    done = tool.lint(rules.render(settings))
    assert done.returncode == 0, done.stdout + done.stderr
    done = check_config(tool, settings)
    assert done.returncode == 0, done.stdout + done.stderr


def check_config(promtool: Promtool, settings: Settings) -> Any:  # noqa: ANN401 - what subprocess.run returns
    """Run promtool over the configuration, with its files below the test's folder."""
    process = prometheus.process(settings, {})
    stand_ins = dict.fromkeys(process.secrets, "stand-in")
    for path, text in {**process.files, **stand_ins}.items():
        target = below(promtool.folder, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(moved(promtool.folder, text) if path.endswith(".yml") else text)
    return promtool.run("check", "config", str(below(promtool.folder, prometheus.FILE)))


def below(folder: Path, path: str) -> Path:
    return folder / path.lstrip("/")


def moved(folder: Path, text: str) -> str:
    for root in (CONFIG, SECRETS):
        text = text.replace(f"{root}/", f"{below(folder, root)}/")
    return text


def accepted(kind: Any, values: list[str]) -> list[str]:  # noqa: ANN401 - a type of the settings
    """Return those of the values that the type accepts."""
    adapter: TypeAdapter[str] = TypeAdapter(kind)
    result = []
    for value in values:
        try:
            result.append(adapter.validate_python(value))
        except ValidationError:
            continue
    return result


@bounds(UNHURRIED, max_examples=25)
@given(st.lists(PROMQL, max_size=40), st.lists(SELECTOR, max_size=40), st.lists(WORD, max_size=40))
def test_what_each_type_accepts_promtool_accepts(
    promtool: str, tmp_path: Path, events: list[str], selectors: list[str], regexes: list[str]
) -> None:
    service = WatchedService(name="a", targets=("a:1",), availability=None, latency=None)
    texts: list[str] = []
    for index, text in enumerate(accepted(Events, events)):
        slo = CustomSlo.model_validate({"name": f"s{index}", "objective": 99, "good": text, "total": text})
        texts += [rule.expr for rule in group(service.model_copy(update={"slos": (slo,)}), "1m").rules]
    for text in accepted(Selector, selectors):
        texts += [rule.expr for rule in group(service.model_copy(update={"selector": text}), "1m").rules]
    texts += [f"up{{status=~{quoted(text)}}}" for text in accepted(Regex, regexes)]
    names = (RecordingRule(f"test:rule:{index}", text, {}) for index, text in enumerate(dict.fromkeys(texts)))
    file = to_yaml(RuleGroup("test", "1m", tuple(names)))
    done = Promtool(promtool, tmp_path).lint({"rules.yml": file})
    assert done.returncode == 0, done.stdout + done.stderr
