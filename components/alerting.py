"""Alert rules, contact points, message templates and the notification policy, in Grafana.

`disable_provenance` is never set, also in development: so Grafana refuses edits in its user interface, and the next
`up` never undoes an edit that was made there at night.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pulumi
from pulumiverse_grafana import alerting

from components.own_content import policies
from observability import endpoints
from observability.alerts import groups, messages, routing
from observability.alerts.links import alert_annotations
from observability.alerts.model import OwnAlert
from observability.alerts.queries import CONDITION, queries

if TYPE_CHECKING:
    from pydantic import SecretStr

    from observability.alerts.model import Alert, AlertGroup, Severity
    from observability.alerts.queries import Query
    from observability.settings import Settings

with warnings.catch_warnings():
    # When it is loaded, the module warns of its own deprecated names, none of which is used here.
    warnings.simplefilter("ignore", DeprecationWarning)
    _ = alerting.RuleGroup

Options = Callable[..., pulumi.ResourceOptions]


class Alerting(pulumi.ComponentResource):
    """Alert rules and the way of their notifications."""

    def __init__(  # noqa: PLR0913 - keyword-only
        self,
        settings: Settings,
        *,
        folders: Mapping[str, pulumi.Input[str]],
        options: Options,
        depends_on: list[pulumi.Resource],
        named: list[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create the contact points, the notification policy and the rules.

        Args:
            settings: the stack's settings.
            folders: folder UIDs, as outputs, by UID.
            options: returns the options of a child, from the parent and the resources that it depends on.
            depends_on: resources that the rules depend on.
            named: the team's own contact points and mute timings, which its routes may name.
            opts: options of this component.

        """
        super().__init__("observability:index:Alerting", "alerting", None, opts)
        contacts = self._contacts(settings, options)
        if settings.runs_stack:
            self._policy(settings, [*contacts.values(), *named], options)
        for group in groups(settings):
            awaited = (
                options(self, *depends_on) if settings.runs_stack else options(self, *depends_on, *contacts.values())
            )
            _rule_group(group, settings, folders[group.folder], awaited)
        self.register_outputs({})

    def _contacts(self, settings: Settings, options: Options) -> dict[Severity, alerting.ContactPoint]:
        """Create the configured contact points and their message template."""
        if not settings.runs_stack and not routing.contacts(settings):
            return {}
        template = alerting.MessageTemplate(
            "messages", name=messages.NAME, template=messages.templates(), opts=options(self)
        )
        return {
            severity: alerting.ContactPoint(
                f"contact-{severity}",
                name=routing.contact_name(severity, settings),
                pagerduties=_pagerduty(settings) if "pagerduty" in channels else None,
                slacks=_slack(settings) if "slack" in channels else None,
                webhooks=_webhook() if "webhook" in channels else None,
                emails=_email(list(settings.alert_email)) if "email" in channels else None,
                opts=options(self, template),
            )
            for severity, channels in routing.contacts(settings).items()
        }

    def _policy(self, settings: Settings, named: list[pulumi.Resource], options: Options) -> None:
        """Create the notification policy. A Grafana has only one, so an existing Grafana's is left alone."""
        routes = routing.routes(settings)
        if any(route.contact == routing.NOBODY for route in routes):
            nowhere = [alerting.ContactPointWebhookArgs(url=settings.root_url)]
            named.append(
                alerting.ContactPoint("contact-nobody", name=routing.NOBODY, webhooks=nowhere, opts=options(self))
            )
        intervals = {
            routing.ALWAYS: (routing.Interval(),),
            routing.QUIET_HOURS: routing.intervals(settings.ticket_quiet_hours),
            **{routing.team_quiet_hours(team): routing.intervals(team.quiet_hours) for team in settings.teams},
        }
        named += [
            alerting.ContactPoint(
                f"contact-{routing.team_contact(team)}",
                name=routing.team_contact(team),
                emails=_email(list(team.email)),
                opts=options(self),
            )
            for team in settings.teams
            if team.email
        ]
        timings = [
            alerting.MuteTiming(name, name=name, intervals=[_interval(i) for i in intervals[name]], opts=options(self))
            for name in sorted({route.muted for route in routes if route.muted})
        ]
        alerting.NotificationPolicy(
            "policy",
            contact_point=routes[-1].contact,
            group_bies=["service"],
            group_wait=routes[-1].wait,
            group_interval=routes[-1].interval,
            repeat_interval=routes[-1].repeat,
            policies=[*policies(settings), *(_policy(route) for route in routes)],
            # The policy names them, so it is created after them and deleted before them.
            opts=options(self, *named, *timings),
        )


def _rule_group(
    group: AlertGroup, settings: Settings, folder: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> alerting.RuleGroup:
    # A group of the team's own may have the name of one of ours, or of one in another folder.
    own = any(isinstance(alert, OwnAlert) for alert in group.alerts)
    return alerting.RuleGroup(
        f"own-alerts-{group.folder}-{group.name}" if own else f"alerts-{group.name}",
        name=group.name,
        folder_uid=folder,
        interval_seconds=group.interval_seconds,
        rules=[_rule(alert, settings) for alert in group.alerts],
        opts=opts,
    )


def _rule(alert: Alert, settings: Settings) -> alerting.RuleGroupRuleArgs:
    """Return the rule: instant queries, and one expression over their values."""
    return alerting.RuleGroupRuleArgs(
        uid=alert.uid,
        name=alert.title,
        for_=alert.pending,
        keep_firing_for=(alert.keep_firing or None) if isinstance(alert, OwnAlert) else None,
        condition=CONDITION,
        no_data_state=alert.missing.no_data,
        exec_err_state=alert.missing.exec_error,
        labels=alert.labels,
        annotations=alert_annotations(alert, settings),
        notification_settings=_receiver(alert, settings),
        datas=[_data(query) for query in queries(alert)],
    )


def _receiver(alert: Alert, settings: Settings) -> alerting.RuleGroupRuleNotificationSettingsArgs | None:
    """Return the contact point of an alert in an existing Grafana; None to leave it to that Grafana's policy."""
    if settings.runs_stack or alert.severity not in routing.contacts(settings):
        return None
    return alerting.RuleGroupRuleNotificationSettingsArgs(
        contact_point=routing.contact_name(alert.severity, settings),
        group_bies=["grafana_folder", "alertname", "service"],
    )


def _data(query: Query) -> alerting.RuleGroupRuleDataArgs:
    return alerting.RuleGroupRuleDataArgs(
        ref_id=query.ref_id,
        datasource_uid=query.datasource,
        model=json.dumps(query.model, sort_keys=True),
        query_type=query.model.get("queryType"),  # Grafana stores it twice
        relative_time_range=alerting.RuleGroupRuleDataRelativeTimeRangeArgs(from_=query.look_back_seconds, to=0),
    )


def _policy(route: routing.Route) -> alerting.NotificationPolicyPolicyArgs:
    label, match, value = ("severity", "=", route.severity) if route.severity else ("alertname", "=~", ".*")
    matchers = [alerting.NotificationPolicyPolicyMatcherArgs(label=label, match=match, value=value)]
    if route.owner:
        matchers.append(alerting.NotificationPolicyPolicyMatcherArgs(label="owner", match="=", value=route.owner))
    return alerting.NotificationPolicyPolicyArgs(
        contact_point=route.contact,
        matchers=matchers,
        continue_=route.goes_on or None,
        group_bies=["service"],
        group_wait=route.wait,
        group_interval=route.interval,
        repeat_interval=route.repeat,
        mute_timings=[route.muted] if route.muted else None,
    )


def _interval(interval: routing.Interval) -> alerting.MuteTimingIntervalArgs:
    times = [alerting.MuteTimingIntervalTimeArgs(start=interval.start, end=interval.end)] if interval.start else None
    return alerting.MuteTimingIntervalArgs(
        times=times, weekdays=list(interval.weekdays) or None, location=interval.timezone
    )


def _secret(value: SecretStr | None) -> pulumi.Output[str]:
    return pulumi.Output.secret("" if value is None else value.get_secret_value())


def _pagerduty(settings: Settings) -> list[alerting.ContactPointPagerdutyArgs]:
    return [
        alerting.ContactPointPagerdutyArgs(
            integration_key=_secret(settings.alert_pagerduty_key),
            url=settings.alert_pagerduty_url or None,
            severity="critical",
            summary=messages.TITLE,
            component="{{ .CommonLabels.service }}",
            client="Grafana",
            client_url=settings.root_url,
            details={"message": messages.TEXT},
        )
    ]


def _slack(settings: Settings) -> list[alerting.ContactPointSlackArgs]:
    url = _secret(settings.alert_slack_url)
    return [alerting.ContactPointSlackArgs(url=url, title=messages.TITLE, text=messages.SLACK)]


def _webhook() -> list[alerting.ContactPointWebhookArgs]:
    # Grafana shows a webhook's URL to every Viewer. This is the relay's; only the relay knows the real one.
    return [alerting.ContactPointWebhookArgs(url=endpoints.webhook().url, title=messages.TITLE, message=messages.TEXT)]


def _email(addresses: list[str]) -> list[alerting.ContactPointEmailArgs]:
    return [alerting.ContactPointEmailArgs(addresses=addresses, subject=messages.TITLE, message=messages.TEXT)]
