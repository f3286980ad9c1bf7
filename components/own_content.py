"""The team's own content in Grafana: data sources, correlations, alert rules, contact points, mute timings, templates.

Own dashboards and folders come with `dashboards.catalogue`, alerts of own Prometheus rule files with
`components.alerting`. Without own content, no function here creates a resource.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pulumi
from pulumiverse_grafana import alerting, oss

from components.contact_points import ContactPoint, ContactPointArgs
from components.correlations import Correlation, CorrelationArgs
from components.secrets import filled_value, own_secrets
from observability import own
from observability.configs.correlations import CorrelationSpec
from observability.text import duration

if TYPE_CHECKING:
    from components.grafana import GrafanaServer
    from observability.settings import Settings

Options = Callable[..., pulumi.ResourceOptions]
Json = dict[str, Any]


def sources(settings: Settings, options: pulumi.ResourceOptions) -> dict[str, oss.DataSource]:
    """Create the team's own data sources; return them by UID."""
    secrets = own_secrets(settings)
    made = {}
    for source in own.read(settings).sources:
        secure = filled_value(dict(source.secure), secrets)
        made[source.uid] = oss.DataSource(
            source.uid,
            uid=source.uid,
            name=source.name,
            type=source.type,
            url=source.url or None,
            access_mode=source.access,
            is_default=False,
            username=source.user or None,
            database_name=source.database or None,
            basic_auth_enabled=source.basic_auth or None,
            basic_auth_username=source.basic_auth_user or None,
            json_data_encoded=json.dumps(source.json_data, sort_keys=True),
            secure_json_data_encoded=pulumi.Output.from_input(secure).apply(_encoded) if source.secure else None,
            http_headers=filled_value(dict(source.headers), secrets) if source.headers else None,
            opts=options,
        )
    return made


def _encoded(value: Mapping[str, str]) -> str:
    return json.dumps(dict(value), sort_keys=True)


def correlations(
    settings: Settings,
    known: Mapping[str, oss.DataSource],
    *,
    grafana: GrafanaServer,
    auth: pulumi.Input[str],
    options: pulumi.ResourceOptions,
) -> None:
    """Create the team's own correlations.

    Args:
        settings: the stack's settings.
        known: every data source that this program creates, by UID.
        grafana: server that gets the correlations.
        auth: token for its API.
        options: options of each correlation.

    """
    for found in own.read(settings).correlations:
        config = dict(found.config)
        spec = CorrelationSpec(
            name=found.name,
            source=found.source,
            target=found.target,
            label=found.label,
            description=found.description,
            field=str(config.get("field", "")),
            query=config.get("target") or {},
            transformations=tuple(config.get("transformations") or ()),
        )
        target = known[found.target].uid if found.target in known else found.target
        Correlation(
            CorrelationArgs(spec, grafana, auth=auth, source=known[found.source].uid, target=target, type=found.type),
            options,
        )


def notifications(
    settings: Settings,
    *,
    grafana: GrafanaServer,
    auth: pulumi.Input[str],
    options: pulumi.ResourceOptions,
    through_api: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """Create the team's own templates, contact points and mute timings.

    Args:
        settings: the stack's settings.
        grafana: server that gets them.
        auth: token for its API.
        options: options of resources of Grafana's provider.
        through_api: options of resources that use the API without the provider.

    Returns:
        The contact points and mute timings, which a notification policy may name.

    """
    content, secrets = own.read(settings), own_secrets(settings)
    templates = [
        alerting.MessageTemplate(f"own-template-{t.name}", name=t.name, template=t.template, opts=options)
        for t in content.templates
    ]
    after_templates = pulumi.ResourceOptions.merge(through_api, pulumi.ResourceOptions(depends_on=templates))
    contacts: list[pulumi.Resource] = [
        ContactPoint(
            ContactPointArgs(contact, grafana, auth=auth, settings=filled_value(contact.settings, secrets)),
            after_templates,
        )
        for contact in content.contact_points
    ]
    timings = [
        alerting.MuteTiming(
            f"own-{timing.name}", name=timing.name, intervals=[_interval(i) for i in timing.intervals], opts=options
        )
        for timing in content.mute_timings
    ]
    return [*contacts, *timings]


def _interval(interval: Mapping[str, Any]) -> alerting.MuteTimingIntervalArgs:
    times = [
        alerting.MuteTimingIntervalTimeArgs(start=str(t["start_time"]), end=str(t["end_time"]))
        for t in interval.get("times") or ()
    ]
    return alerting.MuteTimingIntervalArgs(
        times=times or None,
        weekdays=_list(interval, "weekdays"),
        days_of_months=_list(interval, "days_of_month"),
        months=_list(interval, "months"),
        years=_list(interval, "years"),
        location=str(interval.get("location") or "UTC"),
    )


def _list(interval: Mapping[str, Any], key: str) -> list[str] | None:
    return [str(value) for value in interval.get(key) or ()] or None


def policies(settings: Settings) -> list[alerting.NotificationPolicyPolicyArgs]:
    """Return the team's own routes, which a notification policy tries before the program's."""
    return [_policy(route, alerting.NotificationPolicyPolicyArgs, "") for route in own.read(settings).routes]


def _policy(route: Json, kind: Any, nested: str) -> Any:  # noqa: ANN401 - one class for each depth
    """Return a route as `kind`: Grafana's provider has a class for each depth, whose name repeats "Policy"."""
    inner = f"{nested}Policy"
    matcher = getattr(alerting, f"NotificationPolicyPolicy{nested}MatcherArgs")
    below = getattr(alerting, f"NotificationPolicyPolicy{inner}Args", None)
    routes = route.get("routes") or []
    return kind(
        contact_point=route.get("receiver"),
        matchers=[matcher(label=label, match=match, value=value) for label, match, value in _matchers(route)],
        group_bies=route.get("group_by") or ["service"],
        group_wait=route.get("group_wait"),
        group_interval=route.get("group_interval"),
        repeat_interval=route.get("repeat_interval"),
        mute_timings=route.get("mute_time_intervals") or None,
        active_timings=route.get("active_time_intervals") or None,
        continue_=bool(route.get("continue")) or None,
        policies=[_policy(one, below, inner) for one in routes] or None,
    )


def _matchers(route: Json) -> list[tuple[str, str, str]]:
    found = [(str(label), str(match), str(value)) for label, match, value in route.get("object_matchers") or ()]
    for text in route.get("matchers") or ():
        operator = next(op for op in ("!~", "=~", "!=", "=") if op in text)
        label, _, value = str(text).partition(operator)
        found.append((label.strip(), operator, value.strip().strip('"')))
    return found


def rule_groups(
    settings: Settings, folders: Mapping[str, pulumi.Input[str]], options: pulumi.ResourceOptions
) -> list[alerting.RuleGroup]:
    """Create the team's own groups of Grafana alert rules; `folders` are folder UIDs by UID."""
    return [
        alerting.RuleGroup(
            f"own-rules-{group.folder}-{group.name}",
            name=group.name,
            folder_uid=folders[group.folder],
            interval_seconds=group.interval_seconds,
            rules=[_rule(rule) for rule in group.rules],
            opts=options,
        )
        for group in own.read(settings).grafana_groups
    ]


def _rule(rule: Json) -> alerting.RuleGroupRuleArgs:
    return alerting.RuleGroupRuleArgs(
        uid=rule.get("uid"),
        name=str(rule["title"]),
        for_=duration(rule.get("for")),
        keep_firing_for=duration(rule["keep_firing_for"]) if rule.get("keep_firing_for") else None,
        condition=rule.get("condition"),
        no_data_state=rule.get("noDataState") or "NoData",
        exec_err_state=rule.get("execErrState") or "Error",
        is_paused=bool(rule.get("isPaused")) or None,
        labels={str(k): str(v) for k, v in (rule.get("labels") or {}).items()},
        annotations={str(k): str(v) for k, v in (rule.get("annotations") or {}).items()},
        datas=[_data(query) for query in rule.get("data") or ()],
    )


def _data(query: Json) -> alerting.RuleGroupRuleDataArgs:
    since = query.get("relativeTimeRange") or {}
    return alerting.RuleGroupRuleDataArgs(
        ref_id=str(query["refId"]),
        datasource_uid=str(query["datasourceUid"]),
        model=json.dumps(query.get("model") or {}, sort_keys=True),
        query_type=query.get("queryType") or None,
        relative_time_range=alerting.RuleGroupRuleDataRelativeTimeRangeArgs(
            from_=int(since.get("from", 0)), to=int(since.get("to", 0))
        ),
    )
