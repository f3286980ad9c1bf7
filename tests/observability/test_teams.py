"""Who gets the alerts of an owner, what folders are called, and which dashboard opens first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.evaluation import Registered, evaluate
from dashboards.catalogue import dashboards, titles
from dashboards.errors import DashboardError
from observability import own, own_checks
from observability.alerts import routing
from observability.settings import Settings, SettingsError, load

SHOP = {"owner": "shop-team", "email": ["shop@example.org"], "quietHours": {"weekdays": ["sunday"]}}
DATA = {"owner": "data-team", "contactPoint": "data-chat", "alsoStack": True}
POINT = """\
apiVersion: 1
contactPoints:
  - name: data-chat
    receivers:
      - {uid: data-chat, type: teams, settings: {url: "${secret:chat}"}}
"""


def raw(**values: Any) -> dict[str, str]:  # noqa: ANN401 - raw configuration
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


def settings_of(**values: Any) -> Settings:  # noqa: ANN401 - raw configuration
    return load("test", raw(**values), frozenset({"ownSecrets"}))


def made(**values: Any) -> tuple[Registered, ...]:  # noqa: ANN401 - raw configuration
    return evaluate("test", raw(**values), frozenset())


def of(resources: tuple[Registered, ...], token: str) -> dict[str, dict[str, Any]]:
    return {r.name: r.inputs for r in resources if r.type.endswith(token)}


def test_a_team_comes_before_the_stack() -> None:
    routes = routing.routes(settings_of(smtpHost="mail:25", alertEmail=["ops@example.org"], teams=[SHOP, DATA]))
    assert [(r.owner, r.severity, r.contact, r.muted, r.goes_on) for r in routes[:4]] == [
        ("shop-team", "page", "team-shop-team", "", False),
        ("shop-team", "ticket", "team-shop-team", "ticket-quiet-hours-shop-team", False),
        ("data-team", "page", "data-chat", "", True),
        ("data-team", "ticket", "data-chat", "", True),
    ]
    without = routing.routes(settings_of(smtpHost="mail:25", alertEmail=["ops@example.org"]))
    assert routes[4:] == without, "everybody else's go where they went"


def test_grafana_gets_the_teams_contact_point_policy_and_mute_timing() -> None:
    resources = made(smtpHost="mail:25", alertEmail=["ops@example.org"], teams=[SHOP])
    point = of(resources, "alerting/contactPoint:ContactPoint")["contact-team-shop-team"]
    assert point["emails"][0]["addresses"] == ["shop@example.org"]
    assert "ticket-quiet-hours-shop-team" in of(resources, "alerting/muteTiming:MuteTiming")
    (policy,) = of(resources, "alerting/notificationPolicy:NotificationPolicy").values()
    page, ticket, *_ = policy["policies"]
    assert {m["label"]: m["value"] for m in page["matchers"]} == {"severity": "page", "owner": "shop-team"}
    assert page["contactPoint"] == ticket["contactPoint"] == "team-shop-team"
    assert ticket["muteTimings"] == ["ticket-quiet-hours-shop-team"]
    assert "muteTimings" not in page


def test_a_contact_point_of_the_teams_own_has_to_be_there(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    (folder / "alerting").mkdir(parents=True)
    (folder / "alerting" / "points.yaml").write_text(POINT)
    given = {"ownFolder": str(folder), "ownSecrets": {"chat": "https://chat.example.org/hook"}}
    own_checks.check(settings_of(**given, teams=[DATA]))
    wrong = settings_of(**given, teams=[{**DATA, "contactPoint": "chat"}])
    with pytest.raises(own.OwnContentError, match="contactPoint: 'chat'; accepted: a contact point in ownFolder: data"):
        own_checks.check(wrong)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"teams": [{"owner": "a"}]}, "either email or contactPoint"),
        ({"teams": [{**SHOP, "contactPoint": "x"}], "smtpHost": "mail:25"}, "either email or contactPoint"),
        ({"teams": [SHOP]}, "smtpHost: ''"),
        ({"teams": [SHOP, SHOP], "smtpHost": "mail:25"}, "an owner that no other team has"),
        ({"teams": [DATA], "deploy": "content"}, "the policy there is not this stack's"),
        ({"folderTitles": {"ml": "Shop"}}, "folderTitles.ml: no such folder; accepted: ml-platform"),
        ({"folderTitles": {"ml-platform": "Executive"}}, "folderTitles: 'Executive' twice"),
        ({"folderTitles": {"ml-platform": ""}}, "folderTitles.ml-platform"),
        ({"homeDashboard": "my home"}, "homeDashboard"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_is_refused(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError) as error:
        settings_of(**values)
    assert problem in str(error.value)


def test_folders_are_called_as_the_team_likes() -> None:
    assert titles(settings_of(folderTitles={"ml-platform": "Shop"}))["ml-platform"] == "Shop"
    folders = of(made(folderTitles={"ml-platform": "Shop"}), "oss/folder:Folder")
    assert {uid: inputs["title"] for uid, inputs in folders.items()} == {
        "ml-platform": "Shop",
        "infrastructure": "Infrastructure",
        "executive": "Executive",
    }


def test_another_dashboard_may_open_first() -> None:
    resources = made(homeDashboard="slo-overview")
    (preferences,) = of(resources, "oss/organizationPreferences:OrganizationPreferences").values()
    assert preferences["homeDashboardUid"] == "slo-overview"
    with pytest.raises(DashboardError, match="homeDashboard"):
        dashboards(settings_of(homeDashboard="shop"))
