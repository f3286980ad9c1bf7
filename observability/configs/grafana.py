"""Grafana's configuration: environment variables over its defaults, and a file for what variables cannot express.

Secrets are never values here: Grafana's server reads them itself from files (`$__file{…}`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from observability import endpoints, own, topology
from observability.configs import alert_history
from observability.configs.process import OwnText, Process, SettingSecret, restarting
from observability.configs.prometheus import METRICS_USER
from observability.names.paths import CONFIG, SECRET_KEY, SECRETS, UNRESOLVED_SECRET_KEY
from observability.own import secret_references

if TYPE_CHECKING:
    from observability.settings import Settings

DATA = topology.GRAFANA.data
PORT = topology.GRAFANA.port("http")
FILE = f"{CONFIG}/grafana.ini"
ADMIN_PASSWORD_FILE = f"{SECRETS}/admin-password"
METRICS_PASSWORD_FILE = f"{SECRETS}/metrics-password"
SMTP_PASSWORD_FILE = f"{SECRETS}/smtp-password"
OAUTH_SECRET_FILE = f"{SECRETS}/oauth-client-secret"
HISTORY_PASSWORD_FILE = f"{SECRETS}/alert-history-password"
CERTIFICATE_FILE = f"{CONFIG}/tls.crt"
KEY_FILE = f"{SECRETS}/tls.key"


def _file(path: str) -> str:
    return f"$__file{{{path}}}"


def _flag(on: bool) -> str:  # noqa: FBT001 - a pure conversion
    return "true" if on else "false"


# With this toggle Grafana uses the endpoint of Jaeger that later versions keep. Its spans carry their service's name,
# which "traces to metrics" needs.
_TOGGLES = ("jaegerEnableGrpcEndpoint",)


_AUDIT_LOGGERS = ("authn.service", "context", "http.server")
"""Grafana's loggers of refused sign-ins, of requests with their user, and of renewed sessions."""
_CONTENT_SECURITY_POLICY = (
    "default-src 'self'",
    # As in Grafana's own template, because its plugins are loaded and compiled in the page.
    "script-src 'self' 'unsafe-eval' 'unsafe-inline' 'strict-dynamic' $NONCE",
    "style-src 'self' 'unsafe-inline' blob:",
    "font-src 'self'",
    # No images of other sites: the URL of an image in a dashboard could tell its owner who looks at what.
    "img-src 'self' data: blob:",
    "connect-src 'self' ws://$ROOT_PATH wss://$ROOT_PATH",
    "worker-src 'self' blob:",
    "frame-src 'self'",
    "frame-ancestors 'none'",
    "manifest-src 'self'",
    "media-src 'none'",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
)


def process(settings: Settings) -> Process:
    """Return Grafana's process: configured by environment, secrets from files."""
    return Process(
        environment=environment(settings),
        files=files(settings),
        secrets={
            ADMIN_PASSWORD_FILE: "admin_password",
            SECRET_KEY: "secret_key",
            METRICS_PASSWORD_FILE: "metrics_password",
            SMTP_PASSWORD_FILE: SettingSecret("smtp_password"),
            KEY_FILE: SettingSecret("tls_key"),
            OAUTH_SECRET_FILE: SettingSecret("oauth_client_secret"),
            HISTORY_PASSWORD_FILE: "history_password",
            **_own_secrets(settings),
        },
        health=_health(settings),
        health_interval=settings.health_interval,
    )


def _health(settings: Settings) -> tuple[str, ...]:
    # The API's health fails together with its database. The certificate is not checked here, because none is issued
    # for a loopback address; `up` checks it when it waits for Grafana.
    scheme, flags = ("https", "-fsSk") if settings.tls_certificate else ("http", "-fsS")
    return restarting(
        "curl", flags, "-m", "3", "-o", "/dev/null", f"{scheme}://{topology.GRAFANA.local('http')}/api/health"
    )


def files(settings: Settings) -> dict[str, str]:
    """Return Grafana's files by path; none is secret."""
    result = {FILE: _ini(settings)}
    if settings.tls_certificate:
        result[CERTIFICATE_FILE] = settings.tls_certificate
    return result


def _ini(settings: Settings) -> str:
    """Return grafana.ini: the one setting that must not be in the environment, and the team's own settings.

    Grafana 12 reads the variable of `secret_key` again at each encryption, without resolving it. With `$__file{…}` in
    it, the path of the file, which is public, would be the key. From this file it is resolved once, at the start.
    """
    sections = {section: dict(values) for section, values in own.read(settings).grafana.items()}
    security = sections.pop("security", {}) | {"secret_key": UNRESOLVED_SECRET_KEY}
    return "\n".join(_section(name, values) for name, values in {"security": security, **sections}.items())


def _section(name: str, values: Mapping[str, str]) -> str:
    texts = secret_references.replace(dict(values), lambda secret: _file(_own_secret_file(secret)))
    return f"[{name}]\n" + "".join(f"{key} = {text}\n" for key, text in texts.items())


def _own_secret_file(name: str) -> str:
    return f"{SECRETS}/own-{name}"


def _own_secrets(settings: Settings) -> dict[str, OwnText]:
    names = secret_references.names(own.read(settings).grafana)
    return {_own_secret_file(name): OwnText(f"${{secret:{name}}}") for name in sorted(names)}


def _given_in_ini(settings: Settings) -> set[str]:
    """Return the environment variables, without GF_, that are left out because the team's grafana.ini sets them."""
    given = {
        re.sub(r"[^A-Z0-9]", "_", f"{section}_{key}".upper())
        for section, values in own.read(settings).grafana.items()
        for key in values
    }
    # Nothing is installed while this is on.
    installs = any(key.startswith("PLUGINS_PREINSTALL") for key in given)
    return given | ({"PLUGINS_PREINSTALL_DISABLED"} if installs else set())


def environment(settings: Settings) -> dict[str, str]:
    """Return Grafana's environment variables `GF_<SECTION>_<KEY>`, all of which its default configuration has."""
    root_url = settings.root_url
    https = root_url.startswith("https://")
    values = {
        "PATHS_CONFIG": FILE,
        "SERVER_ROOT_URL": root_url,
        "SERVER_ENABLE_GZIP": "true",
        # Write-ahead log: readers and the writer do not block each other, and a first start is a third faster.
        "DATABASE_WAL": "true",
        "USERS_DEFAULT_THEME": settings.grafana_theme,
        "USERS_ALLOW_SIGN_UP": "false",
        "USERS_ALLOW_ORG_CREATE": "false",
        "AUTH_ANONYMOUS_ENABLED": "false",
        "SECURITY_ADMIN_USER": settings.grafana_admin_user,
        "SECURITY_ADMIN_PASSWORD": _file(ADMIN_PASSWORD_FILE),
        "SECRETS_MANAGER_ENCRYPTION_SECRET_KEY_V1_SECRET_KEY": _file(SECRET_KEY),
        # Grafana's hardening page.
        "SECURITY_COOKIE_SECURE": _flag(https),
        # Not "strict": browsers do not send strict cookies when a sign-on provider redirects a person back.
        "SECURITY_COOKIE_SAMESITE": "lax" if settings.oauth else "strict",
        "AUTH_LOGIN_COOKIE_NAME": "__Host-grafana_session" if https else "grafana_session",
        "SECURITY_ALLOW_EMBEDDING": "false",
        "SECURITY_STRICT_TRANSPORT_SECURITY": _flag(https),
        "SECURITY_X_CONTENT_TYPE_OPTIONS": "true",
        "SECURITY_X_XSS_PROTECTION": "true",
        "SECURITY_CONTENT_SECURITY_POLICY": "true",
        "SECURITY_CONTENT_SECURITY_POLICY_TEMPLATE": "; ".join(_CONTENT_SECURITY_POLICY),
        "SECURITY_DISABLE_GRAVATAR": "true",
        # Five wrong passwords within five minutes lock out their IP address, not the user: otherwise any caller could
        # lock the administrator out.
        "SECURITY_DISABLE_BRUTE_FORCE_LOGIN_PROTECTION": "false",
        "SECURITY_DISABLE_IP_ADDRESS_LOGIN_PROTECTION": "false",
        "SECURITY_DISABLE_USERNAME_LOGIN_PROTECTION": "true",
        # The link of a snapshot works without a login, like that of a public dashboard.
        "SNAPSHOTS_ENABLED": _flag(settings.grafana_public_dashboards),
        "SNAPSHOTS_EXTERNAL_ENABLED": "false",
        "UNIFIED_ALERTING_ENABLED": "true",
        "UNIFIED_ALERTING_STATE_HISTORY_ENABLED": "true",
        # In Loki only: LogQL can query the history of all alerts, and Grafana's own views can read it from there too.
        "UNIFIED_ALERTING_STATE_HISTORY_BACKEND": "loki",
        "UNIFIED_ALERTING_STATE_HISTORY_LOKI_REMOTE_URL": endpoints.alert_history().url,
        "UNIFIED_ALERTING_STATE_HISTORY_LOKI_BASIC_AUTH_USERNAME": alert_history.USER,
        "UNIFIED_ALERTING_STATE_HISTORY_LOKI_BASIC_AUTH_PASSWORD": _file(HISTORY_PASSWORD_FILE),
        "PUBLIC_DASHBOARDS_ENABLED": _flag(settings.grafana_public_dashboards),
        "FEATURE_TOGGLES_ENABLE": ",".join((*_TOGGLES, *settings.grafana_feature_toggles)),
        "METRICS_ENABLED": "true",
        "METRICS_BASIC_AUTH_USERNAME": METRICS_USER,
        "METRICS_BASIC_AUTH_PASSWORD": _file(METRICS_PASSWORD_FILE),
        "TRACING_OPENTELEMETRY_OTLP_ADDRESS": endpoints.pushes_own().address,
        "ANALYTICS_REPORTING_ENABLED": "false",
        "ANALYTICS_CHECK_FOR_UPDATES": "false",
        "ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "NEWS_NEWS_FEED_ENABLED": "false",
        "PLUGINS_PREINSTALL_DISABLED": "true",
        "PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED": "true",
        "PLUGINS_PLUGIN_ADMIN_EXTERNAL_MANAGE_ENABLED": "true",
        "LOG_MODE": "console",
        "LOG_LEVEL": "warn",
        # The audit trail: successful and failed sign-ins, and each request with its user, method and path.
        "SERVER_ROUTER_LOGGING": "true",
        "LOG_FILTERS": " ".join(f"{logger}:info" for logger in _AUDIT_LOGGERS),
        "SMTP_ENABLED": _flag(bool(settings.smtp_host)),
    }
    if settings.tls_certificate:
        values |= {"SERVER_PROTOCOL": "https", "SERVER_CERT_FILE": CERTIFICATE_FILE, "SERVER_CERT_KEY": KEY_FILE}
    if settings.oauth:
        values |= {f"AUTH_GENERIC_OAUTH_{key}": value for key, value in _oauth(settings).items()}
    if settings.smtp_host:
        values |= {
            "SMTP_HOST": settings.smtp_host,
            "SMTP_USER": settings.smtp_user,
            "SMTP_FROM_ADDRESS": settings.smtp_from,
            "SMTP_STARTTLS_POLICY": settings.smtp_start_tls,
        }
        if settings.smtp_password is not None:
            values["SMTP_PASSWORD"] = _file(SMTP_PASSWORD_FILE)
    given = _given_in_ini(settings)
    return {f"GF_{key}": value for key, value in values.items() if value and key not in given}


def _oauth(settings: Settings) -> dict[str, str]:
    oauth = settings.oauth
    return {
        "ENABLED": "true",
        "NAME": oauth.name,
        "CLIENT_ID": oauth.client_id,
        "CLIENT_SECRET": "" if settings.oauth_client_secret is None else _file(OAUTH_SECRET_FILE),
        "AUTH_URL": oauth.auth_url,
        "TOKEN_URL": oauth.token_url,
        "API_URL": oauth.api_url,
        "SCOPES": " ".join(oauth.scopes),
        "ROLE_ATTRIBUTE_PATH": oauth.role_attribute_path,
        "ROLE_ATTRIBUTE_STRICT": _flag(oauth.role_attribute_strict),
        "ALLOWED_DOMAINS": " ".join(oauth.allowed_domains),
        "ALLOW_SIGN_UP": _flag(oauth.allow_sign_up),
        "AUTO_LOGIN": _flag(oauth.auto_login),
        "USE_PKCE": _flag(oauth.use_pkce),
    }
