"""The checks before and after a container: its files and ports are accepted (preflight), and it serves (readiness).

Both are dynamic resources. So a check that fails is a failed resource like any other: nothing that depends on it is
touched, and the next `up` repeats it. The container between them is always recorded in the state.
"""

from __future__ import annotations

import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from components import engine, tls
from observability.failures import reason
from observability.periods import hidden

if TYPE_CHECKING:
    import pulumi_docker

    from observability.periods import Periods

READY_TIMEOUT_SECONDS = 120
PROCESSES = 1_024
"""Most processes and threads of one container."""
_POLL_SECONDS = 0.1
_PROBE_SECONDS = 0.5
_OK = 200

Properties = dict[str, Any]


class CheckFailedError(Exception):
    """A failed check, with a message for the person who ran `up`: what is wrong, and what to do."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        # Pulumi prints the traceback of a dynamic provider's error; here the message alone is useful.
        sys.tracebacklimit = 0


def _changed(old: Properties, new: Properties) -> list[str]:
    return [key for key in new if key != "__provider" and old.get(key) != new[key]]


class _Check(ResourceProvider):
    """Succeeds when `_run` returns; runs again when an input changes."""

    serialize_as_secret_always = False

    def _run(self, old: Properties, new: Properties) -> None:
        raise NotImplementedError

    def create(self, props: Properties) -> CreateResult:
        self._run({}, props)
        return CreateResult(id_=f"{props['service']}", outs=props)

    def diff(self, _id: str, old: Properties, new: Properties) -> DiffResult:
        changed = _changed(old, new)
        return DiffResult(changes=bool(changed), replaces=[], stables=[])

    def update(self, _id: str, old: Properties, new: Properties) -> UpdateResult:
        self._run(old, new)
        return UpdateResult(outs=new)


class PreflightProvider(_Check):
    """Fails if the checker refused the files, another program uses a port, or a change would hide stored lines."""

    def diff(self, id_: str, old: Properties, new: Properties) -> DiffResult:
        """See a change of any input, and that a bucket was given up, of which `new` has nothing."""
        if "periods" in old and "periods" not in new:
            return DiffResult(changes=True, replaces=[], stables=[])
        return super().diff(id_, old, new)

    def _run(self, old: Properties, new: Properties) -> None:
        problems = []
        # Of a new stack there are no lines.
        if old and (sentence := hidden(old.get("periods"), new.get("periods"), datetime.now(UTC))):
            problems.append(sentence)
        if int(new["exit_code"]):
            output = str(new["checker_output"]).strip() or "(it printed nothing)"
            problems.append(f"its own checker refuses its configuration:\n{output}")
        held = set(old.get("ports", ()))
        problems += [
            f"port {int(port)} on {new['host']} is in use by another program; free it, or set `ports` or `portOffset`"
            for port in new["ports"]
            if port not in held and answers(str(new["host"]), int(port))
        ]
        if problems:
            msg = f"{new['service']} was not changed: " + "; ".join(problems)
            raise CheckFailedError(msg)


def answers(host: str, port: int) -> bool:
    """Return whether a program listens on `host:port`."""
    try:
        socket.create_connection((host, port), timeout=_PROBE_SECONDS).close()
    except OSError:
        return False
    return True


class ReadinessProvider(_Check):
    """Limits the container's processes, then waits until its health check succeeds and its URL, if any, answers 200."""

    def _run(self, _old: Properties, new: Properties) -> None:
        deadline = time.monotonic() + float(new["timeout"])
        probes = [self._engine(new)] if "engine" in new else []
        if new["url"]:
            probes.append(self._url(new))
        for probe in probes:
            self._wait(probe, new, deadline)

    @staticmethod
    def _wait(probe: Callable[[], str], new: Properties, deadline: float) -> None:
        last = "no answer"
        while time.monotonic() < deadline:
            last = probe()
            if not last:
                return
            time.sleep(_POLL_SECONDS)
        msg = (
            f"{new['service']} was not ready after {int(new['timeout'])} s: {last}. "
            f"See `docker logs {new['container_name']}`; if the engine is on another machine, is accessHost right?"
        )
        raise CheckFailedError(msg)

    @staticmethod
    def _engine(new: Properties) -> Callable[[], str]:
        """Return a probe that runs the container's own health check and returns its error, "" when it succeeds."""
        container = engine.client(str(new["engine"])).containers.get(str(new["container"]))
        engine.limit_processes(container, PROCESSES)
        return lambda: engine.check_health(container)

    @staticmethod
    def _url(new: Properties) -> Callable[[], str]:
        """Return a probe that requests the URL and returns the error, "" when the answer is 200."""
        url = str(new["url"])
        context = tls.context(str(new.get("ca", ""))) if url.startswith("https:") else None

        def probe() -> str:
            try:
                with urllib.request.urlopen(url, timeout=2, context=context) as answer:  # noqa: S310 - ours
                    return "" if answer.status == _OK else f"{url}: HTTP {answer.status}"
            except urllib.error.HTTPError as error:
                with error:
                    return f"{url}: HTTP {error.code} {error.read(200).decode(errors='replace').strip()}"
            except OSError as error:
                return f"{url}: {reason(error)}"

        return probe


@dataclass(frozen=True)
class PreflightArgs:
    """What has to hold before a container is created or replaced.

    Attributes:
        service: name of the service, for messages.
        host: name or address by which this machine reaches the published ports.
        ports: ports that will be published.
        checked: container in which the service's checker read its files, None without a checker.
        periods: where the service keeps the lines of which day, None for its volume alone.
    """

    service: str
    host: str
    ports: list[int]
    checked: pulumi_docker.Container | None
    periods: Periods | None = None


class Preflight(Resource, module="gates", name="Preflight"):
    """Succeeds when the checker accepted the files and every newly published port is free."""

    def __init__(self, name: str, args: PreflightArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Check the files and the ports whenever one of them changes."""
        checked = args.checked
        props: Properties = {
            "service": args.service,
            "host": args.host,
            "ports": args.ports,
            "exit_code": 0 if checked is None else checked.exit_code,
            "checker_output": "" if checked is None else checked.container_logs,
            **({} if args.periods is None else {"periods": args.periods.document()}),
        }
        super().__init__(PreflightProvider(), name, props, opts)


@dataclass(frozen=True)
class ReadinessArgs:
    """How to see that a service serves.

    Attributes:
        service: name of the service, for messages.
        url: URL that answers 200 once the service can be used, "" for none.
        engine: docker:host, "" for the default.
        container: the container's id; a new id runs the check again.
        container_name: its name on the Docker host, for messages.
        ca: CA certificate (PEM) for an https URL, "" if a public CA signed the server's.
    """

    service: str
    url: str
    engine: str
    container: pulumi.Input[str]
    container_name: str
    ca: str


class Readiness(Resource, module="gates", name="Readiness"):
    """Succeeds when the service serves; checks again whenever the container was replaced."""

    def __init__(self, name: str, args: ReadinessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Wait until the service answers."""
        props: Properties = {
            "service": args.service,
            "url": args.url,
            "engine": args.engine,
            "container": args.container,
            "container_name": args.container_name,
            "timeout": READY_TIMEOUT_SECONDS,
            **({"ca": args.ca} if args.url.startswith("https:") else {}),
        }
        super().__init__(ReadinessProvider(), name, props, opts)
