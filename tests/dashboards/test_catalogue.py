"""The catalogue: which dashboards there are, where they live, and that nothing of it needs Pulumi."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dashboards.builder import DashboardBuilder
from dashboards.catalogue import dashboards, files
from dashboards.errors import DashboardError
from observability import settings
from observability.names import uids
from tests.e2e.test_stack_dashboards import MOST_SAMPLES

ROOT = Path(__file__).parents[2]
WITHOUT_PULUMI = """
import sys
from observability import settings
from dashboards.catalogue import dashboards
dashboards(settings.load("test", {}))
assert not [name for name in sys.modules if name.partition(".")[0].startswith("pulumi")]
"""


def test_folders() -> None:
    assert uids.FOLDERS == {
        "ml-platform": "ML Platform",
        "infrastructure": "Infrastructure",
        "executive": "Executive",
    }


def test_where_each_dashboard_lives() -> None:
    result = {file.uid: (file.folder, json.loads(file.json)["title"]) for file in dashboards(settings.load("test", {}))}
    assert result == {
        "slo-overview": ("ml-platform", "SLO Overview"),
        "application-performance": ("ml-platform", "Application Performance"),
        "service-detail": ("ml-platform", "Service"),
        "logs": ("ml-platform", "Logs"),
        "incident": ("ml-platform", "Incident"),
        "infrastructure-health": ("infrastructure", "Infrastructure Health"),
        "hosts": ("infrastructure", "Hosts"),
        "stack-health": ("infrastructure", "Stack Health"),
        "executive-slo-report": ("executive", "Executive: SLO Report"),
        "home": ("infrastructure", "Home"),
        "runbooks": ("infrastructure", "Runbooks"),
    }


def test_every_dashboard_has_a_bound_on_what_it_reads() -> None:
    """The slow test that measures it runs before releases only: too late to learn that a dashboard has none."""
    assert set(MOST_SAMPLES) == {d.uid for d in dashboards(settings.load("dev", {}))}


def test_file_and_content_agree() -> None:
    assert all(json.loads(file.json)["uid"] == file.uid for file in dashboards(settings.load("test", {})))


def test_refuses_a_uid_twice() -> None:
    one, two = (DashboardBuilder(title, "same").add_text_panel("T", "text") for title in ("One", "Two"))
    with pytest.raises(DashboardError, match="uid is 'same'"):
        files(((uids.FOLDER_ML_PLATFORM, one), (uids.FOLDER_EXECUTIVE, two)))


def test_needs_no_pulumi() -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", WITHOUT_PULUMI], cwd=ROOT, check=True)
