"""Another version of each component, one that works and one that does not, with the data through both."""

from __future__ import annotations

import io
import time
import tomllib
from collections.abc import Callable, Iterator

import pytest

from lab.sandbox import Sandbox
from observability.settings import SERVICES
from observability.versions import image
from tests.e2e.conftest import wait_healthy

BROKEN = {  # what each does: ends at once, never answers, refuses its flags, loses its data
    "grafana": 'ENTRYPOINT ["/bin/sh", "-c", "exit 1"]',
    "prometheus": 'ENTRYPOINT ["/bin/sleep", "100000"]',
    "loki": 'ENTRYPOINT ["/usr/bin/loki", "-no-such-flag"]',
    "jaeger": 'ENTRYPOINT ["/bin/sh", "-c", "echo torn > /badger/keys/MANIFEST; exit 3"]',
    "collector": 'ENTRYPOINT ["/otelcol-contrib", "no-such-command"]',
}


@pytest.fixture(scope="module")
def other(real: Sandbox) -> Iterator[Callable[[str, str], str]]:
    """Make another version of a component: `change` is a line of a Dockerfile. Returns its tag."""
    made: list[str] = []

    def make(service: str, change: str) -> str:
        pinned = image(service)
        tag = f"{pinned.tag}-{len(made)}e2e"
        dockerfile = f"FROM {pinned.name}:{pinned.tag}\n{change}\n"
        real.docker.images.build(fileobj=io.BytesIO(dockerfile.encode()), tag=f"{pinned.name}:{tag}", rm=True)
        made.append(f"{pinned.name}:{tag}")
        return tag

    yield make
    real.sweep()
    for reference in made:
        real.docker.images.remove(reference, force=True)


def running(real: Sandbox, service: str) -> str:
    """Return the tag that the copy's versions.toml has."""
    document = tomllib.loads((real.folder / "versions.toml").read_text())
    return str(document["images"][service]["tag"])


def upgrade(real: Sandbox, service: str, tag: str) -> tuple[int, str]:
    began = time.monotonic()
    done = real.run("upgrade", service, tag)
    print(done.stdout, done.stderr, f"{service}: {time.monotonic() - began:.0f} s")
    return done.returncode, done.stdout + done.stderr


def test_what_cannot_be_touches_nothing(real: Sandbox) -> None:
    before, pinned = real.ids(), (real.folder / "versions.toml").read_bytes()
    for service, tag in (("tempo", "1"), ("loki", image("loki").tag), ("loki", "no-such-tag")):
        code, output = upgrade(real, service, tag)
        assert code != 0
        assert "Nothing was changed." in output
    assert (real.ids(), (real.folder / "versions.toml").read_bytes()) == (before, pinned)
    assert not list(real.folder.glob("backups/*"))


@pytest.mark.slow
@pytest.mark.parametrize("service", SERVICES)
def test_a_version_that_works_is_taken(real: Sandbox, other: Callable[[str, str], str], service: str) -> None:
    wait_healthy(real)
    tag, before = other(service, "LABEL e2e=yes"), real.ids()
    code, output = upgrade(real, service, tag)
    assert code == 0, output
    assert real.changed(before) == {service}
    assert real.container(service).labels["e2e"] == "yes"
    assert output.count(" yes ") >= 13
    assert " NO " not in output
    assert f"{service} runs as {tag}" in output
    assert running(real, service) == tag
    real.expect_no_changes()


@pytest.mark.slow
@pytest.mark.parametrize("service", SERVICES)
def test_a_version_that_does_not_work_is_taken_back_with_the_data(
    real: Sandbox, other: Callable[[str, str], str], service: str
) -> None:
    wait_healthy(real)
    pinned, before, old = (real.folder / "versions.toml").read_bytes(), real.ids(), running(real, service)
    code, output = upgrade(real, service, other(service, BROKEN[service]))
    assert code == 1
    assert f"{service} runs as {old} again" in output, output
    assert " NO " not in output.rpartition("Back to")[2], output
    assert (real.folder / "versions.toml").read_bytes() == pinned
    assert real.changed(before) == {service}
    real.expect_no_changes()
    assert real.run("verify").returncode == 0
