"""`plan`: shows what the program would create, as a tree with the most important settings. Needs only Python."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from cli import stack_config
from cli.context import Context
from cli.errors import UserError
from cli.evaluation import Registered, evaluate

if TYPE_CHECKING:
    from rich.tree import Tree


def run(context: Context, *, as_json: bool) -> int:
    """Print the plan of the stack."""
    stack = context.stack
    settings = stack_config.settings(stack, stand_in=True)  # for one error with every problem
    values, secret = stack_config.filled(stack)
    resources = evaluate(stack, values, secret)
    if twice := duplicates(resources):
        msg = f"two resources of one kind have the same name, which `up` would refuse: {', '.join(twice)}"
        raise UserError(msg)
    missing = sorted(secret - stack_config.raw(stack)[1])
    if as_json:
        context.console.json(
            {"stack": stack, "resources": [vars(r) for r in resources], "secrets_to_configure": missing}
        )
        return 0
    context.console.show(_tree(stack, settings.containers, resources))
    counts = Counter(r.type.split(":")[0] for r in resources if not r.type.startswith("observability:"))
    context.console.say("in all " + ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())) + " resources")
    for key in missing:
        context.console.say(f"needed before `make up STACK={stack}`: pulumi config set --secret {key} --stack {stack}")
    return 0


def duplicates(resources: Iterable[Registered]) -> list[str]:
    """Return the kinds and names that more than one resource has."""
    counts = Counter((r.type, r.name) for r in resources)
    return [f"{kind} {name}" for (kind, name), count in counts.items() if count > 1]


def _tree(stack: str, containers: Sequence[str], resources: Sequence[Registered]) -> Tree:
    from rich.tree import Tree  # noqa: PLC0415 - `plan --json` draws nothing

    tree = Tree(f"stack '{stack}'")
    for service in containers:
        branch = tree.add(service)
        for r in resources:
            if r.name == service and r.type.endswith(":Container"):
                for line in _container(r.inputs):
                    branch.add(line)
            elif r.type.endswith(":Volume") and f"{service}-" in r.name:
                branch.add(f"volume {r.inputs.get('name') or r.name + '-…'}")
    content = tree.add("Grafana's content")
    kinds: tuple[tuple[str, str, Callable[[dict[str, Any]], str]], ...] = (
        ("folders", "oss/folder:Folder", lambda i: f"{i['uid']}: {i['title']}"),
        ("data sources", "oss/dataSource:DataSource", lambda i: f"{i['uid']}: {i['url']}"),
        ("correlations", "Correlation", lambda i: f"{i['source']} → {i['target']}: {i['label']}"),
        ("dashboards", "oss/dashboard:Dashboard", _dashboard),
        ("alerts", "alerting/ruleGroup:RuleGroup", _alerts),
        ("contact points", "alerting/contactPoint:ContactPoint", _contact),
    )
    for title, token, describe in kinds:
        branch = content.add(title)
        for r in resources:
            if r.type.endswith(token):
                branch.add(describe(r.inputs))
    return tree


def _container(inputs: dict[str, Any]) -> list[str]:
    ports = [f"{p['ip']}:{int(p['external'])} → {int(p['internal'])}" for p in inputs.get("ports", ())]
    return [
        f"image {str(inputs['image']).removeprefix('sha256:')}",
        (
            f"container {inputs['name']}: user {inputs['user']}, read-only root,"
            f" {int(inputs['memory'])} MiB, {inputs['cpus']} cores"
        ),
        *(f"port {p}" for p in ports),
    ]


def _alerts(inputs: dict[str, Any]) -> str:
    every = f"every {int(inputs['intervalSeconds'])} s"
    return f"{inputs['name']} in {inputs['folderUid']}: {len(inputs['rules'])} alerts, {every}"


def _contact(inputs: dict[str, Any]) -> str:
    return f"{inputs['name']}: {', '.join(sorted(k for k, v in inputs.items() if isinstance(v, list)))}"


def _dashboard(inputs: dict[str, Any]) -> str:
    model = json.loads(inputs["configJson"])
    panels = [p for p in model["panels"] if p["type"] != "row"]
    nested = [p for row in model["panels"] for p in row.get("panels") or ()]
    return f"{model['uid']} in {inputs['folder']}: {model['title']}, {len(panels) + len(nested)} panels"
