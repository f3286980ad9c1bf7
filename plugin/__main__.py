# ruff: noqa: INP001 - a folder that Pulumi runs, no package
"""The components as a Pulumi package: Pulumi runs this folder and asks it for the schema and for the components."""

from __future__ import annotations

import sys
from pathlib import Path

from pulumi.provider.experimental import component_provider_host

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


if __name__ == "__main__":
    from components.component import PACKAGE
    from components.content import Content
    from components.stack import Stack

    component_provider_host([Stack, Content], PACKAGE)
