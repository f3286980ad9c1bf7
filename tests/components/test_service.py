"""A service's fingerprint and the spelling of its limits: what decides whether a second `up` changes anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from components.files import digest
from components.service import _cores
from components.service_spec import ServiceSpec, service_spec
from observability import processes, topology
from observability.settings import Limits, Settings


def spec_of(part: topology.Part, settings: Settings) -> ServiceSpec:
    return service_spec(part, processes.process(part.name, settings), settings)


@pytest.mark.parametrize(
    ("cpus", "spelled"), [(1, "1.0"), (2.0, "2.0"), (0.5, "0.5"), (0.25, "0.25"), (1.05, "1.05"), (10, "10.")]
)
def test_cores_are_spelled_as_the_provider_reads_them_back(cpus: float, spelled: str) -> None:
    assert _cores(cpus) == spelled


def test_the_fingerprint_sees_every_setting_that_the_provider_would_miss(
    settings_of: Callable[[str], Settings],
) -> None:
    spec = spec_of(topology.LOKI, settings_of("dev"))
    changed = [
        replace(spec, health=("false",)),
        replace(spec, health_interval="9s"),
        replace(spec, tmp_mib=1),
        replace(spec, stop_seconds=1),
        replace(spec, limits=Limits(memory=65, cpus=1)),
        replace(spec, environment={"A": "b"}),
    ]
    assert len({s.fingerprint() for s in [spec, *changed]}) == len(changed) + 1
    assert replace(spec, files={"/x": "y"}).fingerprint() == spec.fingerprint(), "files have their own digest"
    assert replace(spec, borrows_tools=not spec.borrows_tools).fingerprint() == spec.fingerprint(), "its mounts show it"


@pytest.mark.parametrize("part", [*topology.PARTS, *topology.OPTIONAL], ids=lambda part: part.name)
def test_specs_are_the_same_every_time(part: topology.Part, settings_of: Callable[[str], Settings]) -> None:
    first, second = (spec_of(part, settings_of("prod")) for _ in range(2))
    assert first == second
    assert first.fingerprint() == second.fingerprint()


def test_a_digest_changes_with_path_content_and_key() -> None:
    result = {digest({"/a": "x"}), digest({"/a": "y"}), digest({"/b": "x"}), digest({"/a": "x"}, "key")}
    assert len(result) == 4
    assert digest({"/a": "x", "/b": "y"}) == digest({"/b": "y", "/a": "x"})
