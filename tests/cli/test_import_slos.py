"""SLOs of Sloth, Pyrra and OpenSLO become ours; what cannot is named with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cli.app import main
from cli.import_slos import read, report, written
from observability.settings import Settings, WatchedService
from observability.settings.checks import across

if TYPE_CHECKING:
    from cli.slo_import.found import Found

FILES = Path(__file__).parent / "slo_files"


def found_in(name: str, **options: str) -> dict[str, Found]:
    text = (FILES / f"{name}.yaml").read_text(encoding="utf-8")
    return {one.name: one for one in read([(f"{name}.yaml", text)], **options)}


def states(found: dict[str, Found]) -> dict[str, str]:
    return {name: one.state for name, one in found.items()}


def numbers(found: dict[str, Found]) -> dict[str, dict[str, Any]]:
    """Return what each imported SLO counts."""
    keys = ("good", "bad", "total", "gauge")
    return {name: {k: one.slo[k] for k in keys if k in one.slo} for name, one in found.items() if not one.refused}


def test_sloth() -> None:
    found = found_in("sloth")
    count, bucket = 'page_seconds_count{job="shop"}[5m]', 'page_seconds_bucket{job="shop",le=~"2([.]0)?"}[5m]'
    assert numbers(found) == {
        "orders": {
            "bad": 'sum(rate(orders_total{job="shop",outcome=~"lost|late"}[5m]))',
            "total": 'sum(rate(orders_total{job="shop"}[5m]))',
        },
        "slow-pages": {
            "bad": f"(sum(rate({count})) - sum(rate({bucket})))",
            "total": f"sum(rate({count}))",
        },
        "warm-enough": {"gauge": 'room_celsius{job="shop"} >= bool 18'},
        "satisfied": {"gauge": "satisfied_ratio"},
        "computed": {"gauge": "1 - (my_error_share{window='5m'})"},
    }
    assert states(found) == dict.fromkeys(("orders", "slow-pages", "warm-enough", "satisfied"), "imported") | {
        "computed": "partly",
        "plugged": "refused",
        "victoria": "refused",
    }
    assert "Go plugin availability_by_team" in found["plugged"].refused
    assert "histogram_share" in found["victoria"].refused
    assert {one.service for one in found.values()} == {"web-shop"}


def test_alerts_that_are_off_stay_off() -> None:
    found = found_in("sloth")
    assert {tier["severity"] for tier in found["orders"].slo["burnAlerts"]} == {"ticket"}
    assert found["orders"].slo["runbook"] == "https://example.org/orders"
    assert found["orders"].slo["owner"] == "shop-team" or found["orders"].owner == "shop-team"
    assert found["slow-pages"].slo["alerting"] is False
    assert "burnAlerts" not in found["satisfied"].slo


def test_sloths_own_windows() -> None:
    def tier(percent: float, short: str, long: str) -> dict[str, Any]:
        return {"errorBudgetPercent": percent, "shortWindow": short, "longWindow": long}

    windows = {
        "apiVersion": "sloth.slok.dev/v1",
        "kind": "AlertWindows",
        "spec": {
            "sloPeriod": "7d",
            "page": {"quick": tier(8, "5m", "1h"), "slow": tier(12.5, "30m", "6h")},
            "ticket": {"quick": tier(20, "2h", "1d"), "slow": tier(42, "6h", "3d")},
        },
    }
    text = (FILES / "sloth.yaml").read_text(encoding="utf-8")
    found = {one.name: one for one in read([("sloth.yaml", text), ("windows.yaml", yaml.safe_dump(windows))])}
    slo = found["satisfied"].slo
    assert slo["window"] == "7d"
    assert [(t["severity"], t["factor"]) for t in slo["burnAlerts"]] == [
        ("page", 13.44),
        ("page", 3.5),
        ("ticket", 1.4),
        ("ticket", 0.98),
    ]


def test_pyrra() -> None:
    found = found_in("pyrra")
    rate = 'sum(rate(mail_seconds{job="mail"}[5m]))'
    assert numbers(found) == {
        "mail-errors": {"bad": 'mail_sent_total{job="mail",result="error"}', "total": 'mail_sent_total{job="mail"}'},
        "ingress-errors": {
            "bad": 'sum(rate(ingress_requests{status=~"5.."}[5m]))',
            "total": "sum(rate(ingress_requests[5m]))",
        },
        "mail-latency": {
            "good": 'mail_seconds_bucket{job="mail",le=~"1([.]0)?"}',
            "total": 'mail_seconds_count{job="mail"}',
        },
        "mail-native": {
            "good": f"histogram_fraction(0, 0.2, {rate}) * histogram_count({rate})",
            "total": f"histogram_count({rate})",
        },
        "reachable": {"gauge": 'probe_success{job="probes"}'},
    }
    assert states(found) == dict.fromkeys(found, "imported") | {"ingress-errors": "partly"}
    assert [(n.line, n.text) for n in found["ingress-errors"].notes] == [
        (25, "grouping by host: one SLO for all of them")
    ]
    assert found["mail-latency"].slo["each"] == {"label": "host"}
    assert found["mail-native"].slo["alerting"] is False
    assert (found["mail-errors"].service, found["mail-errors"].slo["window"]) == ("mail", "28d")


def test_openslo() -> None:
    found = found_in("openslo")
    paid = {
        "bad": 'sum(rate(payments_total{job="pay", ok="0"}[5m]))',
        "total": 'sum(rate(payments_total{job="pay"}[5m]))',
    }
    read_back = {k: {n: t.replace(", ", ",") for n, t in v.items()} for k, v in numbers(found).items()}
    assert read_back == {
        "payments-1": {n: t.replace(", ", ",") for n, t in paid.items()},
        "payments-2": {n: t.replace(", ", ",") for n, t in paid.items()},
        "search": {"gauge": '(search_p95_milliseconds{job="shop"}) < bool 500'},
    }
    assert found["payments-1"].slo["window"] == "month"
    assert found["payments-1"].slo["timeSlice"] == {"atLeast": 95.0, "length": "1m"}
    assert found["payments-2"].slo["timeSlice"] == {"atLeast": 90.0, "length": "5m"}
    assert (found["payments-1"].slo["objective"], found["payments-2"].slo["objective"]) == (99.5, 99)
    assert states(found) == {
        "payments-1": "imported",
        "payments-2": "imported",
        "search": "imported",
        "elsewhere": "refused",
        "contract": "refused",
    }
    assert "only Prometheus" in found["elsewhere"].refused
    assert "a month is 1M" in found["contract"].refused


@pytest.mark.parametrize("name", ["sloth", "pyrra", "openslo"])
def test_what_is_written_is_valid(name: str) -> None:
    made = yaml.safe_load(written(list(found_in(name).values())))["services"]
    services = tuple(WatchedService.model_validate(service) for service in made)
    assert across(Settings(stack="test", services=services)) == []


def test_a_file_without_slos_and_one_that_is_no_yaml_are_refused_with_their_line() -> None:
    found = read([("a.yaml", "\n\nkind: Service\nmetadata: {name: web}\n"), ("b.yaml", "a: [\n"), ("c.yaml", "")])
    lines = report(found)
    assert lines[0].startswith("b.yaml:2: b.yaml: refused: not YAML")
    assert lines[1].startswith("a.yaml:3: web: refused: no SLO of Sloth")
    assert lines[-1] == "2 SLOs: 0 imported, 0 partly, 2 refused"


def test_our_own_settings_refuse_it_too() -> None:
    text = (FILES / "pyrra.yaml").read_text(encoding="utf-8").replace("window: 4w", "window: 90d", 1)
    found = {one.name: one for one in read([("pyrra.yaml", text)])}
    assert found["mail-errors"].state == "refused"
    assert "prometheusRetention" in found["mail-errors"].refused


def test_the_command_writes_a_file_and_tells_of_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "services.yaml"
    files = [str(FILES / f"{name}.yaml") for name in ("pyrra", "sloth")]
    assert main(["import-slos", *files, "--out", str(out), "--service", "all"], lambda _: None) == 1  # type: ignore[arg-type,return-value]
    assert [s["name"] for s in yaml.safe_load(out.read_text(encoding="utf-8"))["services"]] == ["all"]
    told = capsys.readouterr()
    assert told.out == ""
    assert "12 SLOs: 8 imported, 2 partly, 2 refused" in told.err
    assert main(["import-slos", files[0], "--json"], lambda _: None) == 0  # type: ignore[arg-type,return-value]
    assert {one["state"] for one in json.loads(capsys.readouterr().out)} == {"imported", "partly"}
