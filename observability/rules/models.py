"""Which version of a model answers, for services that say so: `inference_model_info` is 1 for the one that does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from observability.rules.slo import RecordingRule, RuleGroup, to_yaml

if TYPE_CHECKING:
    from observability.settings import Settings

VERSION: Final = "model:version:max"
"""1, by `service`, `model` and `version`."""


def render(settings: Settings) -> dict[str, str]:
    """Return the rule files: their name and their YAML."""
    rule = RecordingRule(VERSION, "max by (service, model, version) (inference_model_info)", {})
    return {"models.yml": to_yaml(RuleGroup("models", settings.rule_interval, (rule,)))}
