"""The doors of the reading proxy that Grafana alone uses: the history of its alerts, and its own spans.

Grafana sends notifications to whatever address an Editor gives, with any body. So what writes asks for a password that
no user of Grafana sees, or speaks HTTP/2 alone, which no notification does.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Final

from observability.names.paths import SECRETS

USER: Final = "grafana"
LOGIN_FILE: Final = f"{SECRETS}/alert-history.conf"
"""What Grafana has to say to write the history, as a directive of nginx'."""
_EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def login(password: str) -> str:
    """Return the content of the secret file."""
    return f'set $login "Basic {b64encode(f"{USER}:{password}".encode()).decode()}";\n'


def only_grafana(folder: str) -> str:
    """Return nginx' directives for a server that only Grafana may use; `folder` is the prefix of the secret file.

    Where that file is not there yet, as for the check of the configuration, every request is refused.
    """
    return f"""\
    set $login "";
    include {folder}{LOGIN_FILE}*;
    if ($login = "") {{ return 403; }}
    if ($http_authorization != $login) {{ return 401; }}
"""


def spans(port: int, address: str) -> str:
    """Return the server that passes spans on to the collector at `address`, over gRPC, which is HTTP/2.

    nginx 1.25 and later answer HTTP/1.1 on such a port too, and would turn it into gRPC.
    """
    return f"""\
  server {{
    listen {port} http2;
    if ($server_protocol != HTTP/2.0) {{ return 403; }}
    location = {_EXPORT} {{
      set $backend grpc://{address};
      grpc_pass $backend;
    }}
    location / {{ return 403; }}
  }}
"""
