"""The routing of alerts: who is notified of what, and when.

A page goes to every configured channel. A ticket goes to all but PagerDuty, later and in groups. The dead man's switch
goes to the webhook, repeatedly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from observability.alerts.model import Severity
    from observability.settings import QuietHours, Settings, Team

Channel = Literal["pagerduty", "slack", "webhook", "email"]

NOBODY: Final = "nobody"
"""Contact point of a policy that sends nothing, because a policy needs one; see `routes`."""
QUIET_HOURS: Final = "ticket-quiet-hours"
ALWAYS: Final = "always"
WEEK: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_CHANNELS: Final[dict[Severity, tuple[Channel, ...]]] = {
    "page": ("pagerduty", "slack", "webhook", "email"),
    "ticket": ("slack", "webhook", "email"),
    "watchdog": ("webhook",),
}


@dataclass(frozen=True, slots=True)
class Route:
    """A route of alerts to a contact point.

    Attributes:
        severity: severity of its alerts, None for any other.
        contact: name of the contact point.
        wait: time before the first notification of a group.
        interval: time before a notification of new alerts in a group.
        repeat: time before a notification is repeated.
        muted: name of the time interval in which nothing is sent, "" for none.
        owner: owner of its alerts, "" for any.
        goes_on: whether the next matching route gets the alerts too.
    """

    severity: Severity | None
    contact: str
    wait: str
    interval: str
    repeat: str
    muted: str = ""
    owner: str = ""
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class Interval:
    """A time interval as Grafana takes it; empty fields mean always."""

    start: str = ""
    end: str = ""
    weekdays: tuple[str, ...] = ()
    timezone: str = "UTC"


def channels(severity: Severity, settings: Settings) -> tuple[Channel, ...]:
    """Return the configured channels of a severity."""
    configured = {
        "pagerduty": settings.alert_pagerduty_key is not None,
        "slack": settings.alert_slack_url is not None,
        "webhook": settings.webhook is not None,
        "email": bool(settings.alert_email),
    }
    return tuple(channel for channel in _CHANNELS[severity] if configured[channel])


def contacts(settings: Settings) -> dict[Severity, tuple[Channel, ...]]:
    """Return the channels of each contact point, by its severity; only those that are configured."""
    by_severity = {severity: channels(severity, settings) for severity in _CHANNELS}
    return {severity: sent for severity, sent in by_severity.items() if sent}


def contact_name(severity: Severity, settings: Settings) -> str:
    """Return the name of a contact point; in an existing Grafana it includes the stack's name."""
    return severity if settings.runs_stack else f"{settings.prefix}-{severity}"


def routes(settings: Settings) -> tuple[Route, ...]:
    """Return the routes in order; the first that matches decides.

    Alerts without a configured contact point are muted always; Grafana shows them nevertheless. Grafana's default
    contact point cannot be used: it mails to a made-up address, and disappears when no policy names it.
    """
    contact_points = contacts(settings)

    def to(severity: Severity | None, contact: Severity, wait: str, interval: str, repeat: str) -> Route:
        if contact not in contact_points:
            return Route(severity, NOBODY, wait, interval, repeat, ALWAYS)
        quiet = QUIET_HOURS if contact == "ticket" and intervals(settings.ticket_quiet_hours) else ""
        return Route(severity, contact, wait, interval, repeat, quiet)

    return (
        *(route for team in settings.teams for route in _team_routes(team)),
        to("page", "page", "10s", "1m", "1h"),
        to("watchdog", "watchdog", "0s", "1m", "5m"),
        to("ticket", "ticket", "5m", "15m", "1d"),
        to(None, "ticket", "5m", "15m", "1d"),
    )


def team_contact(team: Team) -> str:
    """Return the name of a team's contact point: the one in `ownFolder`, or the one for its addresses."""
    return team.contact_point or f"team-{team.owner}"


def team_quiet_hours(team: Team) -> str:
    """Return the name of the time interval in which a team's tickets wait, "" for none."""
    return f"{QUIET_HOURS}-{team.owner}" if intervals(team.quiet_hours) else ""


def _team_routes(team: Team) -> tuple[Route, ...]:
    """Return the routes of a team's pages and tickets; pages are never muted."""
    contact, quiet = team_contact(team), team_quiet_hours(team)
    page = Route("page", contact, "10s", "1m", "1h", owner=team.owner, goes_on=team.also_stack)
    return (page, replace(page, severity="ticket", wait="5m", interval="15m", repeat="1d", muted=quiet))


def intervals(quiet: QuietHours) -> tuple[Interval, ...]:
    """Return the intervals in which tickets wait; one across midnight becomes two, because Grafana allows none."""
    result = []
    if quiet.start is not None and quiet.end is not None:
        spans = ((quiet.start, quiet.end),)
        if quiet.start > quiet.end:
            spans = ((quiet.start, "24:00"), *((("00:00", quiet.end),) if quiet.end > "00:00" else ()))
        result += [Interval(start, end, timezone=quiet.timezone) for start, end in spans]
    if quiet.weekdays:
        result.append(Interval(weekdays=quiet.weekdays, timezone=quiet.timezone))
    return tuple(result)
