"""The Pulumi program: read the settings, then create the whole stack, or only the content of an existing Grafana."""

from __future__ import annotations

from components import content_alone, stack
from components.sdk import leave_out_debug_messages
from observability import configuration

leave_out_debug_messages()
settings = configuration.read()
(stack if settings.runs_stack else content_alone).bring_up(settings)
