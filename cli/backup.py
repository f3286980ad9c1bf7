"""`backup`: everything that the stack holds at one moment, in one file, while it runs.

Files that never change once they are written (blocks of metrics, chunks of logs) are copied first, while the stack
runs. Then the stack is paused for as long as it takes to copy the rest.
Why: docs/decisions/0002-a-backup-is-one-moment.md.
"""

from __future__ import annotations

import io
import json
import re
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final

from docker.models.containers import Container

from cli import archive, archive_key, encryption, inventory, repair, volumes
from cli.bootstrap import ROOT
from cli.context import Context
from cli.errors import NotUpError, UsageError, UserError
from cli.pause import paused
from observability.names import labels

FOLDER: Final = "backups"
_FINAL: Final = re.compile(
    r"prometheus/[0-9A-HJKMNP-TV-Z]{26}/(index|chunks/\d+)"  # blocks: made under another name, then renamed
    r"|loki/chunks/.+"  # written once
    r"|jaeger/keys/\d+\.sst"  # badger's tables, written once
)
"""Files that are created and deleted, but never changed."""
_AGE_SECONDS: Final = 60
"""Age from which none of these files is still being written."""
_PREALLOCATED: Final = re.compile(r"jaeger/(values/\d+\.vlog|keys/\d+\.mem)")
"""Files that badger creates at their full size (2 GiB) and fills from the start."""
_MARGIN: Final = 1024 * 1024


@dataclass(frozen=True)
class Keys:
    """The recipients of an archive (ENCRYPT), and the file of the key that signs it (ARCHIVE_KEY)."""

    recipients: encryption.Recipients | None = None
    archive_key: str = ""


def run(context: Context, folder: Path, keys: Keys) -> int:
    """Back the stack up into a folder."""
    above = next(path for path in (folder, *folder.parents) if path.exists())
    if not above.is_dir():
        msg = f"TO={folder}: {above} is a file; accepted: a folder, which is created when it is missing"
        raise UsageError(msg)
    path, manifest = create(context, folder, keys)
    context.console.table(
        f"backup of stack '{context.stack}'",
        ("store", "files", "bytes", "counted"),
        [(s, *_contents(manifest, s)) for s in context.settings.with_data],
    )
    for what in inventory.external_signals(context.settings):
        context.console.say(f"{what} are kept elsewhere and are not in it")
    size = path.stat().st_size
    context.console.say(
        f"{path}: {size:,} bytes; the stack was paused for {manifest.paused_seconds:.1f} s."
        f" {_restoring(path, keys.recipients)}"
    )
    return 0


def create(context: Context, folder: Path, keys: Keys) -> tuple[Path, archive.Manifest]:
    """Write an archive of the stack into `folder` and return its path.

    Raises:
        UserError: anything failed; there is no archive then.

    """
    settings, engine = context.settings, context.engine
    context.pulumi.select()
    api = context.grafana()
    repair.backups(context)
    containers = _running(context)
    now = datetime.now(UTC)
    path = folder / f"observability-{settings.stack}-{now:%Y%m%dT%H%M%SZ}.tar"
    at = int(now.timestamp()) - inventory.SETTLED_SECONDS
    say = context.console.say
    with _interruptible(), volumes.helper(engine.client, settings, volumes.BACKUP, settings.with_data) as helper:
        say("counting …")
        before = inventory.measure(api, settings, at)
        created = now.isoformat(timespec="seconds")
        key = archive_key.create(context.environment, keys.archive_key)
        with archive.writing(path, settings.stack, created, keys.recipients, key) as writer:
            state = context.pulumi.output("stack", "export")
            _state(context, writer, state, encrypted=keys.recipients is not None)
            say("copying …")
            seconds = _copy(context, writer, helper, containers)
            fields = {
                "stack": settings.stack,
                "created": created,
                "images": _images(json.loads(state), settings.with_data),
                "paused_seconds": round(seconds, 3),
                "at": at,
                "counts": [m.document() for m in inventory.merge(before, inventory.measure(api, settings, at))],
            }
            manifest = archive.finish(writer, **fields)
    return path, manifest


def _copy(
    context: Context, writer: archive.Writer, helper: volumes.HelperContainer, containers: Sequence[Container]
) -> float:
    """Copy everything; return for how many seconds the stack was paused."""
    entries = helper.entries()
    old = int(helper.run("date +%s")) - _AGE_SECONDS
    early = [e for e in entries.values() if not e.folder and _FINAL.fullmatch(e.path) and e.mtime < old]
    with context.console.progress("while it runs", sum(e.size for e in early)) as advance:
        copied_early = _files(writer, helper.read(early), advance)
        with paused(context, containers) as pause:
            now = helper.entries()
            for path in copied_early:
                if path not in now:  # expired or compacted in the meantime
                    writer.drop(_name(path))
                elif now[path].identity != entries[path].identity:
                    msg = f"{path} changed while it was copied, which such a file never does: try again"
                    raise UserError(msg)
            rest = [e for e in now.values() if not e.folder and e.path not in copied_early]
            whole = [e for e in rest if not _PREALLOCATED.fullmatch(e.path)]
            preallocated = ((e, _used(helper, e)) for e in rest if _PREALLOCATED.fullmatch(e.path))
            copied = _files(writer, chain(helper.read(whole), preallocated), advance)
            if missing := {e.path for e in rest} - copied:
                msg = f"{min(missing)} could not be copied, though the stack was paused: try again"
                raise UserError(msg)
            for entry in now.values():
                if entry.folder:
                    writer.add(entry.info(_name(entry.path)))
    return pause.seconds


def _files(
    writer: archive.Writer, entries: Iterable[tuple[volumes.Entry, IO[bytes]]], advance: Callable[[int], None]
) -> set[str]:
    copied = set()
    for entry, content in entries:
        size = entry.size if not isinstance(content, io.BytesIO) else len(content.getbuffer())
        writer.add(entry.info(_name(entry.path), size), content, size=entry.size)
        copied.add(entry.path)
        advance(entry.size)
    return copied


def _used(helper: volumes.HelperContainer, entry: volumes.Entry) -> io.BytesIO:
    """Return the content of a preallocated file without the zeros at its end."""
    wanted = min(entry.size, entry.used + _MARGIN)
    data = helper.head(entry, wanted).read()
    if wanted < entry.size and any(data[-_MARGIN:]):  # not filled from the start, then
        data = helper.head(entry, entry.size).read()
    return io.BytesIO(data.rstrip(b"\0"))


def _state(context: Context, writer: archive.Writer, state: str, *, encrypted: bool) -> None:
    writer.text(archive.STATE, state)
    file = ROOT / f"Pulumi.{context.stack}.yaml"
    if file.exists():
        writer.text(f"pulumi/{file.name}", file.read_text(encoding="utf-8"))
    passphrase = context.environment.passphrase
    if encrypted and passphrase:
        writer.text(archive.PASSPHRASE, passphrase)


def _running(context: Context) -> list[Container]:
    """Return the containers whose volumes are copied; raise NotUpError unless all of them run."""
    all_ = context.engine.containers()
    services = context.settings.with_data
    by_service = {c.labels[labels.SERVICE]: c for c in all_ if c.labels[labels.SERVICE] in services}
    down = [s for s in services if s not in by_service or by_service[s].status != "running"]
    if down:
        msg = f"{', '.join(down)} of stack '{context.stack}' does not run: `make up` first. Nothing was written."
        raise NotUpError(msg)
    return [by_service[s] for s in services]


def _images(state: dict[str, Any], services: Sequence[str]) -> dict[str, str]:
    """Return the images of the services in the state, by service."""
    wanted = {f"{service}-image": service for service in services}
    return {
        wanted[name]: str(resource["inputs"]["name"])
        for resource in state["deployment"]["resources"]
        if (name := str(resource["urn"]).rsplit("::", 1)[-1]) in wanted
    }


def _contents(manifest: archive.Manifest, service: str) -> tuple[str, str, str]:
    own = [m for m in manifest.members.values() if m.kept and m.name.startswith(_name(service) + "/")]
    counted = [f"{sum(m['low'].values()):,} {m['what']}" for m in manifest.counts if m["store"] == service]
    return f"{len(own):,}", f"{sum(m.stored for m in own):,}", ", ".join(counted)


def _restoring(path: Path, recipients: encryption.Recipients | None) -> str:
    if recipients is None:
        return f"`make restore FROM={path}` brings it back, with the passphrase of this stack's secrets at hand."
    return f"`make restore FROM={path} DECRYPT=<file>` brings it back."


def _name(path: str) -> str:
    return f"{archive.DATA}/{path}"


@contextmanager
def _interruptible() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C: everything is restored and no archive stays."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
