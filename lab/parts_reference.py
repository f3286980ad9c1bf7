"""The reference page of parts: containers, networks, published ports and data, from the table of parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from observability import topology, versions
from observability.settings.model import Settings
from observability.topology import Part, Port

_PARTS: Final = (*topology.PARTS, *topology.OPTIONAL)
_PUBLISHED: Final = {
    "bindAddress": "`bindAddress`",
    "loopback": "`127.0.0.1`",
    "engine": "`127.0.0.1`, for the Docker engine",
    "never": "not published",
}
"""Default address of a port, by `Port.publish`."""
_INTRODUCTION: Final = """\
# Parts, networks and ports

Every container that a stack can run, without the demo's, from the table of parts (`observability/topology.py`).
[Architecture](../explanation/architecture.md) shows how data flows between them.

"""


def page() -> str:
    """Return the page, without the header of generated pages."""
    return (
        f"{_INTRODUCTION}```mermaid\n{diagram()}```\n\n"
        "A box is a container, a cylinder its data volume, a rounded box a Docker network. Containers reach each\n"
        "other only through a network that both are in. A number is the default port on the Docker host. A dotted\n"
        "line leads to a container that runs only with some settings.\n\n"
        f"## Containers\n\n{_table(_containers())}\n## Published ports\n\n"
        "The settings `ports`, `portOffset` and `addresses` change them.\n\n"
        f"{_table(_ports())}\n## Data\n\n{_table(_data())}"
    )


def diagram() -> str:
    """Return the Mermaid diagram of containers, networks, data volumes and ports that are published by default."""
    lines = ["flowchart LR", '  host(["Docker host"])']
    lines += [f'  {network}(["{name}"])' for network, name in _networks()]
    for part in _PARTS:
        node = _node(part)
        line = "-.-" if part in topology.OPTIONAL else "---"
        lines.append(f'  {node}["{part.title}"]')
        lines += [f"  {node} {line} {network}" for network in part.networks]
        lines += [f'  {node} --- {node}_data[("{part.name}-data")]'] if part.data else []
        published = [str(port.published) for port in part.ports.values() if _by_default(port)]
        lines += [f'  host -- "{", ".join(published)}" --> {node}'] if published else []
    return "\n".join(lines) + "\n"


def _networks() -> Iterator[tuple[str, str]]:
    for network, _, suffix in topology.NETWORKS:
        yield network, f"{network}: observability-&lt;stack&gt;{suffix}"


def _node(part: Part) -> str:
    return part.name.replace("-", "_")


def _by_default(port: Port) -> bool:
    return port.publish != "never" and not port.requires


def _containers() -> Iterator[tuple[str, ...]]:
    yield "part", "container", "image", "user", "memory", "cores", "networks", "runs", "while it is replaced"
    for part in _PARTS:
        seconds = "" if part.restart.seconds is None else f" ({part.restart.seconds:g} s)"
        yield (
            part.title,
            f"`{part.name}`",
            f"`{versions.image(part.name).name}`",
            f"`{part.user}`",
            f"{part.memory_mib} MiB",
            f"{part.cpus:g}",
            ", ".join(part.networks),
            _runs(part),
            f"{part.restart.meanwhile}{seconds}",
        )


def _runs(part: Part) -> str:
    """Return when the part runs."""
    if not part.requires:
        return "always"
    if part.requires in Settings.model_fields:
        return f"with `{_alias(part.requires)}`"
    return f"unless an external store keeps {part.store.signal}" if part.store else ""


def _ports() -> Iterator[tuple[str, ...]]:
    yield "setting `ports.…`", "part", "port", "default address", "only with"
    for part in _PARTS:
        for port in part.ports.values():
            if port.key:
                only = f"`{_alias(port.requires)}`" if port.requires else ""
                yield f"`{port.key}`", part.title, str(port.published), _PUBLISHED[port.publish], only


def _data() -> Iterator[tuple[str, ...]]:
    yield "volume", "mounted at", "holds", "kept for"
    for part in _PARTS:
        if part.data:
            store = part.store
            kept = f"`{_alias(store.retention)}`" if store and store.retention else "no limit"
            yield f"`{part.name}-data`", f"`{part.data}`", store.signal if store else "queues for the stores", kept


def _alias(field: str) -> str:
    return Settings.model_fields[field].alias or field


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    head, *body = rows
    lines = [head, ("---",) * len(head), *body]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
