"""The program's own token for Grafana's API: one of a service account, not the administrator's password.

Grafana's open-source edition has three roles for a service account. Folders, data sources, alerts and preferences
together need the highest, Admin of the organisation. That role still cannot see or change users, passwords, other
organisations or Grafana's settings.

The token expires after LIFETIME_DAYS. `up` renews it when fewer than RENEW_DAYS are left, or when Grafana refuses it,
and deletes the former tokens. Until then the token is no change.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from components.grafana_api import REFUSED, GrafanaApi, GrafanaError
from components.placement import under

if TYPE_CHECKING:
    from components.grafana import GrafanaServer

Properties = dict[str, Any]

ACCOUNT: Final = "pulumi"
ROLE: Final = "Admin"
LIFETIME_DAYS: Final = 90
RENEW_DAYS: Final = 30
_DAY_SECONDS: Final = 86_400


class AccessProvider(ResourceProvider):
    """Creates the service account and its token, signed in as the administrator."""

    serialize_as_secret_always = False

    def create(self, props: Properties) -> CreateResult:
        """Create the account, unless it exists, and a token; delete the account's other tokens."""
        return CreateResult(id_=ACCOUNT, outs=self._token(props))

    def diff(self, _id: str, old: Properties, new: Properties) -> DiffResult:
        """Return a change if the token is due or refused; the administrator's password is none."""
        due = float(old.get("expires") or 0) - time.time() < RENEW_DAYS * _DAY_SECONDS
        return DiffResult(changes=due or self._refused(old, new), replaces=[], stables=[])

    def update(self, _id: str, _old: Properties, new: Properties) -> UpdateResult:
        """Create a new token and delete the former one."""
        return UpdateResult(outs=self._token(new))

    @staticmethod
    def _token(props: Properties) -> Properties:
        api = GrafanaApi(str(props["url"]), str(props["auth"]), str(props["ca"]))
        accounts = api.request("GET", f"/api/serviceaccounts/search?perpage=1000&query={ACCOUNT}")["serviceAccounts"]
        account = next((a for a in accounts if a["name"] == ACCOUNT), None)
        if account is None:
            account = api.request("POST", "/api/serviceaccounts", {"name": ACCOUNT, "role": ROLE})
        path = f"/api/serviceaccounts/{account['id']}"
        if account.get("role") != ROLE or account.get("isDisabled"):
            api.request("PATCH", path, {"name": ACCOUNT, "role": ROLE, "isDisabled": False})
        before = api.request("GET", f"{path}/tokens")
        now, lifetime = int(time.time()), LIFETIME_DAYS * _DAY_SECONDS
        names = {token["name"] for token in before}
        name = next(n for n in (f"up-{now}", *(f"up-{now}-{i}" for i in range(1, 99))) if n not in names)
        made = api.request("POST", f"{path}/tokens", {"name": name, "secondsToLive": lifetime})
        for token in before:
            api.request("DELETE", f"{path}/tokens/{token['id']}")
        # The administrator's password is not stored: each renewal gets it as an input.
        return {"url": props["url"], "ca": props["ca"], "token": made["key"], "expires": now + lifetime}

    @staticmethod
    def _refused(old: Properties, new: Properties) -> bool:
        try:
            GrafanaApi(str(new["url"]), str(old["token"]), str(new["ca"])).request("GET", "/api/org")
        except GrafanaError as error:
            return error.status in REFUSED
        return False


class Access(Resource, module="grafana", name="Access"):
    """The service account's token, a secret."""

    token: pulumi.Output[str]

    def __init__(self, grafana: GrafanaServer, *, auth: pulumi.Input[str], parent: pulumi.Resource) -> None:
        """Create the account and its token; `auth` is the administrator's `user:password`."""
        props: Properties = {
            "url": grafana.url,
            "ca": grafana.ca,
            "auth": pulumi.Output.secret(auth),
            "token": None,
            "expires": None,
        }
        # No dependency on Grafana itself: `auth` waits for the administrator, who has signed in.
        opts = pulumi.ResourceOptions(deleted_with=grafana.database, additional_secret_outputs=["token"])
        super().__init__(AccessProvider(), "access", props, under(parent, opts))
