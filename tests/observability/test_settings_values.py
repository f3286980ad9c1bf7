"""What can never work is refused, by one rule wherever a value stands, and every answer helps.

Each case stands for its kind: neighbours of the inputs that went wrong once.
"""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from observability.rules.windows import BURN_ALERTS
from observability.settings import Settings, SettingsError, WatchedService, load, milliseconds
from observability.settings.slos import SHORTEST_WINDOW
from observability.settings.value_types import Accepts


def problems(raw: dict[str, str], secret: frozenset[str] = frozenset()) -> str:
    with pytest.raises(SettingsError) as caught:
        load("dev", raw, secret)
    assert all(len(p.splitlines()) == 1 for p in caught.value.problems)
    return "\n".join(caught.value.problems)


def service(**fields: object) -> dict[str, str]:
    return {"services": json.dumps([{"name": "a", "targets": ["a:1"], **fields}])}


def read(**fields: object) -> WatchedService:
    return load("dev", service(**fields)).services[0]


def services(*given: dict[str, object]) -> dict[str, str]:
    return {"services": json.dumps([{"targets": ["a:1"], **one} for one in given])}


def slo(**fields: object) -> dict[str, str]:
    return service(slos=[{"name": "b", "objective": 99, "good": "x_total", "total": "x_total", **fields}])


OBJECTIVES = ["250", "-5", "nan", "inf", True, False, "99,5", "99.5%", 100, 0, 99.9999999, "", None, [], {}, "1e400"]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_no_percentage(objective: object) -> None:
    output = problems(service(availability={"objective": objective}))
    assert output.startswith("services[0].availability.objective: ")
    assert "a percentage above 0 and below 100" in output
    assert output.replace("availability", "latency") == problems(service(latency={"objective": objective}))
    assert "a percentage" in problems(slo(objective=objective))


@pytest.mark.parametrize(("objective", "meant"), [(0.995, "99.5"), ("0.9", "90"), (0.9999, "99.99"), (0.07, "7")])
def test_a_share_is_asked_about(objective: object, meant: str) -> None:
    assert f"did you mean {meant}?" in problems(service(availability={"objective": objective}))


@pytest.mark.parametrize("objective", [99, "99", "99.0", "9.9e1", " 99 "])
def test_quoted_numbers_are_numbers(objective: object) -> None:
    (result,) = load("dev", slo(objective=objective)).services[0].slos
    assert result.objective == 99.0


@pytest.mark.parametrize("value", ["yes", "on", 1, "1", 0, None, "", [], "truee"])
def test_booleans_are_true_or_false(value: object) -> None:
    for given in (service(otlp=value), slo(alerting=value), {"oauth": json.dumps({"usePkce": value})}):
        assert "accepted: true or false" in problems(given)
    assert "accepted: true or false" in problems({"demo": "" if value is None else str(value)})


@pytest.mark.parametrize("value", [True, "true", "True", "TRUE"])
def test_true_is_converted_before_the_conventions_apply(value: object) -> None:
    given = {"services": json.dumps([{"name": "a", "otlp": value}])}
    (result,) = load("dev", given).services
    assert result.otlp
    assert result.metrics.requests == "http_server_request_duration_seconds_count"
    assert result.matchers == 'service_name="a"'


@pytest.mark.parametrize(
    "window", ["1ms", "1h", "2d", "0s", "-1d", "2y", "40y", "73h1ms", "5", 5, "", "1d1w", "٣d", "1.5d"]
)
def test_windows_hold_what_the_alerts_look_back_over(window: object) -> None:
    for given in (service(availability={"window": window}), service(latency={"window": window}), slo(window=window)):
        assert "window: " in problems(given)


@pytest.mark.parametrize("window", ["3d", "4w", "672h", "1w", "1w2d", "96h"])
def test_windows(window: str) -> None:
    assert load("dev", slo(window=window)).services


def test_the_shortest_window_is_the_longest_of_the_alerts() -> None:
    assert milliseconds(SHORTEST_WINDOW) == max(milliseconds(alert.long) for alert in BURN_ALERTS)


def test_weeks_and_years() -> None:
    assert load("dev", {"prometheusRetention": "1y", **service(availability={"window": "4w"})})
    assert milliseconds("1y2w3d4h5m6s7ms") == (((365 + 14 + 3) * 24 + 4) * 3600 + 5 * 60 + 6) * 1000 + 7


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scrapeInterval", "1ms"), ("scrapeInterval", "1500ms"), ("scrapeInterval", "15"), ("scrapeInterval", "1y"),
        ("ruleInterval", "1ms"), ("ruleInterval", "1h"), ("healthInterval", "1ms"), ("healthInterval", "1d"),
        ("jaegerRetention", "1ms"), ("jaegerRetention", "2y"), ("lokiRetention", "1s"), ("prometheusRetention", "99y"),
        ("prometheusRetentionSize", "0GB"), ("prometheusRetentionSize", "1MB"), ("prometheusRetentionSize", "20gb"),
        ("prometheusRetentionSize", "1.5GB"), ("prometheusRetentionSize", "-1GB"),
        ("bindAddress", "999.1.1.1"), ("bindAddress", "1.2.3"), ("bindAddress", ":::1"), ("bindAddress", "[::1]"),
        ("bindAddress", "localhost"), ("bindAddress", ""), ("bindAddress", "fe80::1%eth0"),
        ("bindAddress", "127.0.0.01"),
        ("accessHost", "999.1.1.1"), ("accessHost", "a b"), ("accessHost", ""), ("accessHost", "http://a"),
        ("accessHost", "-a"), ("accessHost", "a..b"), ("accessHost", "[::1]"), ("accessHost", "ü.example.org"),
        ("portOffset", "nan"), ("portOffset", "1.5"), ("portOffset", "1e99"), ("portOffset", "50001"),
        ("portOffset", "true"), ("portOffset", ""), ("demoRate", "0"), ("demoRate", "-1"), ("demoRate", "inf"),
        ("ports", '{"grafana": 0}'), ("ports", '{"grafana": -1}'), ("ports", '{"grafana": 65536}'),
        ("ports", '{"grafana": "http"}'), ("ports", '{"grafana": true}'), ("ports", '{"grafana": null}'),
        ("ports", '{"grafana": 3000.5}'), ("ports", "[]"), ("ports", "3000"), ("ports", '{"": 1}'),
        ("limits", '{"grafana": {"memory": 512, "cpus": 0.001}}'),
        ("limits", '{"grafana": {"memory": 512, "cpus": 0}}'),
        ("limits", '{"grafana": {"memory": 512, "cpus": -1}}'), ("limits", '{"grafana": {"memory": "1GB", "cpus": 1}}'),
        ("limits", '{"grafana": {"memory": NaN, "cpus": 1}}'),
        ("limits", '{"grafana": {"memory": 512, "cpus": Infinity}}'),
        ("limits", '{"grafana": {"memory": 512}}'), ("limits", '{"grafana": 512}'), ("limits", '{"grafana": null}'),
        ("grafanaRootUrl", "http://a:port/"), ("grafanaRootUrl", "http://a:0/"), ("grafanaRootUrl", "http://a:99999/"),
        ("grafanaRootUrl", "http://a:-1/"), ("grafanaRootUrl", "http://"), ("grafanaRootUrl", "http://[::1/"),
        ("grafanaRootUrl", "ftp://a/"), ("grafanaRootUrl", "http://a b/"), ("grafanaRootUrl", "http://999.1.1.1/"),
        ("grafanaRootUrl", "https://a/?x=1"), ("grafanaRootUrl", "https://a/#x"), ("grafanaRootUrl", "//a/"),
        ("alertWebhookUrl", "http://a:http/"), ("alertWebhookUrl", "http://:80/"), ("runbookBaseUrl", "http://a:٣/"),
        ("smtpHost", "mail:0"), ("smtpHost", "mail:65536"), ("smtpHost", "mail:smtp"), ("smtpHost", "::1:25"),
        ("smtpHost", "999.1.1.1:25"), ("smtpHost", "mail:"), ("smtpHost", ":25"), ("smtpHost", "a b:25"),
        ("dockerSocket", "var/run/docker.sock"), ("dockerSocket", "tcp://a:2375"), ("dockerSocket", "/a\nb"),
        ("owner", "a" * 65), ("owner", "é"), ("owner", " a"), ("smtpFrom", "nobody"), ("smtpFrom", "a@b\n"),
        ("alertEmail", "[1]"), ("alertEmail", '"a@b"'), ("alertEmail", "[null]"), ("alertEmail", "a@b.c"),
        ("grafanaFeatureToggles", '["a b"]'), ("grafanaFeatureToggles", "a"), ("grafanaTheme", ""),
        ("ticketQuietHours", '{"timezone": "../etc/passwd"}'), ("ticketQuietHours", '{"timezone": "Europe"}'),
        ("ticketQuietHours", '{"start": 1080, "end": 480}'), ("ticketQuietHours", '{"weekdays": "monday"}'),
        ("ticketQuietHours", "[]"), ("oauth", '{"clientId": null}'), ("oauth", "yes"),
        ("oauth", '{"scopes": "openid"}'),
        ("services", "null"), ("services", "{}"), ("services", "[null]"), ("services", '["a"]'), ("services", "[[]]"),
        ("services", "[" * 5_000), ("services", "[{}]"), ("services", '[{"name": null}]'), ("services", "nonsense"),
    ],
)  # fmt: skip
def test_a_value_that_can_never_work(key: str, value: str) -> None:
    output = problems({key: value})
    assert output.startswith(key), output
    assert "accepted: " in output or "unknown field" in output


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bindAddress", "::1"), ("accessHost", "fd00::1"), ("accessHost", "docker.example.org"),
        ("smtpHost", "[::1]:25"),
        ("smtpHost", ""), ("grafanaRootUrl", "https://[fd00::1]:8443/grafana"), ("grafanaTheme", "Dark"),
        ("ports", '{"grafana": "3001"}'), ("limits", '{"grafana": {"memory": "512", "cpus": "0.5"}}'),
        ("services", ""), ("services", "[]"), ("ports", ""), ("dockerSocket", ""), ("prometheusRetentionSize", "512MB"),
        ("alertWebhookUrl", "https://user:word@hooks.example.org/x?y=z"),
        ("ticketQuietHours", '{"weekdays": ["Monday"]}'),
    ],
)  # fmt: skip
def test_a_value_that_works(key: str, value: str) -> None:
    assert load("dev", {key: value})


@pytest.mark.parametrize(
    ("fields", "accepted"),
    [
        ({"metricsPath": "/probe?module=http"}, "params: {module: [http]}"),
        ({"metricsPath": "/m\n/x"}, "text without line breaks"),
        ({"metricsPath": "metrics"}, "a path that starts with /"),
        ({"metricsPath": ""}, "a path that starts with /"),
        ({"metricsPath": "/a#b"}, "a path that starts with /"),
        ({"targets": ["http://a:1"]}, "scheme and metricsPath are fields of their own"),
        ({"targets": ["a:1/metrics"]}, "scheme and metricsPath are fields of their own"),
        ({"targets": ["a:port"]}, "host:port"),
        ({"targets": ["a:-1"]}, "host:port"),
        ({"targets": ["::1:80"]}, "host:port"),
        ({"targets": ["[zz]:80"]}, "host:port"),
        ({"targets": [""]}, "host:port"),
        ({"targets": "a:1"}, "a list"),
        ({"dns": ["10.0.0.1:80"]}, "an IP address belongs in targets"),
        ({"httpSd": ["http://u:p@sd/"]}, "without user name and password"),
        ({"scheme": "ftp"}, "http or https"),
        ({"targetLabels": {"service": "x"}}, "a label of your own"),
        ({"targetLabels": {"job": "x"}}, "a label of your own"),
        ({"targetLabels": {"instance": "x"}}, "a label of your own"),
        ({"targetLabels": {"le": "x"}}, "a label of your own"),
        ({"targetLabels": {"stack": "x"}}, "a label of your own"),
        ({"targetLabels": {"__address__": "x"}}, "does not start with __"),
        ({"targetLabels": {"status": "200"}}, "tells the service's requests apart"),
        ({"targetLabels": {"my.team": "x"}}, "as Prometheus stores it: my_team"),
        ({"targetLabels": {"a-b": "x"}}, "a label's name"),
        ({"targetLabels": {"team": None}}, "one line of text"),
        ({"targetLabels": {"team": "a\nb"}}, "text without line breaks"),
        ({"targetLabels": ["team"]}, "an object with named fields"),
        ({"labels": {"endpoint": "le"}}, "a label that tells requests apart"),
        ({"labels": {"status": "__name__"}}, "does not start with __"),
        ({"labels": {"endpoint": "path", "method": "path"}}, "path is given twice"),
        ({"labels": {"endpoint": "status"}}, "status is given twice"),
        ({"labels": {"status": None}}, "a label's name"),
        ({"labels": {"endpoint": "http.route"}}, "as Prometheus stores it: http_route"),
        ({"metrics": {"duration": "x_seconds_bucket"}}, "the histogram's name without _bucket: x_seconds"),
        ({"metrics": {"duration": "x_seconds_count"}}, "the histogram's name without _count: x_seconds"),
        ({"metrics": {"duration": "x_milliseconds"}}, "unit: milliseconds"),
        ({"metrics": {"duration": "x_ms"}}, "unit: milliseconds"),
        ({"metrics": {"duration": "x_seconds", "unit": "milliseconds"}}, "unit: seconds"),
        ({"metrics": {"unit": "minutes"}}, "seconds or milliseconds"),
        ({"metrics": {"requests": "http_requests_in_progress"}}, "named like a gauge"),
        ({"metrics": {"requests": "up"}}, "named like a gauge"),
        ({"metrics": {"requests": "x_seconds_bucket"}}, "x_seconds_count"),
        ({"metrics": {"requests": "http.requests"}}, "as Prometheus stores it: http_requests"),
        ({"metrics": {"requests": ""}}, "a counter's name"),
        ({"metrics": {"requests": None}}, "a counter's name"),
        ({"buckets": [0]}, "a number from 0.000001"),
        ({"buckets": ["nan"]}, "a number from 0.000001"),
        ({"buckets": [True]}, "a number from 0.000001"),
        ({"buckets": 0.3}, "a list"),
        ({"latency": {"threshold": "0.3"}}, "a number with its unit"),
        ({"latency": {"threshold": 300}}, "a number with its unit"),
        ({"latency": {"threshold": "2h"}}, "a duration from 1ms to 1h"),
        ({"latency": []}, "an object with named fields"),
        ({"errors": "5(?!03).."}, "no lookahead"),
        ({"errors": "(?<=5).."}, "no lookbehind"),
        ({"errors": "(5)\\1"}, "a regular expression of RE2"),
        ({"errors": "(?P=x)"}, "a regular expression of RE2"),
        ({"errors": "5{1001}"}, "a regular expression of RE2"),
        ({"errors": "5\\C."}, "a regular expression of RE2"),
        ({"errors": "5++"}, "a regular expression of RE2"),
        ({"errors": ""}, "a regular expression of RE2"),
        ({"errors": "5..|"}, "does not match an empty status"),
        ({"errors": ".*"}, "does not match an empty status"),
        ({"errors": "(4..)?(5..)?"}, "does not match an empty status"),
        ({"errors": " 5.."}, "without spaces around it"),
        ({"errors": "5xx"}, "5.. is 500 as well as the text 5xx"),
        ({"errors": "4XX|5xx"}, "4..|5.. is 500 as well"),
        ({"errors": None}, "a regular expression of RE2"),
        ({"selector": 'app="x" or app="y"'}, "without `or`"),
        ({"selector": 'app=~"(?!x)"'}, "PromQL label matchers"),
        ({"selector": 'app=~"x(?=y)"'}, "PromQL label matchers"),
        ({"selector": 'app=~"(a)(?x)"'}, "a regular expression of RE2"),
        ({"selector": 'app="x"} or up{a="b"'}, "without braces"),
        ({"selector": 'app="x"} offset 5m #'}, "label matchers"),
        ({"selector": '{app="x"}'}, "PromQL label matchers"),
        ({"selector": ","}, "PromQL label matchers"),
        ({"selector": 'le="1"'}, "without le"),
        ({"selector": '__name__="x"'}, "PromQL label matchers"),
        ({"selector": 'app="x" # y'}, "PromQL label matchers"),
        ({"selector": 5}, "PromQL"),
        ({"scrapeInterval": "1ms"}, "a duration from 1s"),
        ({"scrapeInterval": "90s"}, "at most 1m for a service with SLOs"),
        ({"scrapeTimeout": "30s"}, "at most scrapeInterval"),
        ({"params": {"module": []}}, "one line of text"),
        ({"params": {"module": [None]}}, "one line of text"),
        ({"params": {"": "x"}}, "one line of text"),
        ({"basicAuth": {"username": "me"}}, "passwordSecret: missing"),
        ({"basicAuth": {"username": "", "passwordSecret": "x"}}, "1 to 200 characters"),
        ({"bearerTokenSecret": "nobody"}, "pulumi config set --secret --path scrapeSecrets.NAME"),
        ({"tls": {"ca": "nonsense"}, "scheme": "https"}, "certificates as PEM"),
        ({"tls": {"serverName": "a b"}, "scheme": "https"}, "a host name"),
        ({"tls": {"keySecret": "x"}, "scheme": "https"}, "certificate and keySecret together"),
        ({"tls": {}}, "scheme: https"),
        ({"serviceName": "a\nb"}, "text without line breaks"),
        ({"serviceName": " "}, "without spaces around it"),
        ({"serviceName": "shop "}, "without spaces around it"),
        ({"selector": 'service.name="x"'}, "Prometheus stores service.name as service_name"),
        ({"metricsPath": "/m?x"}, "like params: {x: ['']}"),
        ({"metricsPath": "/m?a=b&c=d&a=e"}, "like params: {a: [b, e], c: [d]}"),
        ({"metricsPath": "/m?"}, "like params: {name: [value]}"),
        ({"httpSd": ["http://sd/%zz"]}, "% begins a character's code"),
        ({"httpSd": ["http://[v1.x]/"]}, "a URL with its scheme"),
        ({"httpSd": ["http://sd/#x"]}, "without a fragment"),
        ({"latency": {"threshold": "0.3s"}}, "did you mean 300ms?"),
        ({"latency": {"threshold": "1.5m"}}, "did you mean 90s?"),
        ({"buckets": [0.1] * 500}, "one of its buckets, 0.1s"),
        ({"serviceName": "x" * 201}, "at most 200 characters"),
        ({"serviceName": "grafana"}, "a name that no other service carries"),
    ],
)  # fmt: skip
def test_a_service_that_can_never_work(fields: dict[str, object], accepted: str) -> None:
    output = problems(service(**fields))
    assert output.startswith("services[0]")
    assert accepted in output


@pytest.mark.parametrize(
    ("promql", "accepted"),
    [
        ("a_total offset 5m", "without offset and @"),
        ("a_total offset -5m", "without offset and @"),
        ("a_total @ 5", "without offset and @"),
        ("a_total @ end()", "without offset and @"),
        ('a_total{x="y" or x="z"}', "without `or`"),
        ('sum(rate(a_total{x="y" or x="z"}[5m]))', "without `or`"),
        ('sum(rate(a_total{x=~"y(?!z)"}[5m]))', "PromQL for events"),
        ('sum(rate(a_total{x=~"(?x)y"}[5m]))', "a regular expression of RE2"),
        ('label_replace(rate(a_total[5m]), "a", "$1", "b", "(?=x)")', "no lookahead"),
        ("limitk(3, rate(a_total[5m]))", "behind a feature flag"),
        ("mad_over_time(a[5m])", "behind a feature flag"),
        ("info(a_total)", "behind a feature flag"),
        ("probe_success", "A gauge counts no events"),
        ("up", "A gauge counts no events"),
        ("queue_depth", "A gauge counts no events"),
        ('{__name__="queue_depth"}', "A gauge counts no events"),
        ("5", "an instant vector"),
        ("", "PromQL for events"),
        ("(" * 1_000, "nested brackets"),
        ("x_total" * 1_000, "at most 4000 characters"),
        ("-" * 3_000 + "x_total", "fewer signs"),
        ("{}", "PromQL for events"),
        (5, "PromQL"),
    ],
)  # fmt: skip
def test_events_that_prometheus_would_refuse(promql: object, accepted: str) -> None:
    for field in ("good", "total"):
        output = problems(slo(**{field: promql}))
        assert output.startswith(f"services[0].slos[0].{field}: ")
        assert accepted in output


def test_an_slo_counts_good_or_bad_events() -> None:
    assert "accepted: total with good or bad, or gauge" in problems(slo(total=None))
    assert "either good or bad" in problems(slo(good=None))
    load("dev", slo(good=None, bad="failed_total"))


@pytest.mark.parametrize(
    ("given", "accepted"),
    [
        ([{"name": "a"}, {"name": "a-tickets"}], "with or without -tickets"),
        ([{"name": "a-tickets"}, {"name": "a"}], "with or without -tickets"),
        ([{"name": "a"}, {"name": "a"}], "a name that no other service has"),
        ([{"name": "span-metrics"}], "a name that no other service has"),
        ([{"name": "collector"}], "a name that no other service has"),
        ([{"name": "A"}], "lower-case letters"),
        ([{"name": "ä"}], "lower-case letters"),
        ([{"name": "a" * 40}], "1 to 39"),
        ([{"name": ""}], "lower-case letters"),
        ([{"name": "a", "serviceName": "x"}, {"name": "b", "serviceName": "x"}], "no other service carries"),
        ([{"name": "a"}, {"name": "b", "serviceName": "a"}], "no other service carries"),
    ],
)
def test_names_that_collide(given: list[dict[str, object]], accepted: str) -> None:
    for watch in ("true", "false"):
        assert accepted in problems({**services(*given), "watchStack": watch})


def test_a_service_without_anything_to_measure_is_refused() -> None:
    nothing = {"services": '[{"name": "a"}]'}
    assert "targets: missing; accepted: what there is to measure" in problems(nothing)
    assert load("dev", {**nothing, "remoteWriteReceiver": "true"})
    assert load("dev", {"services": '[{"name": "a", "selector": "app=\\"a\\""}]'})


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (service(metricPath="/m"), "services[0].metricPath: unknown field; did you mean `metricsPath`? Fields are: "),
        (service(metrics_paths="/m"), "did you mean `metricsPath`?"),
        (service(latency={"treshold": "1s"}), "services[0].latency.treshold: unknown field; did you mean `threshold`?"),
        (service(labels={"colour": "x"}), "labels.colour: unknown field; Fields are: endpoint, method, status"),
        (slo(goood="x"), "services[0].slos[0].goood: unknown field; did you mean `good`?"),
        ({"limits": '{"grafana": {"memory": 512, "cpu": 1, "cpus": 1}}'}, "did you mean `cpus`? Fields are: "),
        ({"oauth": '{"clientSecret": "x"}'}, "oauth.clientSecret: unknown field; "),
        ({"watchStak": "true"}, "watchStak: unknown setting; did you mean `watchStack`?"),
        ({"nothing.like.it": "true"}, "settings are: accessHost, "),
        (slo(name=None), "services[0].slos[0].name: null; accepted: 1 to 39 lower-case letters"),
        ({"services": '[{"targets": ["a:1"]}]'}, "services[0].name: missing; accepted: 1 to 39 lower-case letters"),
        ({"ports": '{"web": 80}'}, "ports.web: "),
        ({"owner": "x\u202ey"}, "owner: 'x\\u202ey'"),
        ({"grafanaTheme": "x" * 5_000}, "…'; accepted: "),
    ],
)  # fmt: skip
def test_messages_name_what_is_accepted(raw: dict[str, str], said: str) -> None:
    result = problems(raw)
    assert said in result
    for foreign in ("^[", "True", "None", "('", "')", "pydantic"):
        assert foreign not in result


SECRET = "hunter2-correct-horse"


@pytest.mark.parametrize(
    "raw",
    [
        service(basicAuth={"username": "me", "password": SECRET}),
        service(bearerToken=SECRET),
        service(bearerTokenSecret=f"{SECRET}!"),
        service(tls={"keySecret": f"{SECRET} x"}),
        service(headers={"Authorization": SECRET}),
        service(httpSd=[f"https://u:{SECRET}@sd.example.org/?x"]),
        {"grafanaRootUrl": f"https://u:{SECRET}@grafana.example.org:x/"},
        {"alertWebhookUrl": f"https://u:{SECRET}@:80/"},
        {"grafanaAdminPassword": f"{SECRET}\n"},
        {"scrapeSecrets": json.dumps({"a": SECRET})},
        {"scrapeSecrets": json.dumps({"a b": SECRET})},
        {"scrapeSecrets": json.dumps({"a": [SECRET]})},
        {"scrapeSecrets": SECRET},
        {"oauth": json.dumps({"clientSecret": SECRET})},
        {"slackToken": SECRET},
        {"services": json.dumps({"password": SECRET})},
    ],
)
def test_no_message_shows_a_secret(raw: dict[str, str]) -> None:
    assert SECRET not in problems(raw)
    assert SECRET not in problems({**raw, "portOffset": "x"}, frozenset(raw))


def test_whole_numbers_are_text_where_text_is_meant() -> None:
    assert read(errors=500).errors == "500"
    assert dict(read(targetLabels={"zone": 1}).target_labels) == {"zone": "1"}
    assert "one line of text" in problems(service(targetLabels={"zone": 1.5}))


def bare(model: type[BaseModel], seen: set[type[BaseModel]]) -> list[str]:
    """Return the fields whose type has a bool, int, float or str without a rule of its own."""
    result: list[str] = []
    if model in seen:
        return result
    seen.add(model)

    def walk(annotation: Any, where: str, ruled: bool) -> None:  # noqa: ANN401, FBT001
        if annotation in {bool, int, float, str} and not ruled:
            result.append(where)
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
            result.extend(bare(annotation, seen))
        metadata = getattr(annotation, "__metadata__", ())
        for argument in get_args(annotation)[: 1 if metadata else None]:
            if argument is not Ellipsis:
                walk(argument, where, ruled or any(isinstance(m, Accepts) for m in metadata))

    for name, field in model.model_fields.items():
        walk(field.annotation, f"{model.__name__}.{name}", any(isinstance(m, Accepts) for m in field.metadata))
    return result


def test_no_field_is_without_a_rule() -> None:
    assert bare(Settings, set()) == ["Settings.stack"]


@pytest.mark.parametrize(
    ("promql", "accepted"),
    [
        # The level of a counter is no rate: ratios of it are those since the beginning.
        ("sum(a_total)", "the rate of a_total"),
        ('sum by (x) (a_total{ok="1"})', "the rate of a_total"),
        ("a_total + b_total", "which only ever grows"),
        ("-a_total", "the rate of a_total"),
        ("a_total / b_count", "which only ever grows"),
        ("rate(a_total[5m]) - b_total", "the rate of b_total"),
        ("topk(3, a_total)", "the rate of a_total"),
        ("clamp_min(a_sum, 0)", "the rate of a_sum"),
        ("http.requests", "Prometheus stores http.requests as http_requests"),
        ("rate(http.requests.total[5m])", "as http_requests_total"),
    ],
)
def test_promql_that_counts_no_events(promql: str, accepted: str) -> None:
    assert accepted in problems(slo(good=promql))
    assert accepted in problems(slo(total=promql))


@pytest.mark.parametrize(
    "promql",
    [
        "rate(a_total[5m]) and on (job) a_total",
        "rate(a_total[5m]) unless b_total",
        "rate(a_total[5m]) * on () count(b_total)",
        "sum(rate(a_total[5m])) or vector(0)",
        "max_over_time(rate(a_total[5m])[1h:])",
        "increase(a_total[5m]) / 300",
        "sum(shop:requests_total)",
    ],
)
def test_promql_that_counts_events(promql: str) -> None:
    assert load("dev", slo(good=promql)).services[0].slos[0].good == promql


def test_a_discovery_url_is_taken_as_it_is() -> None:
    urls = ("http://sd/targets", "http://sd:8080/targets?team=shop", "http://sd/targets/")
    assert read(httpSd=urls).http_sd == urls


@pytest.mark.parametrize(
    ("setting", "value", "accepted"),
    [
        ("corsOrigins", ["https://a.b:0"], "an origin like"),
        ("corsOrigins", ["https://a.b:70000"], "an origin like"),
        ("corsOrigins", ["https://a..b"], "an origin like"),
        ("corsOrigins", ["https://-"], "an origin like"),
        ("corsOrigins", ["https://*.*.b"], "one * at most"),
        ("corsOrigins", ["https://a.b/"], "without a slash at its end: https://a.b"),
        ("corsOrigins", ["a.b"], "an origin like"),
        ("networks", ["host"], "made by docker network create"),
        ("networks", ["none"], "made by docker network create"),
        ("networks", ["bridge"], "made by docker network create"),
        ("networks", ["shop", "shop"], "each network once"),
        ("networks", ["observability-dev-backends"], "a network of others"),
        ("metrics", {"writeUrl": "http://m/%zz"}, "% begins a character's code"),
        ("metrics", {"writeUrl": "http://m/", "tenant": ".."}, "a tenant's ID"),
        ("metrics", {"writeUrl": "http://m/", "mode": "move"}, "accepted: copy"),
        ("smtpHost", "smtp://mail:25", "like mail:25, without a scheme"),
        ("grafanaRootUrl", "http://[v1.x]/", "a URL with its scheme"),
    ],
)
def test_a_setting_that_can_never_work(setting: str, value: object, accepted: str) -> None:
    output = problems({setting: value if isinstance(value, str) else json.dumps(value)})
    assert output.startswith(setting)
    assert accepted in output


@pytest.mark.parametrize(
    "origin",
    ["*", "https://*.a.b", "http://localhost:3000", "https://[::1]:3000", "HTTPS://A.B", "capacitor://localhost"],
)
def test_origins_that_browsers_send(origin: str) -> None:
    assert load("dev", {"corsOrigins": json.dumps([origin])}).cors_origins == (origin,)


@pytest.mark.parametrize(
    ("number", "text"), [("1e400", ".inf"), ("-1e400", "-.inf"), ("1e-9", "0.000000001"), ("NaN", ".nan")]
)
def test_numbers_are_shown_as_yaml_has_them(number: str, text: str) -> None:
    raw = json.dumps([{"name": "a", "targets": ["a:1"], "availability": {"objective": "HERE"}}])
    raw = raw.replace('"HERE"', number.replace("1e400", "Infinity"))
    assert f"objective: {text};" in problems({"services": raw})


@pytest.mark.parametrize(
    ("good", "total"),
    [
        ("increase(a_total[5m])", "rate(b_total[5m])"),
        ("rate(a_total[5m])", "sum(increase(b_total[1h]))"),
        ("increase(a_total[5m])", "increase(b_total[10m])"),
        ("a_total", "increase(b_total[5m])"),
        ("sum(increase(a_total[5m])) or vector(0)", "b_total"),
    ],
)
def test_events_are_counted_over_one_time(good: str, total: str) -> None:
    assert "over the same time" in problems(slo(good=good, total=total))
    assert load("dev", slo(good="increase(a_total[5m])", total="increase(b_total[5m])")).services


@pytest.mark.parametrize(
    ("promql", "accepted"),
    [
        ("rate(a_total[5m] @ 5)", "without @"),
        ("sum(rate(a_total[5m] @ end()))", "without @"),
        ("-rate(a_total[5m])", "never negative"),
        ("histogram_quantile(0.9, rate(a_bucket[5m]))", "histogram_quantile does not count events"),
        ("sum(absent(a_total))", "absent does not count events"),
        ("deriv(a[5m])", "deriv does not count events"),
        ("delta(a[5m]) or vector(0)", "delta does not count events"),
    ],
)
def test_promql_whose_values_are_no_rate(promql: str, accepted: str) -> None:
    assert accepted in problems(slo(good=promql))


@pytest.mark.parametrize("errors", ["200", "2..", ".+", "[0-9]+", r"\d\d\d", "[^5].."])
def test_a_success_is_no_failure(errors: str) -> None:
    assert "does not match 200" in problems(service(errors=errors))


@pytest.mark.parametrize(
    ("metrics", "accepted"),
    [
        ({"requests": "http_request_duration_seconds_sum"}, "http_request_duration_seconds_count"),
        ({"requests": "queue_size"}, "named like a gauge"),
        ({"requests": "go_goroutines"}, "named like a gauge"),
        ({"requests": "requests_per_second"}, "named like a gauge"),
        ({"requests": "http_latency_ms"}, "named like a gauge"),
        ({"duration": "http_latency_microseconds"}, "in seconds or milliseconds"),
        ({"duration": "http_latency_ns", "unit": "milliseconds"}, "in seconds or milliseconds"),
        ({"duration": "response_bytes"}, "in seconds or milliseconds"),
    ],
)
def test_metrics_that_count_no_requests(metrics: dict[str, str], accepted: str) -> None:
    assert accepted in problems(service(metrics=metrics))


@pytest.mark.parametrize(
    ("fields", "accepted"),
    [
        ({"selector": 'status="200"'}, "selector without status"),
        ({"selector": 'service="shop", code="200"', "labels": {"status": "code"}}, "selector without code"),
        ({"labels": {"status": "instance"}}, "which target was asked"),
        ({"labels": {"status": "job"}}, "which target was asked"),
    ],
)
def test_an_slo_that_cannot_fail(fields: dict[str, Any], accepted: str) -> None:
    assert accepted in problems(service(**fields))


def test_some_statuses_may_be_left_out() -> None:
    assert read(selector='service="shop", status!="499"').selector
