"""The two gates around a service: what must hold before it is replaced, and that it serves afterwards.

Both are dynamic resources, so that a gate that does not open is a failed resource like any other: what depends on it
is not touched, and the next `up` tries it again. The container in between always ends up in the state, whole.
"""

from __future__ import annotations

import socket
import sys
import time
import urllib.error
import urllib.request
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from components import tls

READY_TIMEOUT_SECONDS = 120
_POLL_SECONDS = 0.1
_PROBE_SECONDS = 0.5
_OK = 200

Properties = dict[str, Any]


class CheckFailedError(Exception):
    """A sentence for the person who ran `up`: what is wrong, and what to do."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        # Pulumi prints the traceback of a dynamic provider's error; here the sentence is all there is to say.
        sys.tracebacklimit = 0


def _changed(old: Properties, new: Properties) -> list[str]:
    return [key for key in new if key != "__provider" and old.get(key) != new[key]]


class _Gate(ResourceProvider):
    """Opens when `_open` returns; any change of an input is a reason to try it again."""

    serialize_as_secret_always = False

    def _open(self, old: Properties, new: Properties) -> None:
        raise NotImplementedError

    def create(self, props: Properties) -> CreateResult:
        self._open({}, props)
        return CreateResult(id_=f"{props['service']}", outs=props)

    def diff(self, _id: str, old: Properties, new: Properties) -> DiffResult:
        changed = _changed(old, new)
        return DiffResult(changes=bool(changed), replaces=[], stables=[])

    def update(self, _id: str, old: Properties, new: Properties) -> UpdateResult:
        self._open(old, new)
        return UpdateResult(outs=new)


class PreflightProvider(_Gate):
    """Refuses files that their checker refused, and ports that somebody else holds."""

    def _open(self, old: Properties, new: Properties) -> None:
        problems = []
        if int(new["exit_code"]):
            said = str(new["checker_output"]).strip() or "it said nothing"
            problems.append(f"its own checker refuses its configuration:\n{said}")
        held = set(old.get("ports", ()))
        problems += [
            f"port {int(port)} on {new['host']} is in use by another program; free it, or set `ports` or `portOffset`"
            for port in new["ports"]
            if port not in held and answers(str(new["host"]), int(port))
        ]
        if problems:
            msg = f"{new['service']} is left as it is: " + "; ".join(problems)
            raise CheckFailedError(msg)


def answers(host: str, port: int) -> bool:
    """Tell whether somebody listens on `host:port`."""
    try:
        socket.create_connection((host, port), timeout=_PROBE_SECONDS).close()
    except OSError:
        return False
    return True


class ReadinessProvider(_Gate):
    """Waits until the service's own readiness URL answers 200."""

    def _open(self, _old: Properties, new: Properties) -> None:
        url = str(new["url"])
        context = tls.context(str(new.get("ca", ""))) if url.startswith("https:") else None
        deadline = time.monotonic() + float(new["timeout"])
        last = "no answer"
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(url, timeout=2, context=context) as answer:  # noqa: S310 - ours
                    if answer.status == _OK:
                        return
                    last = f"HTTP {answer.status}"
            except urllib.error.HTTPError as error:
                with error:
                    last = f"HTTP {error.code} {error.read(200).decode(errors='replace').strip()}"
            except OSError as error:
                last = str(error)
            time.sleep(_POLL_SECONDS)
        msg = (
            f"{new['service']} was not ready after {int(new['timeout'])} s: {new['url']} said: {last}. "
            f"See `docker logs {new['container_name']}`; if the engine is on another machine, is accessHost right?"
        )
        raise CheckFailedError(msg)


class Preflight(Resource, module="gates", name="Preflight"):
    """Opens when the checker accepted the files and every newly published port is free."""

    def __init__(  # noqa: PLR0913 - one argument a property
        self,
        name: str,
        *,
        service: str,
        host: str,
        ports: list[int],
        exit_code: pulumi.Input[int] | None,
        checker_output: pulumi.Input[str] | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`exit_code` and `checker_output` come from the container that checked the files; None when none did."""
        super().__init__(
            PreflightProvider(),
            name,
            {
                "service": service,
                "host": host,
                "ports": ports,
                "exit_code": 0 if exit_code is None else exit_code,
                "checker_output": "" if checker_output is None else checker_output,
            },
            opts,
        )


class Readiness(Resource, module="gates", name="Readiness"):
    """Opens when `url` answers 200; asked again whenever the container is another one."""

    def __init__(  # noqa: PLR0913 - one argument a property
        self,
        name: str,
        *,
        service: str,
        url: str,
        container: pulumi.Input[str],
        container_name: str,
        ca: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`container` is the container's id: a new one is a reason to ask again. `ca` vouches for an https URL."""
        super().__init__(
            ReadinessProvider(),
            name,
            {
                "service": service,
                "url": url,
                "container": container,
                "container_name": container_name,
                "timeout": READY_TIMEOUT_SECONDS,
                **({"ca": ca} if url.startswith("https:") else {}),
            },
            opts,
        )
