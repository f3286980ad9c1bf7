"""Grafana's administrator, whose name and password follow the settings after the first start too.

Grafana reads both from its configuration only once, for a new database. Afterwards this resource changes them through
the API, signed in with the former ones from the state, and ends every session. If a run is killed halfway, the next one
completes it, whether Grafana or the state has the new values already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from components.checks import CheckFailedError
from components.grafana_api import GrafanaApi, GrafanaError
from components.placement import under

if TYPE_CHECKING:
    from components.grafana import GrafanaServer

Properties = dict[str, Any]

_REFUSED: Final = 401


def _api(props: Properties) -> GrafanaApi:
    return GrafanaApi(str(props["url"]), f"{props['user']}:{props['password']}", str(props["ca"]))


class AdministratorProvider(ResourceProvider):
    """Manages the administrator: only the administrator's own session may change the name and the password."""

    serialize_as_secret_always = False

    def create(self, props: Properties) -> CreateResult:
        """Check that the administrator can sign in: a new Grafana has read the password itself."""
        if not self._let_in(props):
            self._lost(props)
        return CreateResult(id_="administrator", outs=props)

    def read(self, id_: str, props: Properties) -> ReadResult:
        """Check whether the password still works; one that was changed in Grafana is a difference."""
        outs = props if self._let_in(props) else props | {"password": ""}
        return ReadResult(id_=id_, outs=outs)

    def diff(self, _id: str, old: Properties, new: Properties) -> DiffResult:
        """Return a change if the name or the password differs."""
        changed = any(old.get(key) != new.get(key) for key in ("user", "password"))
        return DiffResult(changes=changed, replaces=[], stables=[])

    def update(self, _id: str, old: Properties, new: Properties) -> UpdateResult:
        """Change what differs, signed in with the configured password, else with the one from the state."""
        # After five wrong passwords within five minutes Grafana refuses the right one too. So none is tried twice, and
        # the configured one comes first: it is right after `make recover-password`, which people run after refusals.
        half = {**new, "user": old["user"]}
        before = {**half, "password": old["password"]}
        tried = [half, before] if new["user"] == old["user"] else [half, before, new]
        working = next((p for p in tried if p["password"] and self._let_in(p)), None)
        if working is None:
            self._lost(new)
        if working["password"] != new["password"]:
            _api(working).request(
                "PUT", "/api/user/password", {"oldPassword": working["password"], "newPassword": new["password"]}
            )
        now = _api({**working, "password": new["password"]})
        if working["user"] != new["user"]:
            me = now.request("GET", "/api/user")
            now.request(
                "PUT", "/api/user", {key: me.get(key, "") for key in ("name", "email")} | {"login": new["user"]}
            )
            now = _api(new)
        for session in now.request("GET", "/api/user/auth-tokens"):
            now.request("POST", "/api/user/revoke-auth-token", {"authTokenId": session["id"]})
        return UpdateResult(outs=new)

    @staticmethod
    def _let_in(props: Properties) -> bool:
        try:
            _api(props).request("GET", "/api/user")
        except GrafanaError as error:
            if error.status == _REFUSED:
                return False
            raise
        return True

    @staticmethod
    def _lost(props: Properties) -> NoReturn:
        msg = (
            f"Grafana at {props['url']} does not let {props['user']} in with the configured password, nor with the one"
            " that the state knows: it was changed in Grafana. `make recover-password` sets the configured one."
            " (After five wrong passwords within five minutes Grafana refuses the right one too, for as long: if there"
            " were so many, wait first.)"
        )
        raise CheckFailedError(msg)


class Administrator(Resource, module="grafana", name="Administrator"):
    """The administrator; `auth` is `user:password` for the API, available once Grafana accepts it."""

    auth: pulumi.Output[str]

    def __init__(
        self, grafana: GrafanaServer, *, user: str, password: pulumi.Input[str], parent: pulumi.Resource
    ) -> None:
        """Set the configured name and password."""
        props: Properties = {
            "url": grafana.url,
            "ca": grafana.ca,
            "user": user,
            "password": pulumi.Output.secret(password),
        }
        super().__init__(AdministratorProvider(), "administrator", props, under(parent, grafana.options()))
        # From the inputs, so that a preview knows it; from the URN too, so that dependents wait for this resource.
        self.auth = pulumi.Output.secret(pulumi.Output.all(user, password, self.urn).apply(lambda a: f"{a[0]}:{a[1]}"))
