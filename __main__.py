"""The Pulumi program: read the settings, then create the whole stack, or only the content of an existing Grafana."""

from __future__ import annotations

import pulumi

from components.component import CHECKED, NOT_EXPORTED, Component
from components.content import Content
from components.sdk import leave_out_debug_messages
from components.stack import Stack
from observability import configuration

leave_out_debug_messages()
settings = configuration.read()
if settings.runs_stack:
    component: Component = Stack("stack", CHECKED, settings=settings)
else:
    component = Content("content", CHECKED, settings=settings)
for name, value in component.outputs.items():
    if name not in NOT_EXPORTED:
        pulumi.export(name, value)
