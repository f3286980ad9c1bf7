"""`fault`: injects a fault into the demo for a while, of one of four kinds."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import get_args

from cli.context import Context
from cli.errors import NotUpError, UsageError, UserError
from demo.kinds import Kind
from observability.settings import seconds as seconds_of

KINDS = get_args(Kind)
LONGEST = 86_400
_POLL_SECONDS = 1.0
_WHAT = {
    "errors": "half of the answers are 500",
    "latency": "the model takes 0.8 s longer",
    "saturation": "the model answers one request at a time, its queue fills and refuses with 503",
    "crash": "the gateway's process ends, again and again",
}


@dataclass(frozen=True)
class Gateway:
    """The demo's gateway: its address and the token for its fault injection."""

    url: str
    token: str

    def inject(self, kind: str, seconds: float, *, share: float = 0.5) -> None:
        """Inject a fault for so many seconds; 0 ends it. OSError when the gateway does not answer."""
        body = json.dumps({"kind": kind, "seconds": seconds, "share": share}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(f"{self.url}/faults", body, headers=headers, method="PUT")  # noqa: S310 - ours
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - as above
            pass


def run(context: Context, kind: str, duration: str) -> int:
    """Inject a fault of this kind for this long."""
    if kind not in KINDS:
        msg = f"KIND: '{kind}'; accepted: {', '.join(KINDS)}"
        raise UsageError(msg)
    try:
        length = seconds_of(duration)
    except ValueError:
        length = 0
    if not 0 < length <= LONGEST:
        msg = f"FOR: '{duration}'; accepted: a duration like 30s, 5m or 1h, at most 1d"
        raise UsageError(msg)
    gateway = find(context)
    say = context.console.say
    if kind == "crash":
        say(f"{_WHAT[kind]}, for {length:g} s: {_crash(gateway, length)} times")
        return 0
    try:
        gateway.inject(kind, length)
    except OSError as error:
        msg = f"the gateway refused: {error}"
        raise UserError(msg) from None
    say(f"{_WHAT[kind]}, for {length:g} s; then it recovers by itself")
    return 0


def find(context: Context) -> Gateway:
    """Return the stack's gateway; UserError when the demo is off."""
    if not context.settings.demo:
        msg = f"demo: false; accepted: true in Pulumi.{context.stack}.yaml, then `make up`: faults are the demo's"
        raise UserError(msg)
    context.pulumi.select()
    outputs = context.pulumi.outputs()
    if "demoToken" not in outputs:
        msg = f"the demo of stack '{context.stack}' is not up yet: `make up`"
        raise NotUpError(msg)
    return Gateway(outputs["gatewayUrl"], outputs["demoToken"])


def _crash(gateway: Gateway, length: float) -> int:
    """End its process as often as the engine has started it again; return how often."""
    crashes, until = 0, time.monotonic() + length
    while time.monotonic() < until:
        try:
            gateway.inject("crash", 1)
            crashes += 1
        except OSError:  # it is down
            pass
        time.sleep(_POLL_SECONDS)
    return crashes
