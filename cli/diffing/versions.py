"""One environment as one version of the program would make it: evaluated in that version's own folder."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cli import stack_config
from cli.bootstrap import ROOT
from cli.errors import UsageError, UserError
from cli.evaluation import ENTRIES, ProgramError, Registered, entry, evaluate
from observability.settings import PROJECT, STAND_IN


@dataclass(frozen=True)
class Environment:
    """What an environment comes to: its settings as written, the keys in its own file, and its resources."""

    settings: Mapping[str, Any]
    given: frozenset[str]
    resources: tuple[Registered, ...]


@contextmanager
def checked_out(base: str) -> Iterator[tuple[Path, str]]:
    """Unpack the commit at which HEAD left `base` into a temporary folder; its path and short hash.

    So what others did on `base` since is no change of this branch. UserError where there is no such commit.
    """
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}")
    if commit is None:
        msg = f"BASE={base} is no branch, tag or commit of this repository: name one, or `git fetch` it first"
        raise UsageError(msg)
    # A clone without history has no common commit: then the base itself.
    name = (_git("merge-base", commit.decode().strip(), "HEAD") or commit).decode().strip()
    prefix = (_git("rev-parse", "--show-prefix") or b"").decode().strip()
    archive = _git("archive", "--format=tar", f"{name}:{prefix}")
    if archive is None:
        msg = f"git could not unpack {base} ({name[:12]})"
        raise UserError(msg)
    with TemporaryDirectory(prefix="observability-diff-") as folder:
        try:
            with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
                # Debian's Python 3.11.2 has no filters yet; the tree is this repository's own.
                tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, _path: member)
                tar.extractall(folder)  # noqa: S202 - by that filter
        except tarfile.TarError as error:
            msg = f"BASE={base} ({name[:12]}) holds what cannot be unpacked here: {error}"
            raise UserError(msg) from None
        if entry(Path(folder)) is None:
            msg = f"BASE={base} ({name[:12]}) has no {ENTRIES[0]}: it is older than what `make diff` can evaluate"
            raise UserError(msg)
        yield Path(folder), name[:12]


def _git(*arguments: str) -> bytes | None:
    """Return what git prints, None when it refuses."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)  # noqa: S603, S607 - git
    return None if done.returncode else done.stdout


def environments(folder: Path, stacks: list[str], version: str) -> dict[str, Environment]:
    """Evaluate those of `stacks` that `folder` has; UserError when the program, called `version`, does not run."""
    there = [stack for stack in stacks if stack in stack_config.stacks(folder)]
    with ThreadPoolExecutor(max_workers=2) as pool:
        return dict(zip(there, pool.map(lambda stack: _environment(folder, stack, version), there), strict=True))


def _environment(folder: Path, stack: str, version: str) -> Environment:
    settings, given = stack_config.written(stack, folder)
    values, secret = stack_config.filled(stack, folder)
    for key in secret:
        if isinstance(settings.get(key), dict):
            # Another ciphertext, another stand-in: so what it reaches is seen to change.
            digest = hashlib.sha256(json.dumps(settings[key]).encode()).hexdigest()[:10]
            values[key] = STAND_IN.replace("0123456789", digest)
    try:
        resources = evaluate(stack, values, secret, folder)
    except ProgramError as error:
        msg = f"the program of {version} does not run for stack '{stack}': {error}"
        raise UserError(msg) from None
    return Environment(settings, given, tuple(_unnamed(stack, resources)))


def _unnamed(stack: str, resources: Sequence[Registered]) -> list[Registered]:
    """Return the resources without what names the environment, so that one change reads alike in all of them.

    That is the prefix of names on the Docker host, and Grafana's own address. Where either changes, a setting does.
    """
    address = next((str(r.inputs["url"]) for r in resources if r.type == "pulumi:providers:grafana"), None)
    text = json.dumps([vars(r) for r in resources]).replace(f"{PROJECT}-{stack}", f"{PROJECT}-…")
    text = text.replace(address, "http://grafana-…") if address else text
    return [Registered(**r) for r in json.loads(text)]
