"""The network between Grafana and a data source, cut for a minute while alerts are evaluated.

Two cuts: packets between the two vanish (what a broken switch does; only those two notice), and the data source's
container loses its network (what a slip of the hand does; everybody notices).
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
"""Of looking on after the repair: what is pending may still fire."""
_OURS: Final = "Grafana cannot query {}"

Cut = Callable[[Sandbox, str], AbstractContextManager[None]]


@contextmanager
def _vanishing(stack: Sandbox, datasource: str) -> Iterator[None]:
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
def _unplugged(stack: Sandbox, datasource: str) -> Iterator[None]:
    """Take the data source's container off the stack's network, and put it back under the same name."""
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
    "network": ("packets between grafana and {} vanish for {:.0f} s", _vanishing),
    "unplugged": ("{} off the stack's network for {:.0f} s", _unplugged),
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
                say(f"  grafana and {datasource} are apart …")
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
            alarms.told(began) or "no alert",
            missed(
                {
                    "they were apart": not answers,
                    "it comes back by itself": back <= _BACK_SECONDS and published <= _BACK_SECONDS,
                    "what was acknowledged is there": counted.whole,
                    "nobody is told anything but that": not wrong,
                    "what fired is over": all(alarm.ended < float("inf") for alarm in alarms.fired.values()),
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
