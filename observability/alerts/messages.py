"""What a notification says: Go templates that read well on a phone. One line of what, then where to look.

An alert's links are relative to now; a message is read whenever, so here they get the incident's own times: from an
hour before it began to now, or, when it is over, the hour before its end (Grafana no longer tells when it began).
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
    """Return the definitions that the contact points call."""
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
    """Return what puts the incident's times in place of the relative ones, in a query string and in Explore's JSON."""
    end = f'reReplaceAll "(to=|to%22:%22){RANGE_TO}" (printf "${{1}}%s" $to) {url}'
    return f'{{{{ reReplaceAll "{RANGE_FROM}" (printf "%d" $from) ({end}) }}}}'
