"""Images, data volumes, and how containers are run."""

from __future__ import annotations

from typing import Any, Final

from cli.diffing.files import loader_of
from cli.diffing.model import Change, Facts, code, differences, flatten
from cli.evaluation import Registered
from observability.names import labels

IMAGES: Final = "Images"
SECTION: Final = "Containers"
DATA: Final = "Data"
_ELSEWHERE: Final = frozenset({"image", "labels", "volumes"})
"""Properties of a container that are reported as image, as restart, and as files or data."""


def serving(resources: list[Registered]) -> dict[str, Registered]:
    """Return the containers that keep running, by name."""
    return {
        r.name: r
        for r in resources
        if r.type.endswith("container:Container") and r.inputs.get("mustRun", True) and r.inputs.get("start", True)
    }


def is_data(resource: Registered) -> bool:
    """Say whether `resource` is a volume that outlives its containers."""
    return resource.type.endswith("volume:Volume") and labels.CONTENT not in label_values(resource)


def label_values(resource: Registered) -> dict[str, str]:
    """Return the labels of a container or volume."""
    return {label["label"]: label["value"] for label in resource.inputs.get("labels") or ()}


def changes(before: list[Registered], after: list[Registered]) -> list[Change]:
    """Return what differs in images, data volumes, and the containers that serve."""
    diff = _images(before, after)
    old_data, new_data = ({r.name: r.inputs for r in side if is_data(r)} for side in (before, after))
    diff += [Change(DATA, code(name), "removed, and what is in it") for name in sorted({*old_data} - {*new_data})]
    for name, inputs in new_data.items():
        if name not in old_data:
            diff.append(Change(DATA, code(name), "added, empty"))
        elif old_data[name].get("name") != inputs.get("name"):
            was, now = str(old_data[name].get("name")), str(inputs.get("name"))
            diff.append(Change(DATA, code(name), "another volume, empty", was, now))
    old, new = ({n: _facts(r.inputs) for n, r in serving(side).items()} for side in (before, after))
    for name in new:
        if name in old:
            diff += differences(SECTION, code(name), old[name], new[name])
    return diff


def _images(before: list[Registered], after: list[Registered]) -> list[Change]:
    old, new = _references(before), _references(after)
    diff: list[Change] = []
    for name in sorted({*old, *new}):
        was, now = old.get(name), new.get(name)
        if was != now and was is not None and now is not None and "build" in was and "build" in now:
            diff.append(Change(IMAGES, code(name), "built anew", None, None))
            diff += differences(IMAGES, code(name), _base(was), _base(now))
        elif was != now:
            diff.append(Change(IMAGES, code(name), "", (was or {}).get("name"), (now or {}).get("name")))
    return diff


def _references(resources: list[Registered]) -> dict[str, dict[str, Any]]:
    """Return each image by what runs it; several that are the same image are one."""
    images: dict[str, dict[str, Any]] = {}
    for r in resources:
        if r.type.endswith("remoteImage:RemoteImage"):
            name = r.name.removesuffix("-image")
            images[name] = {k: v for k, v in r.inputs.items() if k in {"name", "build"}}
    return images


def _base(image: dict[str, Any]) -> Facts:
    return flatten(image["build"])


def _facts(inputs: dict[str, Any]) -> Facts:
    plain = {k: v for k, v in inputs.items() if k not in _ELSEWHERE and k != "envs"}
    plain["env"] = dict(entry.split("=", 1) for entry in inputs.get("envs") or ())
    # The volume of files and data is reported elsewhere; where they are mounted is reported here.
    plain["mount"] = {v["containerPath"]: "read-only" if v.get("readOnly") else "writable" for v in inputs["volumes"]}
    plain["label"] = {
        entry["label"]: entry["value"] for entry in inputs.get("labels") or () if entry["label"] != labels.SPEC
    }
    return flatten(plain)


def others(before: list[Registered], after: list[Registered]) -> list[Change]:
    """Return what differs in every resource that no other part of the comparison describes."""
    old, new = (_rest(side) for side in (before, after))
    diff: list[Change] = []
    for name in (*new, *(name for name in old if name not in new)):
        if name not in old or name not in new:
            diff.append(Change("Other resources", code(name), "added" if name in new else "removed"))
        else:
            diff += differences("Other resources", code(name), old[name], new[name])
    return diff


_COMPARED_ELSEWHERE: Final = (
    "observability:",  # components have no inputs of their own
    "pulumi-python:dynamic/gates:",  # follow from the containers
    "pulumi-python:dynamic/grafana:Deployment",  # follows from everything
    "grafana:oss/dashboard:",
    "grafana:alerting/ruleGroup:",
    "docker:index/remoteImage:",
    *("grafana:oss/dataSource:", "pulumi-python:dynamic/grafana:Correlation"),
    *("grafana:alerting/contactPoint:", "grafana:alerting/notificationPolicy:", "grafana:alerting/muteTiming:"),
    "grafana:alerting/messageTemplate:",
)


def _rest(resources: list[Registered]) -> dict[str, Facts]:
    by_name: dict[str, Facts] = {}
    running = serving(resources)
    for r in resources:
        if r.type.startswith(_COMPARED_ELSEWHERE) or (r.type.endswith("container:Container") and r.name in running):
            continue
        hidden = {"__provider"}
        plain: dict[str, Any] = {}
        if r.type.endswith("volume:Volume"):
            hidden |= {"name", "labels"}
            plain["label"] = {k: v for k, v in label_values(r).items() if k != labels.CONTENT}
        elif r.type.endswith("container:Container"):
            hidden |= {"image", "volumes"} | ({"uploads"} if loader_of(r) else set())
            if loader_of(r):  # the content of the files is reported as files
                plain["mode"] = {u["file"]: u.get("permissions", "") for u in r.inputs["uploads"]}
        plain |= {k: v for k, v in r.inputs.items() if k not in hidden}
        by_name[f"{r.type.rpartition(':')[2]} {r.name}"] = flatten(plain)
    return by_name
