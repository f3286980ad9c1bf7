"""Grafana's content: folders, data sources, correlations, dashboards, preferences and alerts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pulumi
from pulumiverse_grafana import Provider, oss

from components import own_content
from components.alerting import Alerting
from components.correlations import Correlation, CorrelationArgs
from dashboards.catalogue import dashboards, own_folders, titles
from observability import imported
from observability.configs.correlations import correlations
from observability.configs.datasources import datasources
from observability.settings import field_of

if TYPE_CHECKING:
    from pydantic import SecretStr

    from components.grafana import GrafanaServer
    from observability.configs.datasources import DataSourceSpec
    from observability.settings import Settings


class Content(pulumi.ComponentResource):
    """Everything that Grafana shows; `dashboards` are its dashboards as they were built."""

    def __init__(
        self,
        settings: Settings,
        *,
        grafana: GrafanaServer,
        auth: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create the content, once Grafana is ready; `auth` is a token for its API."""
        super().__init__("observability:index:Content", "content", None, opts)
        provider = Provider(
            "grafana",
            url=grafana.url,
            auth=auth,
            ca_cert=grafana.ca or None,
            retries=3,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[] if grafana.ready is None else [grafana.ready]),
        )

        def opts_for(
            provider: Provider | None, *depends_on: pulumi.Resource, parent: pulumi.Resource = self
        ) -> pulumi.ResourceOptions:
            return grafana.options(*depends_on, parent=parent, provider=provider)

        folders = {
            uid: oss.Folder(uid, uid=uid, title=title, opts=opts_for(provider))
            for uid, title in titles(settings).items()
        }
        for folder in imported.folders():  # parents before children
            folders[folder.uid] = oss.Folder(
                folder.uid,
                uid=folder.uid,
                title=folder.title,
                parent_folder_uid=folders[folder.parent].uid if folder.parent else None,
                opts=opts_for(provider),
            )
        folders |= {
            uid: oss.Folder(uid, uid=uid, title=title, opts=opts_for(provider))
            for uid, title in own_folders(settings).items()
        }
        sources: dict[str, oss.DataSource] = {}
        for spec in datasources(settings):
            # The default data source first, and alone: Grafana makes an organisation's first data source its default,
            # and two that are created at once can both become the first.
            sources[spec.uid] = oss.DataSource(
                spec.uid,
                uid=spec.uid,
                name=spec.title,
                type=spec.type or spec.uid,
                url=spec.url,
                access_mode="proxy",
                is_default=spec.default and not grafana.shared,
                **{"json_data_encoded": json.dumps(spec.json_data, sort_keys=True), **_credentials(spec, settings)},
                opts=opts_for(provider, *list(sources.values())[:1]),
            )
        for source in imported.sources():
            sources[source.uid] = _imported(source, opts_for(provider, *list(sources.values())[:1]))
        sources |= own_content.sources(settings, opts_for(provider, *list(sources.values())[:1]))
        own_content.correlations(settings, sources, grafana=grafana, auth=auth, options=opts_for(None))
        for correlation in correlations(settings):
            Correlation(
                CorrelationArgs(
                    correlation,
                    grafana,
                    auth=auth,
                    source=sources[correlation.source].uid,
                    target=sources[correlation.target].uid,
                ),
                opts_for(None),
            )
        self.dashboards = dashboards(settings)
        shown = [
            oss.Dashboard(
                dashboard.uid,
                config_json=dashboard.json,
                # An imported dashboard may be outside of every folder, and stays there.
                folder=folders[dashboard.folder].uid if dashboard.folder else None,
                # Not for an imported dashboard, which would get another version, nor in a Grafana with content of
                # others, which it could overwrite.
                overwrite=None if dashboard.imported or grafana.shared else True,
                opts=opts_for(provider, *sources.values()),
            )
            for dashboard in self.dashboards
        ]
        if not grafana.shared:
            oss.OrganizationPreferences(
                "preferences",
                home_dashboard_uid=settings.home_dashboard,
                # The API replaces all preferences at once: a theme left out is reset to Grafana's own default.
                theme=settings.grafana_theme,
                opts=opts_for(provider, *shown),
            )
        notified = own_content.notifications(
            settings, grafana=grafana, auth=auth, options=opts_for(provider), through_api=opts_for(None)
        )
        folder_uids = {uid: folder.uid for uid, folder in folders.items()}
        own_content.rule_groups(settings, folder_uids, opts_for(provider, *sources.values(), *notified))
        Alerting(
            settings,
            folders=folder_uids,
            named=notified,
            options=lambda parent, *depends_on: opts_for(provider, *depends_on, parent=parent),
            depends_on=list(sources.values()),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"url": grafana.url})


def _credentials(spec: DataSourceSpec, settings: Settings) -> dict[str, Any]:
    """Return the arguments by which Grafana signs in to an external store: tenant, user, password or token, and CA."""
    endpoint = spec.endpoint
    if endpoint is None:
        return {}
    secret = _text(getattr(settings, field_of(endpoint.secret) or "", None))
    headers = {"X-Scope-OrgID": endpoint.tenant} if endpoint.tenant else {}
    hidden: dict[str, str] = {}
    found: dict[str, Any] = {}
    if endpoint.user:
        found |= {"basic_auth_enabled": True, "basic_auth_username": endpoint.user}
        hidden["basicAuthPassword"] = secret
    elif secret:
        headers["Authorization"] = f"Bearer {secret}"
    if endpoint.ca_certificate:
        hidden["tlsCACert"] = endpoint.ca_certificate
        found["json_data_encoded"] = json.dumps({**spec.json_data, "tlsAuthWithCACert": True}, sort_keys=True)
    if headers:
        found["http_headers"] = pulumi.Output.secret(headers)
    if hidden:
        found["secure_json_data_encoded"] = pulumi.Output.secret(json.dumps(hidden, sort_keys=True))
    return found


def _text(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()


def _imported(source: imported.Source, opts: pulumi.ResourceOptions) -> oss.DataSource:
    """Create the data source as it was imported; its secrets stay in Grafana."""
    return oss.DataSource(
        source.uid,
        uid=source.uid,
        name=source.name,
        type=source.type,
        url=source.url or None,
        access_mode=source.access,
        is_default=source.is_default,
        username=source.user or None,
        database_name=source.database or None,
        basic_auth_enabled=source.basic_auth,
        basic_auth_username=source.basic_auth_user or None,
        json_data_encoded=source.json_data,
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(ignore_changes=["secureJsonDataEncoded"])),
    )
