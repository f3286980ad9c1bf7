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
    from collections.abc import Mapping

    from pydantic import SecretStr

    from components.grafana import GrafanaServer
    from observability.configs.datasources import DataSourceSpec
    from observability.settings import Settings


class GrafanaContent(pulumi.ComponentResource):
    """The content of a stack's own Grafana; `dashboards` are its dashboards as they were built."""

    def __init__(
        self, settings: Settings, *, grafana: GrafanaServer, auth: pulumi.Input[str], opts: pulumi.ResourceOptions
    ) -> None:
        """Create the content, once Grafana is ready; `auth` is a token for its API."""
        super().__init__("observability:index:Content", "content", None, opts)
        self.dashboards = Filling(settings, grafana=grafana, auth=auth, parent=self).dashboards
        self.register_outputs({"url": grafana.url})


class Filling:
    """Creates everything that Grafana shows; `dashboards` are its dashboards as they were built."""

    def __init__(
        self, settings: Settings, *, grafana: GrafanaServer, auth: pulumi.Input[str], parent: pulumi.Resource
    ) -> None:
        """Create the content under `parent`, once Grafana is ready; `auth` is a token for its API."""
        self._settings, self._grafana, self._auth, self._parent = settings, grafana, auth, parent
        self._provider = Provider(
            "grafana",
            url=grafana.url,
            auth=auth,
            ca_cert=grafana.ca or None,
            retries=3,
            opts=pulumi.ResourceOptions(parent=parent, depends_on=[] if grafana.ready is None else [grafana.ready]),
        )
        folders = self._folders()
        sources = self._sources()
        self._correlations(sources)
        self.dashboards = dashboards(settings)
        shown = self._dashboards(folders, sources)
        if not grafana.shared:
            oss.OrganizationPreferences(
                "preferences",
                home_dashboard_uid=settings.home_dashboard,
                # The API replaces all preferences at once: a theme left out is reset to Grafana's own default.
                theme=settings.grafana_theme,
                opts=self._options(*shown),
            )
        self._alerts({uid: folder.uid for uid, folder in folders.items()}, list(sources.values()))

    def _options(self, *depends_on: pulumi.Resource, parent: pulumi.Resource | None = None) -> pulumi.ResourceOptions:
        """Return the options of a resource of Grafana's provider."""
        return self._grafana.options(*depends_on, parent=parent or self._parent, provider=self._provider)

    def _options_without_provider(self) -> pulumi.ResourceOptions:
        """Return the options of a dynamic resource, which uses Grafana's API itself."""
        return self._grafana.options(parent=self._parent, provider=None)

    def _folders(self) -> dict[str, oss.Folder]:
        """Create the folders; return them by UID."""
        folders = self._plain_folders(titles(self._settings))
        for folder in imported.folders():  # parents before children
            folders[folder.uid] = oss.Folder(
                folder.uid,
                uid=folder.uid,
                title=folder.title,
                parent_folder_uid=folders[folder.parent].uid if folder.parent else None,
                opts=self._options(),
            )
        return folders | self._plain_folders(own_folders(self._settings))

    def _plain_folders(self, titles_by_uid: Mapping[str, str]) -> dict[str, oss.Folder]:
        return {
            uid: oss.Folder(uid, uid=uid, title=title, opts=self._options()) for uid, title in titles_by_uid.items()
        }

    def _sources(self) -> dict[str, oss.DataSource]:
        """Create the data sources; return them by UID."""
        sources: dict[str, oss.DataSource] = {}

        def options() -> pulumi.ResourceOptions:
            # The default data source first, and alone: Grafana makes an organisation's first data source its default,
            # and two that are created at once can both become the first.
            return self._options(*list(sources.values())[:1])

        for spec in datasources(self._settings):
            sources[spec.uid] = oss.DataSource(
                spec.uid,
                uid=spec.uid,
                name=spec.title,
                type=spec.type or spec.uid,
                url=spec.url,
                access_mode="proxy",
                is_default=spec.default and not self._grafana.shared,
                **{
                    "json_data_encoded": json.dumps(spec.json_data, sort_keys=True),
                    **_credentials(spec, self._settings),
                },
                opts=options(),
            )
        for source in imported.sources():
            sources[source.uid] = _imported(source, options())
        return sources | own_content.sources(self._settings, options())

    def _correlations(self, sources: Mapping[str, oss.DataSource]) -> None:
        """Create the correlations between the data sources."""
        options = self._options_without_provider()
        own_content.correlations(self._settings, sources, grafana=self._grafana, auth=self._auth, options=options)
        for correlation in correlations(self._settings):
            arguments = CorrelationArgs(
                correlation,
                self._grafana,
                auth=self._auth,
                source=sources[correlation.source].uid,
                target=sources[correlation.target].uid,
            )
            Correlation(arguments, self._options_without_provider())

    def _dashboards(
        self, folders: Mapping[str, oss.Folder], sources: Mapping[str, oss.DataSource]
    ) -> list[oss.Dashboard]:
        """Create the dashboards."""
        return [
            oss.Dashboard(
                dashboard.uid,
                config_json=dashboard.json,
                # An imported dashboard may be outside of every folder, and stays there.
                folder=folders[dashboard.folder].uid if dashboard.folder else None,
                # Not for an imported dashboard, which would get another version, nor in a Grafana with content of
                # others, which it could overwrite.
                overwrite=None if dashboard.imported or self._grafana.shared else True,
                opts=self._options(*sources.values()),
            )
            for dashboard in self.dashboards
        ]

    def _alerts(self, folders: Mapping[str, pulumi.Output[str]], sources: list[pulumi.Resource]) -> None:
        """Create the alert rules and the way of their notifications; `folders` are folder UIDs by UID."""
        notified = own_content.notifications(
            self._settings,
            grafana=self._grafana,
            auth=self._auth,
            options=self._options(),
            through_api=self._options_without_provider(),
        )
        own_content.rule_groups(self._settings, folders, self._options(*sources, *notified))
        Alerting(
            self._settings,
            folders=folders,
            named=notified,
            options=lambda parent, *depends_on: self._options(*depends_on, parent=parent),
            depends_on=sources,
            opts=pulumi.ResourceOptions(parent=self._parent),
        )


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
