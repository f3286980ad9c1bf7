"""Entry of every command. Runs on a bare Python 3.11: creates the virtual environment, then continues inside it."""

import os
import sys

from cli import bootstrap
from cli.errors import MissingToolError


def run() -> int:
    """Run the command that this process was started with."""
    try:
        python = bootstrap.environment(sys.argv[1:])
    except MissingToolError as error:
        print(error, file=sys.stderr)
        return error.code
    if os.path.realpath(sys.prefix) != os.path.realpath(bootstrap.VENV):
        os.execv(python, [python, "-m", "cli", *sys.argv[1:]])  # noqa: S606 - our own interpreter
    from cli.app import main  # noqa: PLC0415 - needs the installed packages

    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(run())
