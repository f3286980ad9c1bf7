"""The administrator's password and the program's own token, against a Grafana that is a few lines of Python."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from pulumi.dynamic import CreateResult, ReadResult, UpdateResult

from components.access import AccessProvider
from components.administrator import AdministratorProvider
from components.checks import CheckFailedError
from components.grafana_api import GrafanaApi, GrafanaError

Json = dict[str, Any]
PROPS: Json = {"url": "http://grafana", "ca": "", "user": "admin", "password": "old"}


@dataclass
class Grafana:
    """Knows one user, her sessions, and service accounts' tokens."""

    user: str = "admin"
    password: str = "old"
    sessions: list[int] = field(default_factory=lambda: [7])
    accounts: dict[int, Json] = field(default_factory=dict)
    tokens: dict[int, Json] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    down: bool = False
    refused: int = 0

    def request(self, api: GrafanaApi, method: str, path: str, body: Any = None) -> Any:  # noqa: ANN401
        self.asked.append(f"{method} {path.partition('?')[0]}")
        if self.down:
            raise GrafanaError(0, "out of reach")
        keys = {t["key"] for t in self.tokens.values()}
        if api.auth != f"{self.user}:{self.password}" and api.auth not in keys:
            self.refused += 1
            raise GrafanaError(401, "refused")
        parts = path.partition("?")[0].removeprefix("/api/").split("/")
        return (
            self._of_accounts(method, parts, body) if parts[0] == "serviceaccounts" else self._own(method, parts, body)
        )

    def _own(self, method: str, parts: list[str], body: Any) -> Any:  # noqa: ANN401
        answer: Any = None
        match method, parts:
            case "GET", ["user"]:
                answer = {"login": self.user, "name": "", "email": "a@b"}
            case "GET", ["org"]:
                answer = {}
            case "PUT", ["user", "password"]:
                assert body["oldPassword"] == self.password
                self.password = body["newPassword"]
            case "PUT", ["user"]:
                assert body["email"] == "a@b", "what is not changed is kept"
                self.user = body["login"]
            case "GET", ["user", "auth-tokens"]:
                answer = [{"id": i} for i in self.sessions]
            case "POST", ["user", "revoke-auth-token"]:
                self.sessions.remove(body["authTokenId"])
            case _:
                raise AssertionError(f"{method} {parts}")
        return answer

    def _of_accounts(self, method: str, parts: list[str], body: Any) -> Any:  # noqa: ANN401
        answer: Any = None
        match method, parts:
            case "GET", ["serviceaccounts", "search"]:
                answer = {"serviceAccounts": list(self.accounts.values())}
            case "POST", ["serviceaccounts"]:
                answer = self.accounts[1] = {"id": 1, **body}
            case "PATCH", ["serviceaccounts", id_]:
                self.accounts[int(id_)] |= body
            case "GET", ["serviceaccounts", _, "tokens"]:
                answer = list(self.tokens.values())
            case "POST", ["serviceaccounts", _, "tokens"]:
                assert body["name"] not in {t["name"] for t in self.tokens.values()}
                number = max(self.tokens, default=0) + 1
                answer = self.tokens[number] = {"id": number, "key": f"glsa_{number}", **body}
            case "DELETE", ["serviceaccounts", _, "tokens", token]:
                del self.tokens[int(token)]
            case _:
                raise AssertionError(f"{method} {parts}")
        return answer


def outs(result: CreateResult | UpdateResult | ReadResult) -> Json:
    assert result.outs is not None
    return dict(result.outs)


@pytest.fixture
def grafana(monkeypatch: pytest.MonkeyPatch) -> Grafana:
    fake = Grafana()
    monkeypatch.setattr(GrafanaApi, "request", lambda *asked: fake.request(*asked))  # noqa: PLW0108 - binds it
    return fake


def test_a_new_password_takes_the_place_of_the_old_and_ends_its_sessions(grafana: Grafana) -> None:
    provider = AdministratorProvider()
    assert provider.diff("", PROPS, PROPS).changes is False
    new = PROPS | {"password": "new"}
    assert provider.diff("", PROPS, new).changes is True
    assert provider.update("", PROPS, new).outs == new
    assert (grafana.password, grafana.sessions) == ("new", [])


@pytest.mark.parametrize("known", ["old", "new"])
def test_a_half_rotation_is_finished_whoever_knows_more(grafana: Grafana, known: str) -> None:
    grafana.password = known
    AdministratorProvider().update("", PROPS, PROPS | {"password": "new"})
    assert grafana.password == "new"
    assert grafana.refused == (known == "old"), "Grafana locks a name out after five refusals"


@pytest.mark.parametrize(("user", "password"), [("admin", "old"), ("admin", "new"), ("root", "new")])
def test_another_name_is_given_too(grafana: Grafana, user: str, password: str) -> None:
    grafana.user, grafana.password = user, password
    AdministratorProvider().update("", PROPS, PROPS | {"user": "root", "password": "new"})
    assert (grafana.user, grafana.password) == ("root", "new")


def test_a_password_that_nobody_knows_leads_to_the_way_back(grafana: Grafana) -> None:
    grafana.password = "changed by hand"
    for call in (
        lambda: AdministratorProvider().create(PROPS),
        lambda: AdministratorProvider().update("", PROPS, PROPS | {"password": "new"}),
    ):
        with pytest.raises(CheckFailedError, match="make recover-password") as refused:
            call()
        assert "old" not in str(refused.value).split()
    assert grafana.refused == 1 + 2, "nothing is tried twice"
    seen = outs(AdministratorProvider().read("administrator", PROPS))
    assert AdministratorProvider().diff("", seen, PROPS).changes is True, "a refresh finds it"


ACCESS: Json = {"url": "http://grafana", "ca": "", "auth": "admin:old"}


def test_the_token_is_made_once_and_renewed_in_time(grafana: Grafana, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = AccessProvider()
    first = outs(provider.create(ACCESS))
    assert grafana.accounts[1] == {"id": 1, "name": "pulumi", "role": "Admin"}
    assert first["token"] == "glsa_1"
    assert "admin:old" not in first.values(), "the administrator's password is not kept with it"
    assert provider.diff("", first, ACCESS).changes is False
    assert provider.diff("", first, ACCESS | {"auth": "admin:new"}).changes is False
    now = time.time()
    for days, due in ((59, False), (61, True)):
        monkeypatch.setattr(time, "time", lambda days=days: now + days * 86_400)
        assert provider.diff("", first, ACCESS).changes is due
    second = outs(provider.update("", first, ACCESS))
    assert [t["key"] for t in grafana.tokens.values()] == [second["token"]] != [first["token"]]


def test_a_token_that_is_refused_is_made_anew(grafana: Grafana) -> None:
    provider = AccessProvider()
    first = outs(provider.create(ACCESS))
    grafana.tokens.clear()
    assert provider.diff("", first, ACCESS).changes is True
    grafana.down = True
    assert provider.diff("", first, ACCESS).changes is False, "no refusal"
    grafana.down = False
    grafana.accounts[1]["role"], grafana.accounts[1]["isDisabled"] = "Viewer", True
    assert outs(provider.update("", first, ACCESS))["token"] in {t["key"] for t in grafana.tokens.values()}
    assert (grafana.accounts[1]["role"], grafana.accounts[1]["isDisabled"]) == ("Admin", False)
