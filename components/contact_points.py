"""Contact points written with Grafana's own fields, so that every kind of receiver is possible.

The provider has types for some kinds only. One resource is one receiver; receivers with the same name form one contact
point. Grafana hides the secrets that it stores, so `refresh` cannot see that one was changed in Grafana.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from components.grafana_api import GrafanaApi, GrafanaError

if TYPE_CHECKING:
    from components.grafana import GrafanaServer
    from observability import own

Properties = dict[str, Any]

_PATH: Final = "/api/v1/provisioning/contact-points"
_BODY: Final = ("uid", "name", "type", "settings", "disableResolveMessage")
_CONNECTION: Final = ("url", "ca", "auth")
_HIDDEN: Final = "[REDACTED]"
_GONE: Final = 404


def _api(props: Properties) -> GrafanaApi:
    return GrafanaApi(str(props["url"]), str(props["auth"]), str(props.get("ca", "")))


def _body(props: Properties) -> Properties:
    return {key: props[key] for key in _BODY}


class ContactPointProvider(ResourceProvider):
    """Manages a receiver through Grafana's provisioning API."""

    serialize_as_secret_always = False

    def create(self, props: Properties) -> CreateResult:
        """Create the receiver, or update the one that an interrupted run created with this UID."""
        api = _api(props)
        if _find(api, str(props["uid"])) is None:
            api.request("POST", _PATH, _body(props))
        else:
            api.request("PUT", f"{_PATH}/{props['uid']}", _body(props))
        return CreateResult(id_=str(props["uid"]), outs=props)

    def read(self, id_: str, props: Properties) -> ReadResult:
        """Return the receiver in Grafana, with the known secrets in place of hidden ones; an empty id if it is gone."""
        found = _find(_api(props), id_)
        if found is None:
            return ReadResult(id_="", outs={})
        actual = {**props, **{key: found.get(key) for key in _BODY}}
        actual["disableResolveMessage"] = bool(found.get("disableResolveMessage"))
        actual["settings"] = _shown(found.get("settings") or {}, props.get("settings") or {})
        return ReadResult(id_=id_, outs=actual, inputs=dict(actual))

    def diff(self, _id: str, old: Properties, new: Properties) -> DiffResult:
        """Return the fields that differ; a new UID is a replacement."""
        changed = [key for key in (*_BODY, *_CONNECTION) if old.get(key) != new.get(key)]
        replaces = [key for key in changed if key == "uid"]
        return DiffResult(changes=bool(changed), replaces=replaces, stables=[], delete_before_replace=False)

    def update(self, id_: str, old: Properties, new: Properties) -> UpdateResult:
        """Update the receiver, if more than the connection differs."""
        if any(old.get(key) != new.get(key) for key in _BODY):
            _api(new).request("PUT", f"{_PATH}/{id_}", _body(new))
        return UpdateResult(outs=new)

    def delete(self, id_: str, props: Properties) -> None:
        """Delete the receiver; one that is gone already is no error."""
        try:
            _api(props).request("DELETE", f"{_PATH}/{id_}")
        except GrafanaError as error:
            if error.status != _GONE:
                raise


def _find(api: GrafanaApi, uid: str) -> Properties | None:
    rows: list[Properties] = api.request("GET", _PATH) or []
    return next((row for row in rows if row.get("uid") == uid), None)


def _shown(found: Any, known: Any) -> Any:  # noqa: ANN401 - JSON both ways
    """Return Grafana's settings without the defaults that it adds, and with the known values of hidden ones."""
    if found == _HIDDEN:
        return known
    if isinstance(found, dict) and isinstance(known, dict):
        return {key: _shown(found[key], value) for key, value in known.items() if key in found}
    return found


@dataclass(frozen=True)
class ContactPointArgs:
    """A receiver of a contact point.

    Attributes:
        contact: the receiver as the team wrote it.
        grafana: server that it is created in.
        auth: token for the API.
        settings: `contact.settings` with the secrets filled in.
    """

    contact: own.ContactPoint
    grafana: GrafanaServer
    auth: pulumi.Input[str]
    settings: pulumi.Input[Any]


class ContactPoint(Resource, module="grafana", name="ContactPoint"):
    """One receiver of a contact point."""

    def __init__(self, args: ContactPointArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Create the receiver."""
        contact = args.contact
        props: Properties = {
            "url": args.grafana.url,
            "ca": args.grafana.ca,
            "auth": pulumi.Output.secret(args.auth),
            "uid": contact.uid,
            "name": contact.name,
            "type": contact.type,
            "settings": args.settings,
            "disableResolveMessage": contact.disable_resolve_message,
        }
        super().__init__(ContactPointProvider(), f"own-contact-{contact.uid}", props, opts)
