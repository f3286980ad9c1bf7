"""Entry of every command. Runs on a bare Python 3.11: makes the virtual environment, then goes on inside it."""

import os
import sys

from cli import bootstrap

if __name__ == "__main__":
    try:
        python = bootstrap.environment()
    except bootstrap.UserError as stop:
        sys.exit(f"{stop}")
    if os.path.realpath(sys.prefix) != os.path.realpath(bootstrap.VENV):
        os.execv(python, [python, "-m", "cli", *sys.argv[1:]])  # noqa: S606 - our own interpreter
    from cli.commands import main

    sys.exit(main(sys.argv[1:]))
