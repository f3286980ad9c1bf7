"""Correlations between data sources, through Grafana's API: Grafana's Pulumi provider has no resource for them.

A new source or target is a replacement; everything else is changed in place. If Grafana already has a correlation with
the same source, target and label (of an interrupted run, or made by a person), `create` takes it over, so there are
never two. This replaces Pulumi's `import` option, which up to engine 3.260 reads a dynamic resource without its
provider.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from components.grafana_api import GrafanaApi, GrafanaError

if TYPE_CHECKING:
    from components.grafana import GrafanaServer
    from observability.configs.correlations import CorrelationSpec

Properties = dict[str, Any]

_IDENTITY = ("source", "target")
_PATCHED = ("label", "description", "type", "config")
_CONNECTION = ("url", "ca", "auth")
_GONE = 404


def _api(props: Properties) -> GrafanaApi:
    return GrafanaApi(str(props["url"]), str(props["auth"]), str(props.get("ca", "")))


def _path(source: str, uid: str = "") -> str:
    return f"/api/datasources/uid/{source}/correlations" + (f"/{uid}" if uid else "")


def _body(props: Properties) -> Properties:
    return {key: props[key] for key in _PATCHED}


def _identifier(source: str, uid: str) -> str:
    return f"{source}/{uid}"


def _from_grafana(stored: Properties) -> Properties:
    config = stored.get("config") or {}
    return {
        "source": stored["sourceUID"],
        "target": stored["targetUID"],
        "label": stored.get("label", ""),
        "description": stored.get("description", ""),
        "type": stored.get("type", "query"),
        "config": {
            "field": config.get("field", ""),
            "target": config.get("target") or {},
            "transformations": config.get("transformations") or [],
        },
    }


class CorrelationProvider(ResourceProvider):
    """Manages a correlation through `/api/datasources/uid/…/correlations`."""

    serialize_as_secret_always = False

    def create(self, props: Properties) -> CreateResult:
        """Create the correlation, or take over an equal one."""
        api = _api(props)
        stored = self._equal(api, props)
        if stored is None:
            body = {"targetUID": props["target"], **_body(props)}
            uid = api.request("POST", _path(props["source"]), body)["result"]["uid"]
        else:
            uid = stored["uid"]
            api.request("PATCH", _path(props["source"], uid), _body(props))
        return CreateResult(id_=_identifier(props["source"], uid), outs=props)

    def read(self, id_: str, props: Properties) -> ReadResult:
        """Return the correlation in Grafana; an empty id if it is gone."""
        source, _, uid = id_.partition("/")
        api = _api(props)
        stored = api.find(_path(source, uid))
        # A correlation without its target is useless, so it counts as gone; the next `up` takes its row over again.
        if stored is None or api.find(f"/api/datasources/uid/{stored['targetUID']}") is None:
            return ReadResult(id_="", outs={})
        actual = _from_grafana(stored)
        outs = {**{key: props[key] for key in _CONNECTION if key in props}, **actual}
        return ReadResult(id_=id_, outs=outs, inputs=dict(outs))

    def diff(self, _id: str, old: Properties, new: Properties) -> DiffResult:
        """Return the fields that differ; a new source or target is a replacement."""
        changed = [k for k in (*_IDENTITY, *_PATCHED, *_CONNECTION) if old.get(k) != new.get(k)]
        return DiffResult(
            changes=bool(changed),
            replaces=[k for k in changed if k in _IDENTITY],
            stables=[],
            delete_before_replace=True,
        )

    def update(self, id_: str, old: Properties, new: Properties) -> UpdateResult:
        """Update the correlation, if more than the connection differs."""
        if any(old.get(k) != new.get(k) for k in _PATCHED):
            source, _, uid = id_.partition("/")
            _api(new).request("PATCH", _path(source, uid), _body(new))
        return UpdateResult(outs=new)

    def delete(self, id_: str, props: Properties) -> None:
        """Delete the correlation; one that is gone already is no error."""
        source, _, uid = id_.partition("/")
        try:
            _api(props).request("DELETE", _path(source, uid))
        except GrafanaError as error:
            if error.status != _GONE:
                raise

    @staticmethod
    def _equal(api: GrafanaApi, props: Properties) -> Properties | None:
        """Return Grafana's correlation with this source, target and label, None if there is none."""
        rows: list[Properties] = api.find(_path(props["source"])) or []
        wanted = (props["target"], props["label"])
        return next((r for r in rows if (r["targetUID"], r.get("label", "")) == wanted), None)


@dataclass(frozen=True)
class CorrelationArgs:
    """A correlation.

    Attributes:
        spec: what it shows and how it queries.
        grafana: server that it is created in.
        auth: token for the API.
        source: UID of a data source, as an output, so that the data source is created first.
        target: likewise.
        type: "query", or "external" for a URL.
    """

    spec: CorrelationSpec
    grafana: GrafanaServer
    auth: pulumi.Input[str]
    source: pulumi.Input[str]
    target: pulumi.Input[str]
    type: str = "query"


class Correlation(Resource, module="grafana", name="Correlation"):
    """One correlation between two data sources."""

    def __init__(self, args: CorrelationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Create the correlation."""
        spec = args.spec
        props: Properties = {
            "url": args.grafana.url,
            "ca": args.grafana.ca,
            "auth": pulumi.Output.secret(args.auth),
            "source": args.source,
            "target": args.target,
            "label": spec.label,
            "description": spec.description,
            "type": args.type,
            "config": {
                "field": spec.field,
                "target": dict(spec.query),
                "transformations": [dict(t) for t in spec.transformations],
            },
        }
        super().__init__(CorrelationProvider(), spec.name, props, opts)
