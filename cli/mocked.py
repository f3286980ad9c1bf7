"""Runs the program over Pulumi's mocks, and returns what it would register, without engine, Docker or network.

cli/evaluation.py runs this as a module, because Pulumi's runtime supports one program in a process.
"""

from __future__ import annotations

import asyncio
import json
import runpy
import sys
from dataclasses import asdict
from typing import Any

from pulumi.runtime import mocks
from pulumi.runtime.config import set_all_config
from pulumi.runtime.stack import run_pulumi_func

from cli.bootstrap import ROOT
from cli.evaluation import Registered
from observability.settings import PROJECT

Properties = dict[str, Any]


_SECRET = "4dabf18193072939515e22adb298388d"  # noqa: S105 - the key that marks Pulumi's envelope around a secret


def _open(value: Any) -> Any:  # noqa: ANN401 - JSON both ways
    """Return `value` without the envelopes around its secrets; those of a mocked run are stand-ins."""
    if isinstance(value, dict):
        return _open(value["value"]) if _SECRET in value else {k: _open(v) for k, v in value.items()}
    return [_open(v) for v in value] if isinstance(value, list) else value


class _Recorder(mocks.Mocks):
    def __init__(self) -> None:
        self.resources: list[Registered] = []

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, Properties]:
        self.resources.append(Registered(args.typ, args.name, _open(args.inputs)))
        outputs = {"name": f"{args.name}-1a2b3c4", **args.inputs}  # Pulumi names what has no name of its own
        if args.typ == "random:index/randomPassword:RandomPassword":
            outputs["result"] = f"generated-{args.name}"
        if args.typ == "docker:index/remoteImage:RemoteImage":
            outputs["imageId"] = f"sha256:{args.inputs['name']}"
        if args.typ == "docker:index/container:Container":
            outputs |= {"exitCode": 0, "containerLogs": ""}
        return f"{args.name}-id", outputs

    def call(self, args: mocks.MockCallArgs) -> tuple[Properties, None]:
        raise AssertionError(f"the program calls {args.token}, which no mock knows")


def run(stack: str, raw: dict[str, str], secret: frozenset[str]) -> list[Registered]:
    """Run the whole program for `stack` with this raw configuration; return what it registered, in order."""
    recorder = _Recorder()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    mocks.set_mocks(recorder, project=PROJECT, stack=stack, preview=False)
    set_all_config({f"{PROJECT}:{k}": v for k, v in raw.items()}, [f"{PROJECT}:{k}" for k in sorted(secret)])
    sys.path.insert(0, str(ROOT))
    try:
        loop.run_until_complete(run_pulumi_func(_program))
    finally:
        asyncio.set_event_loop(None)
        loop.close()
        sys.path.remove(str(ROOT))
    return recorder.resources


def _program() -> None:
    runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")


if __name__ == "__main__":
    request = json.load(sys.stdin)
    registered = run(request["stack"], request["raw"], frozenset(request["secret"]))
    json.dump([asdict(r) for r in registered], sys.stdout)
