"""A repository of a copy of the project, without any person's identity and settings."""

from __future__ import annotations

import subprocess
from pathlib import Path

_NOBODY = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")


def git(folder: Path, *arguments: str) -> str:
    """Return what git prints; CalledProcessError when it refuses."""
    done = subprocess.run(["git", *_NOBODY, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def begin(folder: Path) -> None:
    """Make a repository of a folder, all of it in one commit on main."""
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=base")
