"""`make backup`: everything that the stack holds, of one moment, in one file, while it runs.

Files that never change once they are written (blocks of metrics, chunks of logs) are copied first, while everything
goes on. Then the stack stands still for as long as it takes to copy the rest.
Why: docs/decisions/0002-a-backup-is-one-moment.md.
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final

from docker import DockerClient
from docker.models.containers import Container

from cli import archive, archive_key, context, encryption, engine, inventory, pulumi, repair, stack_config, volumes
from cli.bootstrap import ROOT, UserError
from cli.console import progress, say, table
from cli.pause import frozen
from components.grafana_api import program
from observability.names import labels
from observability.settings import SERVICES, Settings

FOLDER: Final = "backups"
_FINAL: Final = re.compile(
    r"prometheus/[0-9A-HJKMNP-TV-Z]{26}/(index|chunks/\d+)"  # blocks: made under another name, then renamed
    r"|loki/chunks/.+"  # written once
    r"|jaeger/keys/\d+\.sst"  # badger's tables, written once
)
"""Files that are never changed once they are there: only made, and deleted."""
_AGE_SECONDS: Final = 60
"""After which nobody can still be writing one of those."""
_AHEAD: Final = re.compile(r"jaeger/(values/\d+\.vlog|keys/\d+\.mem)")
"""Files that badger makes at their greatest size (2 GiB) and fills from the start."""
_MARGIN: Final = 1024 * 1024


def main(arguments: list[str]) -> int:
    """Back the chosen stack up into a folder."""
    recipients = encryption.recipients(os.environ.get("ENCRYPT", ""))
    path, manifest = take(Path((arguments or [""])[0] or ROOT / FOLDER), recipients)
    table(
        f"backup of stack '{context.stack()}'",
        ("store", "files", "bytes", "counted"),
        [(s, *_of(manifest, s)) for s in SERVICES],
    )
    size = path.stat().st_size
    paused = f"the stack stood still for {manifest.paused_seconds:.1f} s"
    say(f"{path}: {size:,} bytes; {paused}. {_needed(path, recipients)}")
    return 0


def take(folder: Path, recipients: encryption.Recipients | None = None) -> tuple[Path, archive.Manifest]:
    """Write an archive of the chosen stack into `folder` and return it; UserError, and nothing stays, on any error."""
    settings = stack_config.current()
    client = engine.connect()
    pulumi.select()
    api = program(pulumi.outputs())
    repair.backups(client)
    containers = _running(client)
    now = datetime.now(UTC)
    path = folder / f"observability-{settings.stack}-{now:%Y%m%dT%H%M%SZ}.tar"
    at = int(now.timestamp()) - inventory.SETTLED_SECONDS
    with _until_told(), volumes.workshop(client, settings, volumes.BACKUP, SERVICES) as workshop:
        say("counting …")
        before = inventory.measure(api, settings, at)
        created = now.isoformat(timespec="seconds")
        with archive.writing(path, settings.stack, created, recipients, archive_key.create()) as writer:
            state = pulumi.ask("stack", "export")
            _state(writer, settings, state, encrypted=recipients is not None)
            say("copying …")
            paused = _copy(writer, workshop, containers)
            known = {
                "stack": settings.stack,
                "created": created,
                "images": _images(json.loads(state)),
                "paused_seconds": round(paused, 3),
                "at": at,
                "counts": [m.document() for m in inventory.between(before, inventory.measure(api, settings, at))],
            }
            manifest = archive.finish(writer, **known)
    return path, manifest


def _copy(writer: archive.Writer, workshop: volumes.Workshop, containers: Sequence[Container]) -> float:
    """Copy everything; return for how long the stack stood still, in seconds."""
    found = workshop.entries()
    old = int(workshop.run("date +%s")) - _AGE_SECONDS
    early = [e for e in found.values() if not e.folder and _FINAL.fullmatch(e.path) and e.mtime < old]
    with progress("while it runs", sum(e.size for e in early)) as shown:
        taken = _files(writer, workshop.read(early), shown)
        with frozen(containers) as still:
            there = workshop.entries()
            for path in taken:
                if path not in there:  # expired or compacted in the meantime
                    writer.drop(_name(path))
                elif there[path].identity != found[path].identity:
                    msg = f"{path} changed while it was copied, which such a file never does: try again"
                    raise UserError(msg)
            rest = [e for e in there.values() if not e.folder and e.path not in taken]
            whole = [e for e in rest if not _AHEAD.fullmatch(e.path)]
            ahead = ((e, _used(workshop, e)) for e in rest if _AHEAD.fullmatch(e.path))
            copied = _files(writer, chain(workshop.read(whole), ahead), shown)
            if missing := {e.path for e in rest} - copied:
                msg = f"{min(missing)} could not be copied, though the stack stood still: try again"
                raise UserError(msg)
            for entry in there.values():
                if entry.folder:
                    writer.add(entry.info(_name(entry.path)))
    return still.seconds


def _files(
    writer: archive.Writer, found: Iterable[tuple[volumes.Entry, IO[bytes]]], shown: Callable[[int], None]
) -> set[str]:
    taken = set()
    for entry, content in found:
        size = entry.size if not isinstance(content, io.BytesIO) else len(content.getbuffer())
        writer.add(entry.info(_name(entry.path), size), content, size=entry.size)
        taken.add(entry.path)
        shown(entry.size)
    return taken


def _used(workshop: volumes.Workshop, entry: volumes.Entry) -> io.BytesIO:
    """Return what has been written of a file that was made ahead, without the zeros behind it."""
    wanted = min(entry.size, entry.used + _MARGIN)
    data = workshop.head(entry, wanted).read()
    if wanted < entry.size and any(data[-_MARGIN:]):  # not filled from the start, then
        data = workshop.head(entry, entry.size).read()
    return io.BytesIO(data.rstrip(b"\0"))


def _state(writer: archive.Writer, settings: Settings, state: str, *, encrypted: bool) -> None:
    writer.text(archive.STATE, state)
    file = ROOT / f"Pulumi.{settings.stack}.yaml"
    if file.exists():
        writer.text(f"pulumi/{file.name}", file.read_text(encoding="utf-8"))
    passphrase = context.passphrase()
    if encrypted and passphrase:
        writer.text(archive.PASSPHRASE, passphrase)


def _running(client: DockerClient) -> list[Container]:
    """Return the containers whose volumes are copied; UserError unless all of them run."""
    found = {c.labels[labels.SERVICE]: c for c in engine.containers(client) if c.labels[labels.SERVICE] in SERVICES}
    down = [s for s in SERVICES if s not in found or found[s].status != "running"]
    if down:
        msg = f"{', '.join(down)} of stack '{context.stack()}' does not run: `make up` first. Nothing was written."
        raise UserError(msg)
    return [found[s] for s in SERVICES]


def _images(state: dict[str, Any]) -> dict[str, str]:
    """Return the images that the state knows the services to run, by service."""
    wanted = {f"{service}-image": service for service in SERVICES}
    return {
        wanted[name]: str(resource["inputs"]["name"])
        for resource in state["deployment"]["resources"]
        if (name := str(resource["urn"]).rsplit("::", 1)[-1]) in wanted
    }


def _of(manifest: archive.Manifest, service: str) -> tuple[str, str, str]:
    own = [m for m in manifest.members.values() if m.kept and m.name.startswith(_name(service) + "/")]
    counted = [f"{sum(m['low'].values()):,} {m['what']}" for m in manifest.counts if m["store"] == service]
    return f"{len(own):,}", f"{sum(m.stored for m in own):,}", ", ".join(counted)


def _needed(path: Path, recipients: encryption.Recipients | None) -> str:
    if recipients is None:
        return f"`make restore FROM={path}` brings it back, with the passphrase of this stack's secrets at hand."
    return f"`make restore FROM={path} DECRYPT=<file>` brings it back."


def _name(path: str) -> str:
    return f"{archive.DATA}/{path}"


@contextmanager
def _until_told() -> Iterator[None]:
    """Take a request to end as Ctrl-C: everything is put back and nothing stays."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
