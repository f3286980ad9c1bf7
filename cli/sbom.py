"""`sbom`: what a stack is made of, as a software bill of materials in CycloneDX 1.6.

From what the project pins (requirements or uv.lock, versions.toml, the providers' plugins), so that it needs no network
and is the same on every machine.
"""

from __future__ import annotations

import json
import re
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from cli.bootstrap import ROOT
from cli.context import Context
from cli.errors import UsageError
from cli.pulumi import plugin_packages
from observability import versions
from observability.failures import reason
from observability.settings import PROJECT

Json = dict[str, Any]

_LOCK: Final = "uv.lock"
_REQUIREMENTS: Final = "requirements.txt"
_PIN: Final = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([A-Za-z0-9._+!-]+)")
_NAMESPACE: Final = uuid.UUID("8c7f3a1e-5a50-5b41-9f3e-0b1f0c1d9e55")


def run(context: Context, out: Path | None) -> int:
    """Write the bill to the file `out`, or to standard output."""
    text = json.dumps(document(), indent=2) + "\n"
    if out is None:
        print(text, end="")
        return 0
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"OUT={out}: cannot be written ({reason(error)}); accepted: a file"
        raise UsageError(msg) from None
    context.console.say(f"{out} written")
    return 0


def document(root: Path = ROOT) -> Json:
    """Return the bill."""
    components = sorted((*_packages(root), *_images(), *_tools()), key=lambda c: str(c["bom-ref"]))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, json.dumps(components))}",
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": PROJECT, "name": PROJECT}},
        "components": components,
        "dependencies": [{"ref": PROJECT, "dependsOn": [c["bom-ref"] for c in components]}],
    }


def _packages(root: Path) -> Iterator[Json]:
    """Yield the Python packages: what requirements.txt pins, with the files and hashes that uv.lock has for each."""
    lock = root / _LOCK
    locked = tomllib.loads(lock.read_text(encoding="utf-8")).get("package", []) if lock.exists() else []
    by_name: dict[tuple[str, str], Json] = {(_normal(p["name"]), str(p.get("version", ""))): p for p in locked}
    pins = _PIN.findall(_without_comments((root / _REQUIREMENTS).read_text(encoding="utf-8")))
    for name, version in pins:
        component = _component("library", _normal(name), version, f"pkg:pypi/{_normal(name)}@{version}")
        package = by_name.get((_normal(name), version), {})
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else [])]
        if files:
            component["externalReferences"] = [
                {
                    "type": "distribution",
                    "url": str(file.get("url", "")).rpartition("/")[2],
                    "hashes": [{"alg": "SHA-256", "content": str(file["hash"]).removeprefix("sha256:")}],
                }
                for file in files
                if str(file.get("hash", "")).startswith("sha256:")
            ]
        yield component


def _images() -> Iterator[Json]:
    for image in versions.images().values():
        purl = f"pkg:docker/{image.name}@{image.tag}"
        component = _component("container", image.name, image.tag, purl)
        if image.digest:
            component["hashes"] = [{"alg": "SHA-256", "content": image.digest.removeprefix("sha256:")}]
        yield component


def _tools() -> Iterator[Json]:
    version = versions.pulumi_cli()
    yield _component("application", "pulumi", version, f"pkg:github/pulumi/pulumi@v{version}")
    for plugin in plugin_packages():
        name, version = f"pulumi-resource-{plugin['name']}", str(plugin["version"])
        yield _component("application", name, version, f"pkg:generic/{name}@{version}")


def _component(kind: str, name: str, version: str, purl: str) -> Json:
    return {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _without_comments(text: str) -> str:
    return "\n".join(line.partition("#")[0] for line in text.splitlines())
