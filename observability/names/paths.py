"""Where things are inside the containers, and the ports that only the private network sees."""

CONFIG = "/etc/observability"
"""Configuration files, mounted read-only. No image has this path, so nothing of the image is shadowed."""
SECRETS = "/run/observability"
"""Secret files, mounted read-only."""

JAEGER_HEALTH_PORT = 13133
JAEGER_METRICS_PORT = 8888
JAEGER_SPAN_METRICS_PORT = 8889
COLLECTOR_HEALTH_PORT = 13133
COLLECTOR_METRICS_PORT = 8888
COLLECTOR_FORWARD_PORT = 24224
ENGINE_FILTER_PORT = 2375
