"""Settings in, the parts and Grafana's content out: the whole stack, or content for a Grafana that is there already."""

from __future__ import annotations

from components import content_alone, stack
from components.sdk import leave_out_debug_messages
from observability import configuration

leave_out_debug_messages()
settings = configuration.read()
(stack if settings.runs_stack else content_alone).bring_up(settings)
