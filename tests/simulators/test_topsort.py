"""The Topsort simulator is as strict as the OpenAPI, and misbehaves only when told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest

from crossdock.simulators.topsort import TopsortSimulator

COMMON = {"id": "m1", "occurredAt": "2026-11-20T10:00:00.123Z", "opaqueUserId": "anon"}
CLICK = {**COMMON, "resolvedBidId": "bid"}
LINE = {"productId": "p1", "unitPrice": 9.5}
PURCHASE = {**COMMON, "items": [LINE]}
HEADERS = {"Authorization": "Bearer key", "Content-Type": "application/json"}


def judged(body: Any, **switches: Any) -> tuple[int, str | None, str | None]:
    """Give status, errCode and violation of one request."""
    simulator = TopsortSimulator(api_key="key", **switches)
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    verdict = simulator.judge("/v2/events", HEADERS, raw)
    error = orjson.loads(verdict.body) if verdict.body else {}
    return verdict.status, (error[0] if isinstance(error, list) else error).get("errCode"), verdict.violation


@pytest.mark.parametrize(
    "body",
    [
        {"clicks": [CLICK]},
        {"clicks": [], "impressions": []},
        {"impressions": [{**COMMON, "entity": {"type": "product", "id": "p"}}], "purchases": [PURCHASE]},
        {"impressions": [{**CLICK, "placement": {"path": "/", "position": 1, "categoryIds": ["c"]}}]},
        {
            "clicks": [
                {**CLICK, "page": {"type": "home", "pageId": "h", "more": 1}, "dsp_metadata": {"a": "b"}}
            ]
        },
        {"clicks": [{**CLICK, "object": {"type": "banner", "assetId": "a"}, "clickType": "like"}]},
        {"pageviews": [{**COMMON, "page": {"type": "cart", "pageId": "c", "value": ["p1"]}}]},
        {"clicks": [{**CLICK, "id": f"m{n}"} for n in range(50)]},
        {"clicks": [{**CLICK, "occurredAt": "2026-11-20T10:00:00-05:30"}]},
    ],
)
def test_what_the_openapi_allows_is_stored(body: Any) -> None:
    """204, and no violation."""
    assert (204, None, None) == judged(body)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty_request"),
        (b"{", "bad_request"),
        ({}, "empty_request"),
        ([], "bad_request"),
        ({"events": []}, "bad_request"),
        ({"clicks": {}}, "bad_request"),
        ({"clicks": [{**CLICK, "id": str(n)} for n in range(51)]}, "bad_request"),
        ({"clicks": [COMMON]}, "bad_request"),
        ({"clicks": [{**COMMON, "resolvedBidId": ""}]}, "bad_request"),
        ({"clicks": [{**CLICK, "userId": "u"}]}, "bad_request"),
        ({"clicks": [{**CLICK, "id": ""}]}, "bad_request"),
        ({"clicks": [{**CLICK, "opaqueUserId": None}]}, "bad_request"),
        ({"clicks": [{**CLICK, "occurredAt": "2026-11-20T10:00:00"}]}, "bad_request"),
        ({"clicks": [{**CLICK, "occurredAt": "2026-11-20"}]}, "bad_request"),
        ({"clicks": [{**CLICK, "occurredAt": "2026-02-30T10:00:00Z"}]}, "bad_request"),
        ({"clicks": [{**CLICK, "deviceType": "Mobile"}]}, "bad_request"),
        ({"clicks": [{**CLICK, "channel": "app"}]}, "bad_request"),
        ({"clicks": [{**CLICK, "clickType": "add_to_cart"}]}, "bad_request"),
        ({"impressions": [{**CLICK, "clickType": "like"}]}, "bad_request"),
        ({"clicks": [{**CLICK, "entity": {"type": "user", "id": "u"}}]}, "bad_request"),
        ({"clicks": [{**CLICK, "additionalAttribution": {"type": "product"}}]}, "bad_request"),
        ({"clicks": [{**CLICK, "placement": {"productId": "p"}}]}, "bad_request"),
        ({"clicks": [{**CLICK, "placement": {"path": "/", "position": 0}}]}, "bad_request"),
        ({"clicks": [{**CLICK, "placement": {"path": "/", "position": "1"}}]}, "bad_request"),
        ({"clicks": [{**CLICK, "placement": {"path": "/", "categoryIds": []}}]}, "bad_request"),
        ({"clicks": [{**CLICK, "page": {"type": "home"}}]}, "bad_request"),
        ({"clicks": [{**CLICK, "page": {"type": "home", "pageId": "h", "value": ["p"]}}]}, "bad_request"),
        ({"clicks": [{**CLICK, "object": {"type": "video"}}]}, "bad_request"),
        ({"clicks": [{**CLICK, "dsp_metadata": {"a": 1}}]}, "bad_request"),
        ({"purchases": [{**PURCHASE, "items": []}]}, "no_purchase_items"),
        ({"purchases": [COMMON]}, "no_purchase_items"),
        ({"purchases": [{**PURCHASE, "orderId": "o"}]}, "bad_request"),
        ({"purchases": [{**PURCHASE, "items": [{**LINE, "unitPrice": 0}]}]}, "bad_request"),
        ({"purchases": [{**PURCHASE, "items": [{**LINE, "unitPrice": "9"}]}]}, "bad_request"),
        (
            {"purchases": [{**PURCHASE, "items": [{**LINE, "quantity": 0}]}]},
            "purchase_item_quantity_less_or_equal_than_zero",
        ),
        ({"purchases": [{**PURCHASE, "items": [{"unitPrice": 1}]}]}, "missing_product_id"),
        ({"purchases": [{**PURCHASE, "items": [{**LINE, "price": 1}]}]}, "bad_request"),
        ({"pageviews": [COMMON]}, "bad_request"),
    ],
)
def test_what_the_openapi_forbids_is_a_violation(body: Any, code: str) -> None:
    """400 with the vendor's code, and our words for it."""
    status, told, violation = judged(body)
    assert (400, code) == (status, told)
    assert violation


def test_switches_that_change_an_answer() -> None:
    """The open questions of the contract, both ways."""
    bad = {"clicks": [COMMON]}
    assert 422 == judged(bad, invalid_status=422)[0]
    assert "bad_request" == judged(bad, error_body="array")[1]
    dsp = {"clicks": [{**CLICK, "dsp_metadata": {"a": "b"}}]}
    assert 400 == judged(dsp, dsp_metadata=False)[0]


@pytest.mark.parametrize("name", ["m1", "p1", "p9"])
def test_a_payload_can_be_refused_by_name(name: str) -> None:
    """By its id or a product's; the client could not know, so it is no violation."""
    body = {"clicks": [{**COMMON, "entity": {"type": "product", "id": "p9"}}], "purchases": [PURCHASE]}
    assert (400, "bad_request", None) == judged(body, refuse=[name])


def test_bids_can_be_registered() -> None:
    """A bid that no auction gave is refused with Topsort's code."""
    assert (400, "resolved_bid_id_not_found", None) == judged({"clicks": [CLICK]}, bids={"other"})
    assert (204, None, None) == judged({"clicks": [CLICK]}, bids={"bid"})


@pytest.fixture
async def simulator() -> AsyncIterator[TopsortSimulator]:
    """A simulator that listens on a free port."""
    async with TopsortSimulator(api_key="key") as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session


async def post(
    client: aiohttp.ClientSession, simulator: TopsortSimulator, body: Any, **headers: str
) -> tuple[int, dict[str, str]]:
    """Send events and give status and headers."""
    sent = {**HEADERS, **headers}
    async with client.post(f"{simulator.url}/v2/events", data=orjson.dumps(body), headers=sent) as answer:
        await answer.read()
        return answer.status, dict(answer.headers)


async def test_it_keeps_what_it_received(simulator: TopsortSimulator, client: aiohttp.ClientSession) -> None:
    """In order of arrival, the first of each id, duplicates counted and answered like the first."""
    for body in ({"clicks": [CLICK, CLICK]}, {"purchases": [PURCHASE]}, {"clicks": [CLICK]}):
        assert (await post(client, simulator, body))[0] == 204
    assert [CLICK] == simulator.received("clicks")
    assert [CLICK, PURCHASE] == simulator.received()
    assert {("clicks", "m1"): 2} == simulator.duplicates
    assert [] == simulator.violations


async def test_a_refused_request_stores_nothing(
    simulator: TopsortSimulator, client: aiohttp.ClientSession
) -> None:
    """One bad event costs its neighbours, which is what makes checks before sending worth it."""
    assert (await post(client, simulator, {"clicks": [CLICK, COMMON]}))[0] == 400
    assert [] == simulator.received()
    assert "clicks.1: neither resolvedBidId nor entity" in simulator.violations[0].reason
    assert CLICK == orjson.loads(simulator.violations[0].request)["clicks"][0]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_wrong_key(client: aiohttp.ClientSession, status: int) -> None:
    """401 by the OpenAPI, 403 by the docs, before anything else is looked at."""
    async with TopsortSimulator(api_key="key", credential_status=status) as simulator:
        for header in ("Bearer other", "Basic key", ""):
            assert (await post(client, simulator, {"x": 1}, Authorization=header))[0] == status
        assert 3 == len(simulator.violations)


async def test_other_paths_methods_and_types(
    simulator: TopsortSimulator, client: aiohttp.ClientSession
) -> None:
    """The deprecated v1 endpoint among them."""
    async with client.post(f"{simulator.url}/events", json={}) as answer:
        assert 404 == answer.status
    async with client.get(f"{simulator.url}/v2/events") as answer:
        assert 405 == answer.status
    text = {"Content-Type": "text/plain"}
    assert (await post(client, simulator, {"clicks": [CLICK]}, **text))[0] == 400
    assert 3 == len(simulator.violations)


async def test_scripted_answers(simulator: TopsortSimulator, client: aiohttp.ClientSession) -> None:
    """The next answers fail as told, store nothing, and are nobody's violation."""
    async with client.post(
        f"{simulator.url}/_simulator/switches",
        json={"next_statuses": [429, 503, 401], "rate_limit_reset": "1800000000"},
    ) as answer:
        assert 200 == answer.status
    limited, headers = await post(client, simulator, {"clicks": [CLICK]})
    assert (429, "1800000000", "0") == (
        limited,
        headers["X-RateLimit-Reset"],
        headers["X-RateLimit-Remaining"],
    )
    assert [503, 401, 204] == [(await post(client, simulator, {"clicks": [CLICK]}))[0] for _ in range(3)]
    assert 1 == simulator.count("clicks")
    assert [] == simulator.violations


async def test_an_answer_lost_after_the_commit(
    simulator: TopsortSimulator, client: aiohttp.ClientSession
) -> None:
    """The client cannot know; sent again under the same id it is one event and one duplicate."""
    simulator.switches.drop_after_commit = 1
    with pytest.raises(aiohttp.ClientError):
        await post(client, simulator, {"clicks": [CLICK]})
    assert (await post(client, simulator, {"clicks": [CLICK]}))[0] == 204
    assert 1 == simulator.count("clicks")
    assert 1 == simulator.duplicates.total()


async def test_down_slow_and_too_large(simulator: TopsortSimulator, client: aiohttp.ClientSession) -> None:
    """Each by its switch; the simulator's own pages go on."""
    simulator.switches.down = True
    with pytest.raises(aiohttp.ClientError):
        await post(client, simulator, {"clicks": [CLICK]})
    simulator.switches.down = False
    simulator.switches.max_body_bytes = 10
    assert (await post(client, simulator, {"clicks": [CLICK]}))[0] == 413
    simulator.switches.slow_ms = 60_000
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(post(client, simulator, {"clicks": [CLICK]}), 0.05)
    assert [] == simulator.received()
