"""What will restart, why, for about how long it will be away, and what that means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from cli.diffing.containers import label_values, serving
from cli.evaluation import Registered
from observability import topology
from observability.names import labels

SECTION: Final = "Restarts"
_COSTS: Final = {part.name: part.restart for part in (*topology.PARTS, *topology.OPTIONAL)}
_UNKNOWN: Final = topology.Restart("")


@dataclass(frozen=True)
class Restart:
    """Container `name` is replaced, started or removed because of `why`, and away `for_` so long."""

    name: str
    why: str
    away: str
    meanwhile: str


def restarts(before: list[Registered], after: list[Registered]) -> list[Restart]:
    """Return every container that another one takes the place of, that is new, or that goes."""
    old, new = serving(before), serving(after)
    contents = _contents(before), _contents(after)
    result = []
    for name in (*new, *(name for name in old if name not in new)):
        if name not in old:
            result.append(Restart(name, "new", "starts", ""))
        elif name not in new:
            result.append(Restart(name, "no longer there", "stops for good", ""))
        else:
            why = _why(old[name], new[name], *(content.get(_service(new[name]), {}) for content in contents))
            if why:
                result.append(Restart(name, ", ".join(why), _away(name, old[name]), _cost(name).meanwhile))
    return result


def _why(old: Registered, new: Registered, files: dict[str, str], new_files: dict[str, str]) -> list[str]:
    why = []
    if old.inputs["image"] != new.inputs["image"]:
        why.append("image")
    why += [
        noun
        for kind, noun in (("config", "configuration files"), ("secrets", "secret files"))
        if files.get(kind) != new_files.get(kind)
    ]
    if _specification(old) != _specification(new) and not ("image" in why and _plain(old) == _plain(new)):
        why.append("how it is run")
    return why


def _specification(container: Registered) -> dict[str, Any]:
    return {k: v for k, v in container.inputs.items() if k not in {"image", "volumes"}} | _mounts(container)


def _plain(container: Registered) -> dict[str, Any]:
    """Return the specification without the digest of itself, which the image's tag is part of."""
    own = {k: v for k, v in label_values(container).items() if k != labels.SPEC}
    return _specification(container) | {"labels": own}


def _mounts(container: Registered) -> dict[str, Any]:
    return {"volumes": [{k: v for k, v in m.items() if k != "volumeName"} for m in container.inputs["volumes"]]}


def _service(container: Registered) -> str:
    return label_values(container).get(labels.SERVICE, container.name)


def _contents(resources: list[Registered]) -> dict[str, dict[str, str]]:
    """Return the digest of what each service's file volumes hold: service → kind → digest."""
    by_name: dict[str, dict[str, str]] = {}
    for r in resources:
        own = label_values(r)
        if r.type.endswith("volume:Volume") and labels.CONTENT in own:
            by_name.setdefault(own.get(labels.SERVICE, ""), {})[r.name.rpartition("-")[2]] = own[labels.CONTENT]
    return by_name


def _cost(name: str) -> topology.Restart:
    return _COSTS.get(name, _UNKNOWN)


def _away(name: str, container: Registered) -> str:
    seconds = _cost(name).seconds
    measured = "not measured" if seconds is None else f"about {seconds:.0f} s, as measured"
    return f"{measured}; at most {int(container.inputs.get('stopTimeout') or 0)} s of it to stop"
