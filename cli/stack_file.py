"""Keeps Pulumi from rewriting the tracked `Pulumi.<stack>.yaml` of a clone.

Pulumi stores the salt of a stack's passphrase in that file, and then formats the whole file anew. A clone would be
dirty after its first command. So the commands pass a copy in `.state`, with the salt, as `--config-file`. A file that
has a salt or another secrets provider already, because plain `pulumi` ran before, is used as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.bootstrap import ROOT

_SALT: Final = re.compile(r"^encryptionsalt:.*$", re.MULTILINE)
_OWN_PROVIDER: Final = re.compile(r"^(encryptionsalt|encryptedkey|secretsprovider):", re.MULTILINE)
_WITH_OPTION: Final = frozenset({"up", "preview", "refresh", "destroy", "import"})
"""Pulumi's commands that have `--config-file` and read the configuration."""


@dataclass(frozen=True)
class StackFile:
    """The configuration file of one stack, and its copy."""

    stack: str
    state: Path
    root: Path = ROOT

    @property
    def tracked(self) -> Path:
        """Return the file that the repository tracks."""
        return self.root / f"Pulumi.{self.stack}.yaml"

    @property
    def copy(self) -> Path:
        """Return the copy that Pulumi may write to."""
        return self.state / f"Pulumi.{self.stack}.yaml"

    @contextmanager
    def options(self, command: str) -> Iterator[tuple[str, ...]]:
        """Yield the options that `command` needs; afterwards the tracked file is as it was.

        Only `config` changes the tracked file, because that is its purpose.
        """
        before = self._text()
        if _OWN_PROVIDER.search(before):
            yield ()
        elif command in _WITH_OPTION:
            self._write(before)
            yield ("--config-file", str(self.copy))
        elif command == "config":
            self._move_salt_to_tracked(before)
            yield ()
        else:
            existed = self.tracked.exists()
            yield ()
            self._restore(before, existed=existed)

    def _text(self) -> str:
        return self.tracked.read_text(encoding="utf-8") if self.tracked.exists() else ""

    def _salt(self) -> str:
        """Return the line with the salt in the copy, "" where there is none yet."""
        match = _SALT.search(self.copy.read_text(encoding="utf-8")) if self.copy.exists() else None
        return match[0] if match else ""

    def _write(self, text: str, salt: str = "") -> None:
        """Write the copy: the tracked text with the salt."""
        lines = [text.rstrip("\n"), salt or self._salt()]
        self.state.mkdir(mode=0o700, exist_ok=True)
        partial = self.copy.with_suffix(".partial")
        partial.write_text("\n".join(line for line in lines if line) + "\n", encoding="utf-8")
        partial.rename(self.copy)

    def _move_salt_to_tracked(self, text: str) -> None:
        if salt := self._salt():
            self.tracked.write_text("\n".join(line for line in (text.rstrip("\n"), salt) if line) + "\n")

    def _restore(self, before: str, *, existed: bool) -> None:
        """Move a salt that Pulumi has just written into the copy."""
        match = _SALT.search(self._text())
        if match is None:
            return
        self._write(before, match[0])
        if existed:
            self.tracked.write_text(before, encoding="utf-8")
        else:
            self.tracked.unlink()
