"""`restore`: an archive becomes the stack, on an empty host, beside another stack, or in its own place.

Nothing is changed before the whole archive has been read. What the stack held is moved aside until the restored stores
have been counted; after any failure, or a kill, it comes back. Why: docs/decisions/0002-a-backup-is-one-moment.md.
"""

from __future__ import annotations

import re
import tarfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import docker.errors

from cli import (
    archive,
    data_replacement,
    encryption,
    inventory,
    stack_config,
    state_check,
    state_migration,
    up,
    volumes,
)
from cli.context import Context
from cli.errors import UsageError, UserError
from cli.repair import prepare_stack
from components.grafana_api import GrafanaApi
from observability import versions

Json = dict[str, Any]

_CONTENT: Final = ("**grafana:oss/**", "**grafana:alerting/**", "**dynamic/grafana:**")
"""What the program would change in Grafana: not before that has been counted."""


@dataclass(frozen=True)
class Source:
    """An archive on disk, and what a restore needs to read and trust it."""

    path: Path
    identities: encryption.Identities | None = None
    archive_key: bytes | None = None
    accept_unsigned: bool = False


def run(context: Context, source: Source, *, confirmation: str | None) -> int:
    """Restore an archive into the stack, after a question where the stack holds data."""
    began = time.monotonic()
    settings, say, pulumi = context.settings, context.console.say, context.pulumi
    _ = context.engine
    services = settings.with_data
    manifest, state, secrets = _accepted(context, source)
    for signal in inventory.external_signals(settings):
        say(f"{signal} are kept elsewhere: what the archive has of them is not restored")
    held = _holds_data(context)
    if held:
        confirm(context, manifest, given=confirmation)
    context.engine.pull(settings)
    up.check_ports(context)
    prepare_stack(context)
    pulumi.install_plugins()
    before = pulumi.exported()
    auth = f"{secrets['grafanaAdminUser']}:{secrets['grafanaAdminPassword']}"
    api = GrafanaApi(settings.address("grafana"), auth, settings.tls_ca)
    try:
        with data_replacement.replacing(
            context, services, sizes=sizes(manifest), state=before, files=[f"Pulumi.{settings.stack}.yaml"]
        ) as helper:
            fill(context, helper, Archive(source.path, source.identities, manifest), services)
            networks = data_replacement.networks(context.engine.client, settings)
            stripped = state_migration.strip_host_resources(state, keep=before, networks=networks)
            state_migration.install(pulumi, stripped, like=before)
            _, configured = stack_config.raw(context.stack)
            for setting in state_migration.configure_secrets(context, state, secrets, configured):
                say(f"{setting} of the archive is now a secret in Pulumi.{settings.stack}.yaml")
            pulumi.up(*(part for pattern in _CONTENT for part in ("--exclude", pattern)), check=True)
            verdicts = inventory.wait_until_matching(api, manifest.counts, settings, manifest.at, services)
            show(context, verdicts, manifest)
            equal = all(v.passed for v in verdicts)
            if held:
                _require(equal=equal)
    except BaseException as error:
        _roll_back(context, before, error)
        raise
    code = pulumi.up()
    if code:
        return code
    up.show_outputs(context)
    say(f"restored from {manifest.created} in {time.monotonic() - began:.0f} s")
    return 0 if equal else 1


def require_archive(path: Path) -> None:
    """Raise UsageError unless there is a file to restore."""
    if not path.is_file():
        msg = f"FROM={path if path.name else ''}: no such file; accepted: an archive of `make backup`"
        raise UsageError(msg)


def _accepted(context: Context, source: Source) -> tuple[archive.Manifest, Json, dict[str, str]]:
    """Return an archive's manifest, its state and Grafana's secrets; UserError if it may not become the stack."""
    settings, path = context.settings, source.path
    context.console.say(f"reading {path.name} …")
    manifest, texts = archive.verify(
        path, source.identities, source.archive_key, accept_unsigned=source.accept_unsigned
    )
    refuse_newer(manifest)
    services = stack_config.key_services(settings.stack, context.environment.backend_url)
    state_check.require_own(texts[archive.STATE], services)
    state = state_migration.decrypt_state(context.pulumi, texts[archive.STATE], texts.get(archive.PASSPHRASE))
    secrets = state_migration.secrets(state)
    if secrets["grafanaAdminUser"] != settings.grafana_admin_user:
        msg = (
            f"grafanaAdminUser: '{settings.grafana_admin_user}'; the archive's is '{secrets['grafanaAdminUser']}': set"
            f" that in Pulumi.{settings.stack}.yaml first. Nothing was touched."
        )
        raise UserError(msg)
    return manifest, state, secrets


@dataclass(frozen=True)
class Archive:
    """An archive that was read once already, with what decrypts it."""

    path: Path
    identities: encryption.Identities | None
    manifest: archive.Manifest


def fill(context: Context, helper: volumes.HelperContainer, source: Archive, services: Sequence[str]) -> None:
    """Write the services' files into their volumes."""
    manifest = source.manifest
    roots = {f"{archive.DATA}/{service}" for service in services}

    def wanted(name: str) -> bool:
        return "/".join(name.split("/")[:2]) in roots and (name not in manifest.members or manifest.members[name].kept)

    members = [m for m in manifest.members.values() if wanted(m.name)]
    with context.console.progress("restoring", sum(m.stored for m in members)) as advance:

        def produce(tar: tarfile.TarFile) -> None:
            def visit(info: tarfile.TarInfo, content: IO[bytes] | None) -> None:
                if wanted(info.name):
                    if content is not None:
                        content = archive.require_equal(source.path, manifest.members.get(info.name), info, content)
                    info.name = info.name.removeprefix(f"{archive.DATA}/")
                    tar.addfile(info, content)
                    advance(info.size)

            archive.read(source.path, source.identities, visit)

        helper.fill(produce)
    for member in members:
        if member.size > member.stored:
            helper.stretch(member.name.removeprefix(f"{archive.DATA}/"), member.size)


def sizes(manifest: archive.Manifest) -> dict[str, int]:
    """Return how many bytes of each service's volume an archive holds."""
    held: dict[str, int] = {}
    for member in manifest.members.values():
        folder, service, *_ = member.name.split("/")
        if folder == archive.DATA and member.kept:
            held[service] = held.get(service, 0) + member.stored
    return held


def show(context: Context, verdicts: Sequence[inventory.Verdict], manifest: archive.Manifest) -> None:
    """Print the comparison."""
    context.console.table(
        f"counted up to {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(manifest.at))} UTC",
        ("store", "what", "in the archive", "found", "equal"),
        inventory.rows(verdicts),
    )


def _require(*, equal: bool) -> None:
    """Raise UserError, which rolls back, unless the restored data is what was backed up."""
    if not equal:
        msg = "what was restored is not what was backed up"
        raise UserError(msg)


def _roll_back(context: Context, before: dict[str, Any], error: BaseException) -> None:
    """Bring up again what was there; it has its data and its state back already."""
    if before["deployment"].get("resources"):
        context.console.say(f"rolling back to what was there before: {error or type(error).__name__}")
        if not context.pulumi.up():
            context.console.say("the stack is as it was before the restore")


def _holds_data(context: Context) -> bool:
    for service in context.settings.with_data:
        try:
            context.engine.client.volumes.get(volumes.data_volume(context.settings, service))
        except docker.errors.NotFound:
            continue
        return True
    return False


def confirm(context: Context, manifest: archive.Manifest, *, given: str | None) -> None:
    """Ask before the data of a stack is replaced; NotConfirmedError for any answer but its name."""
    context.confirm(
        f"Stack '{context.stack}' holds data: its metrics, logs, traces, users and dashboards become those of"
        f" {manifest.created} (backed up from stack '{manifest.stack}').",
        "nothing was touched",
        given=given,
    )


def refuse_newer(manifest: archive.Manifest) -> None:
    """Raise UserError for data of a newer version: an older one may fail to read it without an error."""
    newer = []
    for service, reference in manifest.images.items():
        if service not in versions.images():
            continue
        pinned = versions.image(service)
        tag = reference.partition("@")[0].rpartition(":")[2]
        if _numbers(tag) > _numbers(pinned.tag):
            newer.append(f"{service} {tag} (versions.toml: {pinned.tag})")
    if newer:
        msg = (
            f"the archive was written by newer versions: {', '.join(newer)}. Set these tags first. Nothing was touched."
        )
        raise UserError(msg)


def _numbers(tag: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", tag)[:3])
