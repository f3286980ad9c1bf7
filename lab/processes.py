"""The processes below this one while something runs, by the names that people call them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil


@contextmanager
def watched(note: Callable[[str, psutil.Process], None], every: float) -> Iterator[None]:
    """Call `note` with the name of each process below this one, and the process, each `every` seconds until the end."""
    ended = threading.Event()

    def watch() -> None:
        while True:
            for process in psutil.Process().children(recursive=True):
                try:
                    note(name_of(process.cmdline()), process)
                except psutil.Error:  # ended in between
                    continue
            if ended.wait(every):
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def name_of(command: list[str]) -> str:
    """Return what people call the process with this command line."""
    text = " ".join(command)
    for part, name in (
        ("pulumi-language-python-exec", "the program"),
        ("pulumi.dynamic", "dynamic providers"),
        ("resource-docker", "docker provider"),
        ("resource-grafana", "grafana provider"),
        ("resource-random", "random provider"),
        ("pulumi-language-python", "language host"),
        ("pulumi up", "engine"),
    ):
        if part in text:
            return name
    return Path(command[0]).name if command else "ended"
