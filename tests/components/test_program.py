"""Contracts over every resource that the program registers, in every environment, over Pulumi's mocks."""

from __future__ import annotations

import json
from typing import Any

from cli.evaluation import Registered, evaluate
from components.host import Host
from components.service_spec import Port
from observability.configs import otlp_outside
from observability.settings import DEMO, Settings
from tests.pem import self_signed

Program = tuple[Registered, ...]
SOCKET = "/var/run/docker.sock"
USERS = {
    "grafana": "472:0",
    "prometheus": "65534:65534",
    "loki": "10001:10001",
    "jaeger": "10001:10001",
    "collector": "10001:10001",
    "engine-filter": "65534:65534",
    "reading-proxy": "101:101",
    **dict.fromkeys(DEMO, "65532:65532"),
}
SERVICES = set(USERS)


def of(program: Program, token: str) -> dict[str, dict[str, Any]]:
    return {r.name: r.inputs for r in program if r.type.endswith(token)}


def services(program: Program) -> dict[str, dict[str, Any]]:
    return {n: i for n, i in of(program, ":Container").items() if n in SERVICES}


def loader(program: Program, name: str) -> dict[str, Any]:
    return next(i for n, i in of(program, ":Container").items() if n.endswith(f"-{name}-loader"))


def test_the_services_and_nothing_else_runs(program: Program, settings: Settings) -> None:
    running = {n for n, i in of(program, ":Container").items() if i.get("mustRun", True)}
    assert running == SERVICES - (set() if settings.demo else set(DEMO))


def test_every_container_is_hardened(program: Program, settings: Settings) -> None:
    for name, container in services(program).items():
        assert container["user"] == USERS[name]
        assert container["readOnly"] is True
        assert container["capabilities"] == {"drops": ["ALL"]}
        assert container["securityOpts"] == ["no-new-privileges:true"]
        assert container["memory"] == container["memorySwap"] == settings.limit(name).memory
        assert float(container["cpus"]) == settings.limit(name).cpus
        assert container["logDriver"] == "fluentd"
        assert container["logOpts"]["fluentd-address"] == f"127.0.0.1:{settings.port('containerLogs')}"
        assert container["logOpts"]["fluentd-async"] == "true", "an absent collector does not block containers"
        assert {"cache-max-size": "10m", "cache-max-file": "3"}.items() <= container["logOpts"].items()
        assert container["restart"] == "always"
        assert container["destroyGraceSeconds"] >= 10
        assert container["stopTimeout"] == container["destroyGraceSeconds"]
        assert container["healthcheck"]["tests"][0] == "CMD"
        assert not container.get("privileged")


def test_ports_are_published_where_the_settings_say(program: Program, settings: Settings) -> None:
    published = [p for c in services(program).values() for p in c.get("ports", ())]
    assert {p["ip"] for p in published} == {"127.0.0.1"}
    assert {int(p["external"]) for p in published} == {settings.port(name) for name in settings.published}
    demo = {"demo", "demoPager"} if settings.demo else set()
    assert set(settings.published) == {"grafana", "otlpGrpc", "otlpHttp", "containerLogs"} | demo


def test_applications_see_the_collector_alone(program: Program, stack: str, settings: Settings) -> None:
    seen = {name: networks(container) for name, container in services(program).items()}
    applications, backends = f"observability-{stack}", f"observability-{stack}-backends"
    edge = f"{applications}-edge"
    assert set(seen["grafana"]) == {edge}, "it sends requests to addresses that its users give"
    assert not seen["prometheus"][edge], "Prometheus has no name there, and does not listen there"
    assert {name for name, names in seen.items() if edge in names} == {
        "grafana", "prometheus", "reading-proxy", *(["demo-pager"] if settings.demo else ())
    }  # fmt: skip
    assert {name for name, names in seen.items() if applications in names} == {
        "collector", "prometheus", *(DEMO if settings.demo else ())
    }  # fmt: skip
    assert not seen["prometheus"][applications], "Prometheus has no name there, and does not listen there"
    listens = [c for c in services(program)["prometheus"]["command"] if c.startswith("--web.listen-address=")]
    assert [flag.partition("=")[2] for flag in listens] == ["127.0.0.1:9090", "prometheus-in-backends:9090"]
    assert "prometheus-in-backends" in seen["prometheus"][backends]
    assert seen["collector"][applications] == ["collector"], "the door for Grafana's own spans is not there"
    assert "collector-in-backends" in seen["collector"][backends]
    assert not {name for name in DEMO if backends in seen.get(name, {})}
    internal = {i["name"]: i.get("internal", False) for i in of(program, ":Network").values()}
    assert internal == {applications: False, backends: True, f"observability-{stack}-edge": False}


def networks(container: dict[str, Any]) -> dict[str, list[str]]:
    return {network["name"]: network.get("aliases", []) for network in container["networksAdvanced"]}


def test_jobs_have_a_memory_limit(program: Program) -> None:
    jobs = {n: i for n, i in of(program, ":Container").items() if n not in SERVICES}
    assert jobs
    for name, job in jobs.items():
        assert 0 < job["memory"] == job["memorySwap"], name


def test_nothing_depends_on_a_path_of_this_machine(program: Program) -> None:
    """The one path is of the engine's machine: its own socket, mounted in the filter alone."""
    for name, container in of(program, ":Container").items():
        for volume in container["volumes"]:
            if "hostPath" in volume:
                assert volume == {"hostPath": SOCKET, "containerPath": SOCKET, "readOnly": True}, name
                assert "engine-filter" in name
            else:
                assert volume["volumeName"], name
        for upload in container.get("uploads", ()):
            assert "source" not in upload, name


def test_names_belong_to_the_stack(program: Program, stack: str) -> None:
    for token in (":Container", ":Volume", ":Network"):
        for name, inputs in of(program, token).items():
            # What has no name of its own gets one that starts with the resource's.
            assert inputs.get("name", name).startswith(f"observability-{stack}"), name


def test_a_service_has_its_data_volume_and_the_rest_is_read_only(program: Program, stack: str) -> None:
    for name, container in services(program).items():
        writable = [v for v in container["volumes"] if not v.get("readOnly")]
        expected = [] if name in {"engine-filter", "reading-proxy", *DEMO} else [f"observability-{stack}-{name}-data"]
        assert [v["volumeName"] for v in writable] == expected


def test_file_volumes_follow_their_content(program: Program, stack: str, settings: Settings) -> None:
    labels = {
        n.removeprefix(f"observability-{stack}-"): {label["label"]: label["value"] for label in i["labels"]}
        for n, i in of(program, ":Volume").items()
        if "name" not in i
    }
    assert set(labels) == {
        "grafana-config", "prometheus-config", "loki-config", "jaeger-config", "collector-config",
        "reading-proxy-config",
        "prometheus-secrets", "grafana-secrets", "reading-proxy-secrets",
        *(f"{name}-secrets" for name in DEMO[:2] if settings.demo),
            "tools",
    }  # fmt: skip
    digests = {name: result["observability.content"] for name, result in labels.items() if name != "tools"}
    assert all(len(result) == 12 for result in digests.values())


def test_no_secret_is_in_an_environment_or_a_command(program: Program) -> None:
    generated = [f"generated-grafana-{n}" for n in ("admin-password", "secret-key", "metrics-password")]
    secrets = [*generated, "generated-demo-token", "stand-in-for-a-secret"]
    for name, container in services(program).items():
        text = json.dumps([container["envs"], container.get("command"), container["labels"], container["name"]])
        assert not [s for s in secrets if s in text], name


def test_grafana_reads_its_secrets_from_files(program: Program) -> None:
    environment = dict(e.split("=", 1) for e in services(program)["grafana"]["envs"])
    assert "GF_SECURITY_SECRET_KEY" not in environment, "there, the file's name would be the key"
    (ini,) = (u["content"] for u in loader(program, "grafana-config")["uploads"] if u["file"].endswith("grafana.ini"))
    assert environment["GF_PATHS_CONFIG"].endswith("/grafana.ini")
    environment["secret_key"] = ini.rsplit(" = ", 1)[1].strip()
    for key in (
        "GF_SECURITY_ADMIN_PASSWORD",
        "secret_key",
        "GF_SECRETS_MANAGER_ENCRYPTION_SECRET_KEY_V1_SECRET_KEY",
        "GF_METRICS_BASIC_AUTH_PASSWORD",
    ):
        path = environment[key].removeprefix("$__file{").removesuffix("}")
        uploads = loader(program, "grafana-secrets")["uploads"]
        assert path in {u["file"] for u in uploads}, key


def test_the_tokens_of_senders_are_in_one_secret_file_of_the_collector() -> None:
    certificate, key = self_signed("127.0.0.1")
    tokens = {"shop": "the-shops-token-0123", "gateway": "the-gateways-token-0"}
    raw = {
        "addresses": '{"otlpHttp": "192.0.2.1"}', "publishReason": "x", "tlsCertificate": certificate, "tlsKey": key,
        "otlpSenders": '{"shop": ["checkout"], "gateway": []}', "otlpTokens": json.dumps(tokens),
    }  # fmt: skip
    registered = evaluate("dev", raw, frozenset({"tlsKey", "otlpTokens"}))
    uploads = {u["file"]: u["content"] for u in loader(registered, "collector-secrets")["uploads"]}
    assert uploads[otlp_outside.SENDERS_FILE] == "shop:the-shops-token-0123\ngateway:the-gateways-token-0\n"
    others = [u["content"] for u in loader(registered, "collector-config")["uploads"]]
    assert not [token for token in tokens.values() for text in others if token in text]


def test_folders_and_data_sources_have_their_constant_uids(program: Program) -> None:
    folders = {i["uid"]: i["title"] for i in of(program, "oss/folder:Folder").values()}
    assert folders == {
        "ml-platform": "ML Platform",
        "infrastructure": "Infrastructure",
        "executive": "Executive",
    }
    sources = of(program, "oss/dataSource:DataSource")
    assert set(sources) == {"prometheus", "loki", "jaeger"}
    assert [n for n, i in sources.items() if i.get("isDefault")] == ["prometheus"]


def test_correlations_cover_the_four_ways(program: Program) -> None:
    ways = {(i["source"], i["target"]) for i in of(program, "grafana:Correlation").values()}
    assert ways == {("loki", "jaeger"), ("loki", "prometheus"), ("jaeger", "loki"), ("jaeger", "prometheus")}


def test_dashboards_are_editable_only_where_it_is_said(program: Program, settings: Settings) -> None:
    dashboards = of(program, "oss/dashboard:Dashboard")
    assert set(dashboards) >= {"slo-overview", "application-performance", "infrastructure-health"}
    for inputs in dashboards.values():
        assert json.loads(inputs["configJson"])["editable"] is settings.dashboards_editable


def host(**changed: Any) -> Host:  # noqa: ANN401
    expected: dict[str, Any] = {
        "prefix": "p",
        "stack": "dev",
        "access_host": "127.0.0.1",
        "networks": {},
        "helper": None,
        "secrets_key": None,
    }
    return Host(**expected | {"protect_data": False, "logs_port": 1} | changed)


def test_labels_say_whose_a_thing_is() -> None:
    assert host().labels("loki") == {"observability.stack": "dev", "observability.service": "loki"}


def test_a_container_says_why_its_ports_are_published() -> None:
    outside = host(publish_reason="the office")
    assert outside.published_labels([Port(1, 1, "192.0.2.1")]) == {"observability.published-because": "the office"}
    assert outside.published_labels([Port(1, 1)]) == {} == outside.published_labels([])


def test_home_opens_first(program: Program, settings: Settings) -> None:
    (preferences,) = of(program, "oss/organizationPreferences:OrganizationPreferences").values()
    assert preferences["homeDashboardUid"] == "home"
    assert preferences["theme"] == settings.grafana_theme
    assert "home" in of(program, "oss/dashboard:Dashboard")


def test_dashboards_lie_in_their_folders(program: Program) -> None:
    folders = {name: inputs.get("folder") for name, inputs in of(program, "oss/dashboard:Dashboard").items()}
    assert folders == {
        "home": "infrastructure",
        "slo-overview": "ml-platform",
        "application-performance": "ml-platform",
        "service-detail": "ml-platform",
        "logs": "ml-platform",
        "incident": "ml-platform",
        "infrastructure-health": "infrastructure",
        "hosts": "infrastructure",
        "stack-health": "infrastructure",
        "runbooks": "infrastructure",
        "executive-slo-report": "executive",
    }
