"""Grafana's administrator: their name and password follow the configuration after the first start too.

Grafana reads both from its configuration once, when its database is new. Later they change here, with the old ones from
the state, and every session that was opened with the old password ends. A run that is killed on the way is finished by
the next, whichever of Grafana and the state knows of the new ones already.
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
        """See that they are let in: a new Grafana has read the password itself."""
        if not self._let_in(props):
            self._lost(props)
        return CreateResult(id_="administrator", outs=props)

    def read(self, id_: str, props: Properties) -> ReadResult:
        """Check whether the password still works; one that was changed in Grafana does not."""
        outs = props if self._let_in(props) else props | {"password": ""}
        return ReadResult(id_=id_, outs=outs)

    def diff(self, _id: str, old: Properties, new: Properties) -> DiffResult:
        """Only another name or password is a change."""
        changed = any(old.get(key) != new.get(key) for key in ("user", "password"))
        return DiffResult(changes=changed, replaces=[], stables=[])

    def update(self, _id: str, old: Properties, new: Properties) -> UpdateResult:
        """Change what differs, signed in with the configured password, else with the one from the state."""
        # Each refusal counts: after five within five minutes Grafana refuses the right password too. So nothing is
        # tried twice, and the configured one first: `make recover-password` was run after refusals enough.
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
    """The administrator; `auth` is what they show to the API, as `user:password`, once Grafana accepts it."""

    auth: pulumi.Output[str]

    def __init__(
        self, grafana: GrafanaServer, *, user: str, password: pulumi.Input[str], parent: pulumi.Resource
    ) -> None:
        """`user` and `password` are the configured ones."""
        props: Properties = {
            "url": grafana.url,
            "ca": grafana.ca,
            "user": user,
            "password": pulumi.Output.secret(password),
        }
        super().__init__(AdministratorProvider(), "administrator", props, under(parent, grafana.options()))
        # Of the inputs, so that a preview knows it; of this resource, so that everything waits for it.
        self.auth = pulumi.Output.secret(pulumi.Output.all(user, password, self.urn).apply(lambda a: f"{a[0]}:{a[1]}"))
