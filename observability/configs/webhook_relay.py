"""The relay of notifications to a webhook, whose URL is a secret of the reading proxy and not known to Grafana.

Grafana shows the URL of a webhook's contact point to every Viewer, and stores it unencrypted. So Grafana sends to the
reading proxy, which passes every notification on to this one URL.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from observability.names.paths import SECRETS

if TYPE_CHECKING:
    from observability.settings import Settings

SECRET_FILE: Final = f"{SECRETS}/webhook.conf"
AUTHORITIES: Final = "/etc/ssl/certs/ca-certificates.crt"
"""Path of the public CAs' certificates in the proxy's image."""
_LOG_FORMAT: Final = (
    "'notification: answered $status; upstream: status $upstream_status, connected after $upstream_connect_time s'"
)


def secret(settings: Settings) -> str | None:
    """Return the secret file, nginx directives with the webhook's URL and credential; None without a webhook.

    A URL has no space, quote or backslash (`settings.value_types`), but it may have a dollar sign, with which nginx
    would begin a variable.
    """
    if settings.webhook is None:
        return None
    parts = urlsplit(settings.webhook.get_secret_value())
    login, _, host = parts.netloc.rpartition("@")
    path = parts._replace(scheme="", netloc="", fragment="").geturl().replace("$", "${dollar}")
    origin = f"{parts.scheme}://{host}"
    directives = [
        f'set $webhook "{origin}{path if path.startswith("/") else f"/{path}"}";',
        f'proxy_set_header Host "{host}";',
        f'proxy_ssl_name "{parts.hostname}";',
        f'proxy_redirect / "{origin}/";',
    ]
    if login:
        name, _, password = login.partition(":")
        credential = b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode()
        directives.append(f'proxy_set_header Authorization "Basic {credential}";')
    return "".join(f"{directive}\n" for directive in directives)


def server(settings: Settings, port: int, resolver: str, *, file: str = SECRET_FILE) -> str:
    """Return the relay's server for nginx.conf; "" without a webhook.

    nginx' own error messages contain the URL, so they are off; a line for each failed notification is logged instead.
    The secret file may be missing, as it is when the configuration is checked.
    """
    if settings.webhook is None:
        return ""
    verified = f"""\
      proxy_ssl_server_name on;
      proxy_ssl_verify on;
      proxy_ssl_verify_depth 8;
      proxy_ssl_trusted_certificate {AUTHORITIES};
"""
    https = settings.webhook.get_secret_value().lower().startswith("https:")
    return f"""\
  geo $dollar {{ default "$"; }}
  map $status $failed {{ ~^2 0; default 1; }}
  log_format notification {_LOG_FORMAT};
  server {{
    listen {port};
    error_log /dev/null emerg;
    access_log /dev/stdout notification if=$failed;
    resolver {resolver} valid=30s;
    location = / {{
      limit_except POST {{ deny all; }}
      set $webhook "";
      proxy_set_header Connection "";
      include {file}*;
{verified if https else ""}      proxy_pass $webhook;
    }}
    location / {{ return 403; }}
  }}
"""
