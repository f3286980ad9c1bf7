"""Where a command runs: the project's folder, the chosen stack, and the environment Pulumi gets."""

from __future__ import annotations

import os
import secrets as random_source
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from cli.bootstrap import ROOT, VENV

STATE = ROOT / ".state"
TOOLS = ROOT / ".tools"
_PASSPHRASE = STATE / "passphrase"


def stack() -> str:
    """Return the chosen stack's name (`make … STACK=staging`)."""
    return os.environ.get("STACK", "dev")


def backend_url() -> str:
    """Return the backend: the one that the environment names, else a folder of this project."""
    return os.environ.get("PULUMI_BACKEND_URL") or (
        "https://api.pulumi.com" if os.environ.get("PULUMI_ACCESS_TOKEN") else f"file://{STATE}"
    )


def file_backend() -> Path | None:
    """Return the folder of a file backend, None for any other."""
    parts = urlsplit(backend_url())
    return Path(f"{parts.netloc}{parts.path}").expanduser() if parts.scheme == "file" else None


@cache
def environment() -> dict[str, str]:
    """Return the environment for the Pulumi CLI: backend, passphrase, and the virtual environment first on PATH."""
    env = dict(os.environ)
    env["PULUMI_STACK"] = stack()  # whichever another command in this folder selects meanwhile
    env["PULUMI_BACKEND_URL"] = backend_url()
    env["PULUMI_SKIP_UPDATE_CHECK"] = "true"
    env["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = env.get("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "false")
    env["PATH"] = os.pathsep.join([str(TOOLS / "pulumi" / "bin"), str(VENV / "bin"), env.get("PATH", "")])
    folder = file_backend()
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & env.keys() and folder is not None:
        env["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(_passphrase_file())
    return env


def _passphrase_file() -> Path:
    """Return the file that holds the passphrase of this clone's secrets, made with a random one when missing."""
    if not _PASSPHRASE.exists():
        STATE.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(_PASSPHRASE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(random_source.token_urlsafe(32))
    return _PASSPHRASE


def passphrase() -> str | None:
    """Return the passphrase of this stack's secrets, None where they are kept another way."""
    env = environment()
    if "PULUMI_CONFIG_PASSPHRASE" in env:
        return env["PULUMI_CONFIG_PASSPHRASE"]
    file = env.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    return Path(file).expanduser().read_text(encoding="utf-8").strip() if file else None
