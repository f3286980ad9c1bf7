"""The policy pack: Pulumi runs this folder beside the program, in the same virtual environment."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Secret,
    StackValidationArgs,
    StackValidationPolicy,
)

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from policies import checks
from policies.resource import Hidden, Resource, opened, texts

NAME = "observability"
_seen: dict[str, Mapping[str, Any]] = {}
"""Inputs by URN, with what is secret in them."""


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON behind the pack's proxies
    """Return plain values out of the proxies, which otherwise raise on what a preview does not know."""
    if isinstance(value, Secret):
        return Hidden(_plain(value.value))
    if isinstance(value, Mapping):
        inner: Any = value if isinstance(value, dict) else value["__target"]
        return {key: _plain(item) for key, item in inner.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        items: Any = value if isinstance(value, list) else value["__target"]  # type: ignore[call-overload]
        return [_plain(item) for item in items]
    return value


def _resource(args: ResourceValidationArgs) -> Resource:
    # What is handed to a validation no longer says what is secret; what was handed to `_listen` just before did.
    inputs = _seen.get(args.urn) or _plain(args.props)
    return Resource(args.resource_type, args.name, inputs, bool(args.opts.protect), args.get_config())


def _listen(args: ResourceValidationArgs) -> None:
    """Remember what is secret: only a remediation is told. It changes nothing."""
    _seen[args.urn] = _plain(args.props)


def _policy(
    name: str, check: Callable[[Resource], list[str]], config: PolicyConfigSchema | None = None
) -> ResourceValidationPolicy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        for problem in check(_resource(args)):
            report(problem, None)

    return ResourceValidationPolicy(name, str(check.__doc__), validate, config_schema=config)


def _secrets() -> ResourceValidationPolicy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        for problem in checks.secrets_are_kept(_resource(args)):
            report(problem, None)

    return ResourceValidationPolicy(
        "secrets-are-kept",
        str(checks.secrets_are_kept.__doc__),
        validate,
        enforcement_level=EnforcementLevel.REMEDIATE,
        remediate=_listen,
    )


def _repeated(_args: StackValidationArgs, report: ReportViolation) -> None:
    hidden: dict[str, str] = {}
    plain: dict[str, dict[str, str]] = {}
    for urn, inputs in _seen.items():
        for path, value, secret in texts(inputs):
            if not secret:
                plain.setdefault(urn, {})[path] = value
            elif not checks.WHERE.fullmatch(path):
                hidden.setdefault(value, f"{path} of {urn.rpartition('::')[2]}")
    for urn, problems in checks.repeated_in_plain_text(hidden, plain).items():
        for problem in problems:
            report(problem, urn)


def _unlimited(_args: StackValidationArgs, report: ReportViolation) -> None:
    containers: dict[str, Resource] = {}
    limited: set[str] = set()
    for urn, inputs in _seen.items():
        token, name = urn.split("::")[2].rpartition("$")[2], urn.rpartition("::")[2]
        if token == checks.CONTAINER:
            containers[urn] = Resource(token, name, inputs)
        elif token == checks.READINESS:
            limited.add(str(opened(inputs.get("container_name"))))
    for urn, problems in checks.processes_are_limited(containers, limited).items():
        for problem in problems:
            report(problem, urn)


POLICIES: list[Policy] = [
    _secrets(),  # first: it remembers what the others look at
    _policy("images-are-pinned", checks.image_is_pinned),
    _policy(
        "images-have-digests",
        checks.image_has_a_digest,
        PolicyConfigSchema(properties={"required": {"type": "boolean", "default": False}}),
    ),
    _policy("ports-are-local-or-explained", checks.ports_are_local_or_explained),
    _policy("containers-have-limits-and-health-checks", checks.container_has_limits_and_health_check),
    _policy("containers-are-confined", checks.container_is_confined),
    _policy("networks-are-separate", checks.networks_are_separate),
    _policy("dashboards-have-folders", checks.dashboard_has_a_folder),
    _policy(
        "data-is-protected",
        checks.data_is_protected,
        PolicyConfigSchema(properties={"protected": {"type": "boolean", "default": False}}),
    ),
    StackValidationPolicy(
        "processes-are-limited", "No container that serves without a limit of its processes.", _unlimited
    ),
    StackValidationPolicy("secrets-are-not-repeated", "No secret of one resource in plain text in another.", _repeated),
]

if __name__ == "__main__":
    PolicyPack(name=NAME, enforcement_level=EnforcementLevel.MANDATORY, policies=POLICIES)
