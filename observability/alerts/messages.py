"""The text of notifications: Go templates, made for a phone. One line says what happened, then come the links.

An alert's links are relative to now, but a message may be read later. So here they get the times of the incident: from
an hour before its beginning to now; when it is over, the hour before its end, because Grafana then no longer knows its
beginning.
"""

from __future__ import annotations

from typing import Final

from observability.alerts.links import RANGE_FROM, RANGE_TO

NAME: Final = "observability"
TITLE: Final = f'{{{{ template "{NAME}.title" . }}}}'
TEXT: Final = f'{{{{ template "{NAME}.text" . }}}}'
SLACK: Final = f'{{{{ template "{NAME}.slack" . }}}}'

_HOUR: Final = -3_600_000_000_000
_LINKS: Final = (
    ("Panel", "panel_url"),
    ("Service", "service_url"),
    ("Logs", "logs_url"),
    ("Traces", "traces_url"),
    ("Runbook", "runbook_url"),
)


def templates() -> str:
    """Return the template definitions that the contact points use."""
    return "\n".join((_TITLE, _text("text", "{title}: {url}"), _text("slack", "<{url}|{title}>", between=" · ")))


_TITLE: Final = f"""{{{{ define "{NAME}.title" -}}}}
{{{{ if eq .Status "firing" }}}}{{{{ toUpper .CommonLabels.severity }}}}{{{{ else }}}}OVER{{{{ end }}}}
{{{{- with index .Alerts 0 }}}} {{{{ .Labels.alertname }}}}{{{{ end }}}}
{{{{- if gt (len .Alerts) 1 }}}} and more ({{{{ len .Alerts }}}} alerts){{{{ end }}}}
{{{{- end }}}}"""


def _text(name: str, link: str, *, between: str = "\n") -> str:
    links = between.join(
        f"{{{{ with .Annotations.{annotation} }}}}{link.format(title=title, url=_in_time('.'))}{{{{ end }}}}"
        for title, annotation in _LINKS
    )
    return f"""{{{{ define "{NAME}.{name}" -}}}}
{{{{ range .Alerts }}}}
{{{{- $from := (.StartsAt.Add {_HOUR}).UnixMilli }}}}
{{{{- $to := "{RANGE_TO}" }}}}
{{{{- if eq .Status "resolved" }}}}{{{{ $to = printf "%d" .EndsAt.UnixMilli }}}}{{{{ end -}}}}
{{{{ .Annotations.summary }}}}
{{{{ if eq .Status "resolved" }}}}Over since {_clock(".EndsAt")}
{{{{- else }}}}Since {_clock(".StartsAt")}{{{{ end }}}} · {{{{ .Labels.service }}}} · owner {{{{ .Labels.owner }}}}
{links}

{{{{ end }}}}
{{{{- end }}}}"""


def _clock(time: str) -> str:
    return f'{{{{ {time}.UTC.Format "15:04 UTC" }}}}'


def _in_time(url: str) -> str:
    """Return the template that replaces relative times by the incident's, in a query string and in Explore's JSON."""
    end = f'reReplaceAll "(to=|to%22:%22){RANGE_TO}" (printf "${{1}}%s" $to) {url}'
    return f'{{{{ reReplaceAll "{RANGE_FROM}" (printf "%d" $from) ({end}) }}}}'
