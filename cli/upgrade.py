"""`make upgrade`: another version of one component, and back to the old one with its data when it does not work.

What a new version has written, an old one may not read. So the way back is not only the old image but the data from
before, out of a backup taken at the start.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Final

import docker.errors
from docker import DockerClient

from cli import (
    archive,
    backup,
    context,
    data_replacement,
    engine,
    inventory,
    pulumi,
    repair,
    restore,
    stack_config,
    verify,
)
from cli.bootstrap import ROOT, UserError
from cli.console import say
from components.grafana_api import program
from observability import versions
from observability.settings import CONTAINERS, SERVICES, Settings

_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def main(arguments: list[str]) -> int:
    """Take COMPONENT to version TO."""
    component, to = (*arguments, "", "")[:2]
    settings = stack_config.current()
    client = engine.connect()
    old = _check(client, component, to)
    pulumi.select()
    _check_stack(client, settings)
    began = time.monotonic()
    say(f"{component}: {old.tag} → {to}. First a backup.")
    path, manifest = backup.take(ROOT / backup.FOLDER)
    say(f"{path}: {path.stat().st_size:,} bytes; the stack stood still for {manifest.paused_seconds:.1f} s")
    before = versions.FILE.read_text(encoding="utf-8")
    versions.FILE.write_text(pinned(before, component, to), encoding="utf-8")
    failed = "it was interrupted"
    try:
        failed = _try(settings, manifest)
        if not failed:
            say(f"{component} runs as {to}, after {time.monotonic() - began:.0f} s; commit versions.toml.")
            return 0
    finally:
        if failed:
            say(f"{component} {to} does not do: {failed}. Back to {old.tag} with the data from before.")
            versions.FILE.write_text(before, encoding="utf-8")
            _go_back(client, settings, component, path, manifest)
            say(f"{component} runs as {old.tag} again, after {time.monotonic() - began:.0f} s. {path} may go.")
    return 1


def pinned(text: str, component: str, tag: str) -> str:
    """Return versions.toml with another tag for a component and its digest emptied; ValueError where there is none."""
    section = re.compile(rf'(\[images\.{re.escape(component)}\][^\[]*?tag = )"[^"]*"([^\[]*?digest = )"[^"]*"')
    changed, found = section.subn(rf'\g<1>"{tag}"\g<2>""', text)
    if found != 1:
        msg = f"versions.toml has no [images.{component}] with a tag and a digest"
        raise ValueError(msg)
    return changed


def _check(client: DockerClient, component: str, to: str) -> versions.Image:
    """Return the version that is pinned now; UserError for what cannot be."""
    if component not in CONTAINERS:
        msg = f"COMPONENT={component}: no such component; accepted: {', '.join(CONTAINERS)}. Nothing was changed."
        raise UserError(msg)
    if not _TAG.fullmatch(to):
        msg = f"TO={to}: no version; accepted: a tag of {versions.image(component).name}. Nothing was changed."
        raise UserError(msg)
    old = versions.image(component)
    if to == old.tag:
        msg = f"TO={to}: {component} is pinned to that already. Nothing was changed."
        raise UserError(msg)
    reference = f"{old.name}:{to}"
    try:
        client.images.get(reference)
    except docker.errors.ImageNotFound:
        say(f"pulling {reference} …")
        try:
            client.images.pull(old.name, to)
        except docker.errors.APIError as error:
            msg = (
                f"TO={to}: neither the Docker host nor the registry has {reference} ({error.explanation})."
                " Nothing was changed."
            )
            raise UserError(msg) from None
    return old


def _check_stack(client: DockerClient, settings: Settings) -> None:
    """See that the stack works and nothing else waits to be changed, or nobody could tell whose fault a failure is."""
    engine.settle(client)
    sick = [str(c.name) for c in engine.containers(client) if engine.health(c) not in {"healthy", "running"}]
    if sick:
        msg = f"{', '.join(sick)} is not healthy: mend that first (`make verify`). Nothing was changed."
        raise UserError(msg)
    pulumi.outputs()
    try:
        pulumi.ask("preview", "--expect-no-changes", "--stack", settings.stack)
    except UserError:
        msg = "other changes wait for `make up` (`make preview` shows them): that first. Nothing was changed."
        raise UserError(msg) from None


def _try(settings: Settings, manifest: archive.Manifest) -> str:
    """Bring the new version up and see whether it does; return what is wrong with it, empty when nothing is."""
    if pulumi.run("up", "--yes", "--skip-preview", "--stack", settings.stack):
        return "`pulumi up` failed, as above"
    try:
        api = program(pulumi.outputs())
        verdicts = inventory.proven(api, manifest.counts, settings, manifest.at, SERVICES)
    except UserError as stop:
        return str(stop)
    restore.show(verdicts, manifest)
    if not all(v.passed for v in verdicts):
        return "it does not hold what was there before"
    if verify.main([]):
        return "`make verify` finds that something does not work"
    return ""


def _go_back(client: DockerClient, settings: Settings, component: str, path: Path, manifest: archive.Manifest) -> None:
    """Bring the old version back with its own data; the other components keep what came since."""
    repair.unlock()
    if component in SERVICES:
        with data_replacement.replacing(
            client, settings, [component], sizes=restore.sizes(manifest), state=None
        ) as workshop:
            restore.fill(workshop, path, None, manifest, [component])
    repair.prepare_stack(client)
    again = f"run `make up`, or `make restore FROM={path}`"
    if pulumi.run("up", "--yes", "--skip-preview", "--stack", context.stack()):
        msg = f"the old version does not come up either; what it said is above. The data is in {path}: {again}"
        raise UserError(msg)
    verdicts = inventory.proven(program(pulumi.outputs()), manifest.counts, settings, manifest.at, SERVICES)
    restore.show(verdicts, manifest)
    if not all(v.passed for v in verdicts):
        msg = f"the old version is back, but does not hold all that it held: {again}"
        raise UserError(msg)
