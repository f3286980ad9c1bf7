"""The settings: read, checked and frozen once. Nothing else in the program reads configuration.

`Pulumi.<stack>.yaml` gives raw values; `load` turns them into a `Settings` or raises one `SettingsError` that lists
every problem (setting, value given, what is accepted). Nothing is created before it returns. Secrets are `SecretStr`:
neither `repr` nor an error ever shows one.

One module for each step: `value_types` and `promql` (single values), `slos` and `services`, `parts` (what a stack
consists of), `model` (every setting), `checks` (between settings), `errors` (wording), `loading`.
"""

from observability.names.labels import PROJECT
from observability.settings.alerting import AlertOverride, Thresholds
from observability.settings.errors import SettingsError
from observability.settings.exclusions import Exclusion
from observability.settings.loading import load
from observability.settings.model import OAuth, QuietHours, Settings, Team, field_of, secret_keys
from observability.settings.parts import (
    CONTAINERS,
    DEFAULT_LIMITS,
    DEFAULT_PORTS,
    DEMO,
    DEMO_PAGER_URL,
    DEMO_PORTS,
    ENGINE_FILTER,
    SERVICES,
    Limits,
)
from observability.settings.probes import Probe
from observability.settings.promql import quoted
from observability.settings.secret_rules import GENERATED_SECRETS, STAND_IN
from observability.settings.services import LabelNames, MetricNames, WatchedService, rename_order
from observability.settings.slos import (
    CALENDAR,
    RESERVED_SLOS,
    AvailabilitySlo,
    BurnTier,
    CustomSlo,
    EachValue,
    LatencySlo,
    Slo,
    TimeSlice,
)
from observability.settings.value_types import loopback, milliseconds, ratio, seconds

__all__ = [
    "CALENDAR",
    "CONTAINERS",
    "DEFAULT_LIMITS",
    "DEFAULT_PORTS",
    "DEMO",
    "DEMO_PAGER_URL",
    "DEMO_PORTS",
    "ENGINE_FILTER",
    "GENERATED_SECRETS",
    "PROJECT",
    "RESERVED_SLOS",
    "SERVICES",
    "STAND_IN",
    "AlertOverride",
    "AvailabilitySlo",
    "BurnTier",
    "CustomSlo",
    "EachValue",
    "Exclusion",
    "LabelNames",
    "LatencySlo",
    "Limits",
    "MetricNames",
    "OAuth",
    "Probe",
    "QuietHours",
    "Settings",
    "SettingsError",
    "Slo",
    "Team",
    "Thresholds",
    "TimeSlice",
    "WatchedService",
    "field_of",
    "load",
    "loopback",
    "milliseconds",
    "quoted",
    "ratio",
    "rename_order",
    "seconds",
    "secret_keys",
]
