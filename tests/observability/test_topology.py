"""The table of parts: complete for every reader, and without contradiction."""

from __future__ import annotations

import pytest

from cli import inventory
from observability import processes, topology, versions
from observability.configs.process import SettingSecret
from observability.settings import Settings, load

NAMES = [part.name for part in topology.ALL]


def test_names_and_published_ports_are_unique() -> None:
    keys = [port.key for part in topology.ALL for port in part.ports.values() if port.key]
    defaults = [port.published for part in topology.ALL for port in part.ports.values() if port.key]
    for values in (NAMES, keys, defaults):
        assert len(set(values)) == len(values)


@pytest.mark.parametrize("part", [*topology.PARTS, *topology.OPTIONAL], ids=lambda part: part.name)
def test_a_part_has_an_image_and_names_only_what_exists(part: topology.Part) -> None:
    assert part.name in versions.images()
    assert part.data or not part.data_needs_owner
    assert set(part.starts_after) <= set(NAMES)
    assert not part.requires or hasattr(load("test", {}), part.requires)
    assert part.metrics is None or part.metrics.port in part.ports
    assert part.store is None or not part.store.retention or part.store.retention in Settings.model_fields


@pytest.mark.parametrize("part", [*topology.PARTS, *topology.OPTIONAL], ids=lambda part: part.name)
def test_every_part_has_a_process(part: topology.Part, settings: Settings) -> None:
    process = processes.process(part.name, settings)
    assert process.health
    assert all(path.startswith("/") for path in (*process.files, *process.secrets))


def test_every_store_is_counted() -> None:
    assert set(inventory._STORES) == {part.name for part in topology.STORES}


def test_the_colours_of_the_parts_differ() -> None:
    colors = [part.color for part in topology.PARTS if part.color]
    assert len(set(colors)) == len(colors)


def test_a_part_starts_after_the_parts_it_names() -> None:
    order = [part.name for part in topology.start_order(topology.PARTS)]
    assert sorted(order) == sorted(part.name for part in topology.PARTS)
    for part in topology.PARTS:
        assert all(order.index(earlier) < order.index(part.name) for earlier in part.starts_after)


def test_a_secret_file_has_a_secret_setting() -> None:
    names = [
        secret.attribute
        for part in (*topology.PARTS, *topology.OPTIONAL)
        for secret in processes.process(part.name, load("test", {})).secrets.values()
        if isinstance(secret, SettingSecret)
    ]
    assert names
    assert all("SecretStr" in str(Settings.model_fields[name].annotation) for name in names)
