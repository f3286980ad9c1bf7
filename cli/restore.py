"""`make restore`: an archive becomes the chosen stack, on an empty host, beside another stack, or in its own place.

Nothing is touched before the whole archive has been read. What the stack held is set aside until the restored stores
have been counted; whatever fails, or is killed, it comes back. Why: docs/decisions/0002-a-backup-is-one-moment.md.
"""

from __future__ import annotations

import os
import re
import sys
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final

import docker.errors
from docker import DockerClient

from cli import (
    archive,
    archive_key,
    context,
    data_replacement,
    encryption,
    engine,
    inventory,
    pulumi,
    stack_config,
    state_check,
    state_migration,
    up,
    volumes,
)
from cli.bootstrap import UserError
from cli.console import progress, say, table
from cli.repair import prepare_stack
from components.grafana_api import GrafanaApi
from observability import versions
from observability.settings import SERVICES, Settings

Json = dict[str, Any]

_CONTENT: Final = ("**grafana:oss/**", "**grafana:alerting/**", "**dynamic/grafana:**")
"""What the program would change in Grafana: not before that has been counted."""


def main(arguments: list[str]) -> int:
    """Restore the archive that FROM names into the chosen stack, after asking where that holds something."""
    began = time.monotonic()
    path = Path((arguments or [""])[0])
    if not path.is_file():
        msg = f"FROM={path if arguments and arguments[0] else ''}: no such file; accepted: an archive of `make backup`"
        raise UserError(msg)
    settings = stack_config.current()
    client = engine.connect()
    identities = encryption.identities(os.environ.get("DECRYPT", ""))
    manifest, state, wanted = _accepted(path, identities, settings)
    held = _holds_data(client, settings)
    if held:
        _confirm(settings.stack, manifest)
    engine.pull(client, settings)
    up.ports(client)
    prepare_stack(client)
    pulumi.plugins()
    before = pulumi.exported()
    auth = f"{wanted['grafanaAdminUser']}:{wanted['grafanaAdminPassword']}"
    api = GrafanaApi(settings.address("grafana"), auth, settings.tls_ca)
    try:
        with data_replacement.replacing(
            client,
            settings,
            SERVICES,
            sizes=sizes(manifest),
            state=before,
            files=[f"Pulumi.{settings.stack}.yaml"],
        ) as workshop:
            fill(workshop, path, identities, manifest, SERVICES)
            networks = data_replacement.networks(client, settings)
            stripped = state_migration.strip_host_resources(state, keep=before, networks=networks)
            state_migration.install(stripped, like=before)
            for setting in state_migration.adopt(state, wanted):
                say(f"{setting} of the archive is now a secret in Pulumi.{settings.stack}.yaml")
            excluded = [part for pattern in _CONTENT for part in ("--exclude", pattern)]
            pulumi.run("up", "--yes", "--skip-preview", "--stack", settings.stack, *excluded, check=True)
            verdicts = inventory.proven(api, manifest.counts, settings, manifest.at, SERVICES)
            show(verdicts, manifest)
            equal = all(v.passed for v in verdicts)
            if held:
                _insist(equal=equal)
    except BaseException as error:
        _go_back(before, error)
        raise
    code = pulumi.run("up", "--yes", "--skip-preview", "--stack", settings.stack)
    if code:
        return code
    up.show_outputs()
    say(f"restored from {manifest.created} in {time.monotonic() - began:.0f} s")
    return 0 if equal else 1


def _accepted(
    path: Path, identities: encryption.Identities | None, settings: Settings
) -> tuple[archive.Manifest, Json, dict[str, str]]:
    """Return an archive's manifest, its state and Grafana's secrets; UserError if it may not become the stack."""
    unsigned = os.environ.get("ACCEPT_UNSIGNED", "")
    if unsigned not in ("", "yes"):
        msg = f"ACCEPT_UNSIGNED={unsigned}; accepted: yes, which restores an archive whoever wrote it"
        raise UserError(msg)
    key = archive_key.read()
    say(f"reading {path.name} …")
    manifest, texts = archive.verify(path, identities, key, accept_unsigned=bool(unsigned))
    _refuse_newer(manifest)
    state_check.require_own(texts[archive.STATE], stack_config.key_services(settings.stack))
    state = state_migration.decrypt_state(texts[archive.STATE], settings.stack, texts.get(archive.PASSPHRASE))
    wanted = state_migration.secrets(state)
    if wanted["grafanaAdminUser"] != settings.grafana_admin_user:
        msg = (
            f"grafanaAdminUser: {settings.grafana_admin_user!r}; the archive's is {wanted['grafanaAdminUser']!r}: set"
            f" that in Pulumi.{settings.stack}.yaml first. Nothing was touched."
        )
        raise UserError(msg)
    return manifest, state, wanted


def fill(
    workshop: volumes.Workshop,
    path: Path,
    identities: encryption.Identities | None,
    manifest: archive.Manifest,
    services: Sequence[str],
) -> None:
    """Write the services' files into their volumes."""
    roots = {f"{archive.DATA}/{service}" for service in services}

    def wanted(name: str) -> bool:
        return "/".join(name.split("/")[:2]) in roots and (name not in manifest.members or manifest.members[name].kept)

    mine = [m for m in manifest.members.values() if wanted(m.name)]
    with progress("restoring", sum(m.stored for m in mine)) as shown:

        def produce(tar: tarfile.TarFile) -> None:
            def visit(info: tarfile.TarInfo, content: IO[bytes] | None) -> None:
                if wanted(info.name):
                    if content is not None:
                        content = archive.require_equal(path, manifest.members.get(info.name), info, content)
                    info.name = info.name.removeprefix(f"{archive.DATA}/")
                    tar.addfile(info, content)
                    shown(info.size)

            archive.read(path, identities, visit)

        workshop.fill(produce)
    for member in mine:
        if member.size > member.stored:
            workshop.stretch(member.name.removeprefix(f"{archive.DATA}/"), member.size)


def sizes(manifest: archive.Manifest) -> dict[str, int]:
    """Return how many bytes of each service's volume an archive holds."""
    held: dict[str, int] = {}
    for member in manifest.members.values():
        folder, service, *_ = member.name.split("/")
        if folder == archive.DATA and member.kept:
            held[service] = held.get(service, 0) + member.stored
    return held


def show(verdicts: Sequence[inventory.Verdict], manifest: archive.Manifest) -> None:
    """Print the comparison."""
    table(
        f"counted up to {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(manifest.at))} UTC",
        ("store", "what", "in the archive", "found", "equal"),
        inventory.rows(verdicts),
    )


def _insist(*, equal: bool) -> None:
    """Raise UserError where something better than what was restored can be had back."""
    if not equal:
        msg = "what was restored is not what was backed up"
        raise UserError(msg)


def _go_back(before: dict[str, Any], error: BaseException) -> None:
    """Bring up again what was there; it has its data and its state back already."""
    if before["deployment"].get("resources"):
        say(f"going back to what was there before: {error or type(error).__name__}")
        if not pulumi.run("up", "--yes", "--skip-preview", "--stack", context.stack()):
            say("the stack is as it was before the restore")


def _holds_data(client: DockerClient, settings: Settings) -> bool:
    for service in SERVICES:
        try:
            client.volumes.get(volumes.data_volume(settings, service))
        except docker.errors.NotFound:
            continue
        return True
    return False


def _confirm(stack: str, manifest: archive.Manifest) -> None:
    given = os.environ.get("YES")
    what = f"stack '{stack}' holds data: its metrics, logs, traces, users and dashboards become those of"
    what += f" {manifest.created}"
    if given is None:
        if not sys.stdin.isatty():
            msg = f"{what}. Run it in a terminal, or with YES={stack}. Nothing was touched."
            raise UserError(msg)
        say(f"{what} (backed up of stack '{manifest.stack}').")
        given = input("Type the stack's name to go on: ")
    if given != stack:
        msg = f"'{given}' is not '{stack}': nothing was touched"
        raise UserError(msg)


def _refuse_newer(manifest: archive.Manifest) -> None:
    """Refuse data that a newer version wrote: an older one may not read it, and need not say so."""
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
