"""`upgrade`: a new version of one component; rolls back, with the old data, if the new version fails.

An old version may not read what a new one has written. So a rollback needs the old image and the old data, from a
backup that is made first.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Final

from cli import archive, backup, data_replacement, inventory, repair, restore, verify
from cli.bootstrap import ROOT
from cli.context import Context
from cli.engine import health
from cli.errors import UsageError, UserError
from observability import topology, versions
from observability.settings import CONTAINERS

_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def run(context: Context, component: str, version: str) -> int:
    """Bring `component` to `version`."""
    old = check(component, version)
    if component not in context.settings.containers:
        msg = f"COMPONENT={component}: stack '{context.stack}' does not run it. Nothing was changed."
        raise UsageError(msg)
    context.engine.pull_image(f"{old.name}:{version}", f"Is TO={version} right, and is there a network?")
    context.pulumi.select()
    _check_stack(context)
    say = context.console.say
    began = time.monotonic()
    say(f"{component}: {old.tag} → {version}. First a backup.")
    path, manifest = backup.create(context, ROOT / backup.FOLDER, backup.Keys())
    say(f"{path}: {path.stat().st_size:,} bytes; the stack was paused for {manifest.paused_seconds:.1f} s")
    before = versions.FILE.read_text(encoding="utf-8")
    versions.FILE.write_text(pinned(before, component, version), encoding="utf-8")
    failure = "it was interrupted"
    try:
        failure = _try(context, manifest)
        if not failure:
            say(f"{component} runs as {version}, after {time.monotonic() - began:.0f} s; commit versions.toml.")
            return 0
    finally:
        if failure:
            say(f"{component} {version} fails: {failure}. Rolling back to {old.tag} with the data from before.")
            versions.FILE.write_text(before, encoding="utf-8")
            _roll_back(context, component, path, manifest)
            say(f"{component} runs as {old.tag} again, after {time.monotonic() - began:.0f} s. {path} can be deleted.")
    return 1


def pinned(text: str, component: str, tag: str) -> str:
    """Return versions.toml with a new tag for a component, without its digest; raise ValueError for an unknown one."""
    section = re.compile(rf'(\[images\.{re.escape(component)}\][^\[]*?tag = )"[^"]*"([^\[]*?digest = )"[^"]*"')
    changed, count = section.subn(rf'\g<1>"{tag}"\g<2>""', text)
    if count != 1:
        msg = f"versions.toml has no [images.{component}] with a tag and a digest"
        raise ValueError(msg)
    return changed


def check(component: str, version: str) -> versions.Image:
    """Return the pinned version; raise UsageError for an unknown component or an impossible version."""
    accepted = (*CONTAINERS, *(part.name for part in topology.OPTIONAL))
    if component not in accepted:
        msg = f"COMPONENT={component}: no such component; accepted: {', '.join(accepted)}. Nothing was changed."
        raise UsageError(msg)
    old = versions.image(component)
    if not _TAG.fullmatch(version):
        msg = f"TO={version}: not a version; accepted: a tag of {old.name}. Nothing was changed."
        raise UsageError(msg)
    if version == old.tag:
        msg = f"TO={version}: {component} is pinned to that already. Nothing was changed."
        raise UsageError(msg)
    return old


def _check_stack(context: Context) -> None:
    """Check that the stack works and has no pending changes, so that a failure is the new version's."""
    context.engine.settle()
    sick = [str(c.name) for c in context.engine.containers() if health(c) not in {"healthy", "running"}]
    if sick:
        msg = f"{', '.join(sick)} is not healthy: repair that first (`make verify`). Nothing was changed."
        raise UserError(msg)
    context.pulumi.outputs()
    try:
        context.pulumi.output("preview", "--expect-no-changes", "--stack", context.stack)
    except UserError:
        msg = "other changes wait for `make up` (`make preview` shows them): that first. Nothing was changed."
        raise UserError(msg) from None


def _try(context: Context, manifest: archive.Manifest) -> str:
    """Bring the new version up and check it; return its problem, "" if it works."""
    if context.pulumi.up():
        return "`pulumi up` failed, as above"
    try:
        verdicts = inventory.wait_until_matching(
            context.grafana(), manifest.counts, context.settings, manifest.at, context.settings.with_data
        )
    except UserError as error:
        return str(error)
    restore.show(context, verdicts, manifest)
    if not all(v.passed for v in verdicts):
        return "it does not hold what was there before"
    if verify.run(context, as_json=False):
        return "`make verify` found that something does not work"
    return ""


def _roll_back(context: Context, component: str, path: Path, manifest: archive.Manifest) -> None:
    """Bring the old version back with its data; the other components keep what they have stored since."""
    repair.unlock(context)
    if component in context.settings.with_data:
        with data_replacement.replacing(context, [component], sizes=restore.sizes(manifest), state=None) as helper:
            restore.fill(context, helper, restore.Archive(path, None, manifest), [component])
    repair.prepare_stack(context)
    again = f"run `make up`, or `make restore FROM={path}`"
    if context.pulumi.up():
        msg = f"the old version does not start either; its output is above. The data is in {path}: {again}"
        raise UserError(msg)
    verdicts = inventory.wait_until_matching(
        context.grafana(), manifest.counts, context.settings, manifest.at, context.settings.with_data
    )
    restore.show(context, verdicts, manifest)
    if not all(v.passed for v in verdicts):
        msg = f"the old version is back, but does not hold everything that it held: {again}"
        raise UserError(msg)
