"""The environment of the Pulumi CLI: backend, passphrase and PATH, derived from the variables of this process."""

from __future__ import annotations

import os
import secrets as random_source
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from cli.bootstrap import ROOT, VENV


@dataclass(frozen=True)
class Environment:
    """Environment variables of this process, and where the project keeps its state and tools."""

    variables: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    state: Path = ROOT / ".state"
    tools: Path = ROOT / ".tools"

    @property
    def backend_url(self) -> str:
        """Return the backend: the one in the environment, else a folder of this project."""
        return self.variables.get("PULUMI_BACKEND_URL") or (
            "https://api.pulumi.com" if self.variables.get("PULUMI_ACCESS_TOKEN") else f"file://{self.state}"
        )

    @property
    def file_backend(self) -> Path | None:
        """Return the folder of a file backend, None for any other backend."""
        parts = urlsplit(self.backend_url)
        return Path(f"{parts.netloc}{parts.path}").expanduser() if parts.scheme == "file" else None

    @property
    def path(self) -> str:
        """Return PATH with the installed tools and the virtual environment first."""
        first = [str(self.tools / "pulumi" / "bin"), str(self.tools / "bin"), str(VENV / "bin")]
        return os.pathsep.join([*first, self.variables.get("PATH", "")])

    @property
    def plugins(self) -> Path:
        """Return the folder in which Pulumi keeps its plugins."""
        return Path(self.variables.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"

    @cached_property
    def _for_pulumi(self) -> Mapping[str, str]:
        env = dict(self.variables)
        env["PULUMI_BACKEND_URL"] = self.backend_url
        env["PULUMI_SKIP_UPDATE_CHECK"] = "true"
        env.setdefault("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "false")
        env["PATH"] = self.path
        folder = self.file_backend
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & env.keys():
                env["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(self._passphrase_file())
        return env

    def for_pulumi(self, stack: str) -> dict[str, str]:
        """Return the variables that the Pulumi CLI gets for `stack`."""
        # Another command in this folder may select a different stack meanwhile.
        return {**self._for_pulumi, "PULUMI_STACK": stack}

    @property
    def passphrase(self) -> str | None:
        """Return the passphrase of the stack's secrets, None where another provider keeps them."""
        if "PULUMI_CONFIG_PASSPHRASE" in self._for_pulumi:
            return self._for_pulumi["PULUMI_CONFIG_PASSPHRASE"]
        file = self._for_pulumi.get("PULUMI_CONFIG_PASSPHRASE_FILE")
        return Path(file).expanduser().read_text(encoding="utf-8").strip() if file else None

    def _passphrase_file(self) -> Path:
        """Return the file with this clone's passphrase; a random one is created when it is missing."""
        file = self.state / "passphrase"
        if not file.exists():
            self.state.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as opened:
                opened.write(random_source.token_urlsafe(32))
        return file
