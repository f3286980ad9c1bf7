"""The network between Grafana and a data source is interrupted for a minute while alerts are evaluated.

Two kinds: packets between the two are dropped (only those two are affected), or the data source's container is
disconnected from its network (everything that uses it is affected).
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Final

from cli.console import say
from cli.waiting import until
from components.grafana_api import GrafanaError
from lab import load_generator
from lab.fault_injection import AROUND_SECONDS, RATE, Outcome, Scenario, after, missed, settle
from lab.fault_injection.alarms import watched
from lab.sandbox import Sandbox

CUT_SECONDS: Final = 60.0
_BACK_SECONDS: Final = 180.0
_LOUD_SECONDS: Final = 120.0
"""Seconds of observation after the repair: a pending alert may still fire."""
_OURS: Final = "Grafana cannot query {}"

Cut = Callable[[Sandbox, str], AbstractContextManager[None]]


@contextmanager
def _packet_loss(stack: Sandbox, datasource: str) -> Iterator[None]:
    """Drop every packet between Grafana and the data source."""

    def filter_(command: str) -> None:
        for chain, side in (("OUTPUT", "-d"), ("INPUT", "-s")):
            subprocess.run(  # noqa: S603 - ours
                [*inside, "iptables", command, chain, side, network["IPAddress"], "-j", "DROP"],
                check=True,
                capture_output=True,
            )

    (network,) = stack.container(datasource).attrs["NetworkSettings"]["Networks"].values()
    inside = ["nsenter", "-t", str(stack.container("grafana").attrs["State"]["Pid"]), "-n"]
    filter_("-I")
    try:
        yield
    finally:
        filter_("-D")


@contextmanager
def _disconnected(stack: Sandbox, datasource: str) -> Iterator[None]:
    """Disconnect the data source's container from the stack's network, then connect it under the same names."""
    container = stack.container(datasource)
    ((name, before),) = container.attrs["NetworkSettings"]["Networks"].items()
    network = stack.docker.networks.get(name)
    network.disconnect(container)
    try:
        yield
    finally:
        # The engine adds the container's ID itself.
        network.connect(container, aliases=[a for a in before["Aliases"] if not str(container.id).startswith(a)])


_CUTS: Final[dict[str, tuple[str, Cut]]] = {
    "network": ("packets between grafana and {} are dropped for {:.0f} s", _packet_loss),
    "disconnected": ("{} disconnected from the stack's network for {:.0f} s", _disconnected),
}


def of(kind: str, datasource: str) -> Scenario:
    """Return the scenario of this kind of cut."""
    title, cut = _CUTS[kind]

    def scenario(stack: Sandbox, _after: ExitStack) -> Outcome:
        settle(stack)
        with watched(stack) as alarms, load_generator.counted(stack, RATE) as counted:
            time.sleep(AROUND_SECONDS)
            began = alarms.now()
            with cut(stack, datasource):
                say(f"  grafana cannot reach {datasource} …")
                time.sleep(CUT_SECONDS)
                answers = _answers(stack, datasource)
            back = until(lambda: _answers(stack, datasource), _BACK_SECONDS, every=0.5)
            published = until(lambda: stack.serves(datasource), _BACK_SECONDS)
            until(lambda: alarms.now() - began > CUT_SECONDS + _LOUD_SECONDS, _LOUD_SECONDS, every=1)
        wrong = [title for title in alarms.fired if title != _OURS.format(datasource)]
        return Outcome(
            title.format(datasource, CUT_SECONDS),
            f"{counted}",
            f"{after(back)} after the repair, for Grafana; {after(published)} from outside",
            alarms.summary(began) or "no alert",
            missed(
                {
                    "the connection was interrupted": not answers,
                    "it recovers without help": back <= _BACK_SECONDS and published <= _BACK_SECONDS,
                    "acknowledged data is stored": counted.whole,
                    "no other alert fires": not wrong,
                    "every alert has resolved": all(alarm.ended < float("inf") for alarm in alarms.fired.values()),
                }
            ),
        )

    return scenario


def _answers(stack: Sandbox, datasource: str) -> bool:
    try:
        stack.grafana().request("GET", f"/api/datasources/uid/{datasource}/health")
    except (GrafanaError, OSError):
        return False
    return True
