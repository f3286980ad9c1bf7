"""The demo's two services against each other, in one process: what a customer, a scraper and a stranger see."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo import gateway, load, model, pager, telemetry, train

TOKEN = "a-token-for-tests"
PREDICT = "/v1/models/digits/predict"
AUTHENTICATED = {"Authorization": f"Bearer {TOKEN}"}
Scenario = Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        # Where the machine does not tell its cores (a bare chroot), joblib warns.
        patch.setenv("LOKY_MAX_CPU_COUNT", "1")
        train.main(folder)
    return folder


@pytest.fixture(autouse=True)
def environment(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    monkeypatch.setenv("DEMO_MODELS", str(models))
    monkeypatch.setenv("DEMO_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    monkeypatch.setattr(telemetry, "set_up", lambda **_: None)  # the tests' own logging stays


def picture(models: Path) -> list[float]:
    result: list[float] = json.loads((models / "samples.json").read_text())[0]
    return result


@asynccontextmanager
async def running() -> AsyncIterator[httpx.AsyncClient]:
    """Run both; the gateway's calls go straight to the model's application."""
    behind, app = model.create(), gateway.create()
    async with behind.router.lifespan_context(behind), app.router.lifespan_context(app):
        owner = next(route for route in app.routes if getattr(route, "path", "") == PREDICT).endpoint.__self__  # type: ignore[attr-defined]
        await owner._model.aclose()
        owner._model = httpx.AsyncClient(transport=httpx.ASGITransport(behind), base_url="http://model")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as customer:
            yield customer
        await owner._model.aclose()


def play(scenario: Scenario) -> None:
    async def whole() -> None:
        async with running() as customer:
            await scenario(customer)

    asyncio.run(whole())


def test_a_picture_is_read_and_counted_with_its_exemplar_off_and_on(models: Path) -> None:
    async def scenario(customer: httpx.AsyncClient) -> None:
        assert (await customer.get("/readyz")).status_code == 200
        answer = await customer.post(
            PREDICT, json={"instances": [picture(models)] * 3}, headers={"X-Request-ID": "one"}
        )
        assert (answer.status_code, answer.headers["x-request-id"]) == (200, "one")
        result = answer.json()
        assert (result["model"], result["version"], len(result["predictions"])) == ("digits", "1", 3)
        assert (await customer.post(PREDICT, json={"instances": [[1]]})).status_code == 422
        metrics = (await customer.get("/metrics", headers={"Accept": "application/openmetrics-text"})).text
        own = f'endpoint="{PREDICT}",method="POST",service="inference-gateway"'
        assert f'http_requests_total{{{own},status="200"}} 1.0' in metrics
        assert f'http_requests_total{{{own},status="422"}} 1.0' in metrics
        assert 'http_request_duration_seconds_bucket{endpoint="/v1/models/digits/predict",le="0.3",' in metrics
        assert 'inference_predictions_total{model="digits",service="inference-gateway",version="1"} 3.0' in metrics
        assert 'path="/readyz"' not in metrics
        assert "_created" not in metrics

    play(scenario)


def test_only_the_token_breaks_things(models: Path) -> None:
    async def scenario(customer: httpx.AsyncClient) -> None:
        for headers in ({}, {"Authorization": "Bearer another"}, {"Authorization": "Basic abc"}):
            for path, body in (
                ("/faults", {"kind": "errors", "seconds": 1}),
                ("/v1/models/digits/version", {"version": "2"}),
            ):
                assert (await customer.put(path, json=body, headers=headers)).status_code == 401
        body = {"kind": "nonsense", "seconds": 1}
        assert (await customer.put("/faults", json=body, headers=AUTHENTICATED)).status_code == 422
        assert (await customer.post(PREDICT, json={"instances": [picture(models)]})).status_code == 200

    play(scenario)


def test_errors_fail_and_end(models: Path) -> None:
    async def scenario(customer: httpx.AsyncClient) -> None:
        async def ask() -> int:
            return (await customer.post(PREDICT, json={"instances": [picture(models)]})).status_code

        fault = {"kind": "errors", "seconds": 60, "share": 1}
        assert (await customer.put("/faults", json=fault, headers=AUTHENTICATED)).status_code == 200
        assert await ask() == 500
        await customer.put("/faults", json=fault | {"seconds": 0}, headers=AUTHENTICATED)
        assert await ask() == 200

    play(scenario)


def test_a_saturated_model_refuses_what_its_queue_cannot_hold(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "SATURATED_SECONDS", 0.05)
    monkeypatch.setattr(model, "LONGEST_QUEUE", 4)

    async def scenario(customer: httpx.AsyncClient) -> None:
        await customer.put("/faults", json={"kind": "saturation", "seconds": 60}, headers=AUTHENTICATED)
        requests = (customer.post(PREDICT, json={"instances": [picture(models)]}) for _ in range(12))
        codes = [answer.status_code for answer in await asyncio.gather(*requests)]
        assert set(codes) == {200, 503}
        assert codes.count(503) >= 6

    play(scenario)


def test_many_requests_are_one_batch(models: Path) -> None:
    async def scenario() -> None:
        behind = model.create()
        asking = httpx.AsyncClient(transport=httpx.ASGITransport(behind), base_url="http://model")
        async with behind.router.lifespan_context(behind), asking:
            answers = await asyncio.gather(
                *(asking.post("/v1/predict", json={"instances": [picture(models)]}) for _ in range(8))
            )
        assert {a.status_code for a in answers} == {200}
        assert len({json.dumps(a.json()) for a in answers}) == 1

    asyncio.run(scenario())


def test_another_version_answers_once_it_is_chosen(models: Path) -> None:
    async def scenario(customer: httpx.AsyncClient) -> None:
        listed = (await customer.get("/v1/models")).json()["models"][0]
        assert [v["version"] for v in listed["versions"]] == ["1", "2"]
        assert all(v["accuracy"] > 0.9 for v in listed["versions"])
        path = "/v1/models/digits/version"
        assert (await customer.put(path, json={"version": "9"}, headers=AUTHENTICATED)).status_code == 404
        assert (await customer.put(path, json={"version": "2"}, headers=AUTHENTICATED)).status_code == 200
        assert (await customer.post(PREDICT, json={"instances": [picture(models)]})).json()["version"] == "2"
        metrics = (await customer.get("/metrics")).text
        assert 'inference_model_info{model="digits",service="inference-gateway",version="2"} 1.0' in metrics
        assert 'inference_model_info{model="digits",service="inference-gateway",version="1"}' not in metrics

    play(scenario)


def test_customers_follow_the_day() -> None:
    hours = {hour: load.rate(hour * 3600, 10) for hour in range(24)}
    assert max(hours, key=lambda h: hours[h]) == 15
    assert min(hours, key=lambda h: hours[h]) == 3
    assert (round(hours[15], 6), round(hours[3], 6)) == (10, 2)


def test_the_pager_keeps_what_it_was_told_and_when() -> None:
    async def scenario() -> None:
        app = pager.create()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://pager") as asking:
            await asking.post("/", json={"status": "firing", "title": "PAGE"})
            (note,) = (await asking.get("/notifications")).json()
        assert note["notification"] == {"status": "firing", "title": "PAGE"}
        assert note["received"] > 1_700_000_000

    asyncio.run(scenario())


def test_a_line_is_json_with_what_extra_says() -> None:
    record = logging.makeLogRecord(
        {"msg": "predicted %s", "args": ("3",), "levelname": "INFO", "name": "x", "count": 2}
    )
    assert json.loads(telemetry.JsonLines().format(record)) == {
        "level": "info", "msg": "predicted 3", "logger": "x", "count": 2,
    }  # fmt: skip
