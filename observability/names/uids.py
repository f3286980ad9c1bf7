"""Constant names that Grafana's parts know each other by.

They are fixed in advance, so that a dashboard, an alert rule and a data source can be written without waiting
for one another. Changing one replaces the resource behind it and breaks bookmarks.
"""

from typing import Final

DATASOURCE_PROMETHEUS: Final = "prometheus"
DATASOURCE_LOKI: Final = "loki"
DATASOURCE_JAEGER: Final = "jaeger"
DATASOURCE_LONG_TERM: Final = "prometheus-long-term"
"""The copy of the metrics, where there is one."""

FOLDER_ML_PLATFORM: Final = "ml-platform"
FOLDER_INFRASTRUCTURE: Final = "infrastructure"
FOLDER_EXECUTIVE: Final = "executive"

FOLDERS: Final = {
    FOLDER_ML_PLATFORM: "ML Platform",
    FOLDER_INFRASTRUCTURE: "Infrastructure",
    FOLDER_EXECUTIVE: "Executive",
}
"""Every folder and its title, where the setting `folderTitles` has no other."""

SLO_OVERVIEW: Final = "slo-overview"
APPLICATION_PERFORMANCE: Final = "application-performance"
INFRASTRUCTURE_HEALTH: Final = "infrastructure-health"
STACK_HEALTH: Final = "stack-health"
EXECUTIVE_SLO_REPORT: Final = "executive-slo-report"
RUNBOOKS: Final = "runbooks"
LOGS: Final = "logs"
SERVICE_DETAIL: Final = "service-detail"
INCIDENT: Final = "incident"
HOSTS: Final = "hosts"
PROBES: Final = "probes"
"""Where there are probes."""
HOME: Final = "home"
"""What opens first."""

NEEDS: Final = {HOSTS: "runs_stack", INFRASTRUCTURE_HEALTH: "runs_stack", STACK_HEALTH: "runs_stack", PROBES: "probes"}
"""Dashboards that not every stack has, and the field of the settings without which there is none."""

DEPLOYMENT_TAG: Final = "deployment"
"""Of the annotations by which `up` marks what it changed."""
