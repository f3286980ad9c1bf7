"""Data is replaced with the space for it, and a container that is not the stack's keeps its network."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import docker.errors
import pytest
from docker import DockerClient

from cli import data_replacement, stack_config
from cli.errors import UserError
from observability.names import labels

DF = """Filesystem 1024-blocks Used Available Capacity Mounted on
/dev/a 100 50 10 50% /volumes/grafana
/dev/a 100 50 10 50% /volumes/loki
/dev/b 100 50 90 50% /volumes/jaeger
"""
SERVICES = ("grafana", "loki", "jaeger")


def test_volumes_on_one_disk_share_its_space() -> None:
    data_replacement.require_space(DF, SERVICES, {"grafana": 5 * 1024, "loki": 5 * 1024, "jaeger": 90 * 1024})
    with pytest.raises(UserError, match=r"needs 11,264 bytes on /dev/a .*10,240 are free.*Nothing was touched"):
        data_replacement.require_space(DF, SERVICES, {"grafana": 5 * 1024, "loki": 6 * 1024})


class Networks:
    """A Docker engine's networks, of which one is in use by a container that is not the stack's."""

    def __init__(self) -> None:
        self.removed: list[str] = []
        self.labels: dict[str, str] = {}

    def list(self, filters: dict[str, str]) -> list[Any]:
        assert filters == {"label": f"{labels.STACK}=dev"}
        return [self.get(id_) for id_ in ("used", "idle") if id_ not in self.removed]

    def get(self, id_: str) -> Any:  # noqa: ANN401 - a stand-in
        containers = [SimpleNamespace(name="shop", labels=self.labels)] if id_ == "used" else []
        return SimpleNamespace(id=id_, name=f"net-{id_}", containers=containers, remove=lambda: self._remove(id_))

    def _remove(self, id_: str) -> None:
        if id_ == "used":
            raise docker.errors.APIError("network has active endpoints")
        self.removed.append(id_)


def client(networks: Networks) -> DockerClient:
    none = SimpleNamespace(list=lambda **_: [])
    return cast("DockerClient", SimpleNamespace(networks=networks, containers=none, volumes=none))


def journal(*ids: str) -> data_replacement.Journal:
    return data_replacement.Journal((), {"deployment": {"resources": [{"id": id_} for id_ in ids]}}, {})


@pytest.mark.parametrize(("known", "removed"), [(("used", "idle"), []), (("used",), ["idle"]), ((), ["idle"])])
def test_no_network_in_use_is_removed_and_none_stops_a_rollback(
    known: tuple[str, ...], removed: list[str], settings_of: Callable[[str], Any]
) -> None:
    networks = Networks()
    data_replacement._take_down(client(networks), settings_of("dev"), journal(*known))
    assert networks.removed == removed


def test_a_network_in_use_that_would_be_made_anew_is_refused_before_anything() -> None:
    networks, settings = Networks(), stack_config.settings("dev", stand_in=True)
    expected, unknown = journal("used").state, journal("idle").state
    assert expected is not None
    assert unknown is not None
    data_replacement.require_free_networks(client(networks), settings, expected)
    with pytest.raises(UserError, match=r"net-used is not in the state.*shop is connected.*Nothing was touched"):
        data_replacement.require_free_networks(client(networks), settings, unknown)
    networks.labels = {labels.STACK: "dev"}
    data_replacement.require_free_networks(client(networks), settings, unknown)
