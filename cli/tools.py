"""`tools`: installs what the tests need besides Python: images, checkers, the Pulumi CLI and its plugins.

Promtool and Loki are copied from the pinned images, so that they have the versions that will run. The other checkers
are downloaded. A checker that cannot be installed is named, and its tests skip.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Final

from cli import checkers
from cli.context import Context
from observability import versions

CHECKERS: Final = {"prometheus": "/bin/promtool", "loki": "/usr/bin/loki"}
"""Programs that check configuration files, by the image that contains them."""


def run(context: Context) -> int:
    """Install everything that is missing."""
    folder = context.environment.tools / "bin"
    for name, checker in versions.checkers().items():
        try:
            context.console.say(f"{checkers.install(name, checker, folder)} downloaded from {checker.release}")
        except checkers.NotInstalledError as error:
            context.console.say(str(error))
    try:
        context.console.say(f"{checkers.fetch_schema(context.environment.tools / 'schemas')} downloaded")
    except checkers.NotInstalledError as error:
        context.console.say(str(error))
    context.engine.pull(context.settings)
    for image, path in CHECKERS.items():
        target = folder / Path(path).name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(_copied(context, versions.image(image).reference, path))
        target.chmod(0o755)
        context.console.say(f"{target} copied from {versions.image(image).reference}")
    context.console.say(context.pulumi.executable)
    context.pulumi.install_plugins()
    return 0


def _copied(context: Context, reference: str, path: str) -> bytes:
    """Return a file of an image."""
    container = context.engine.client.containers.create(reference, network_disabled=True)
    try:
        chunks, _ = container.get_archive(path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
            content = tar.extractfile(Path(path).name)
            return content.read() if content else b""
    finally:
        container.remove(force=True)
