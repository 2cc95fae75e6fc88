"""The relay's paths as a page sees them, over a real listener and journal."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from crossdock.errors import Unauthorized
from crossdock.journal.base import Journal, Mail
from crossdock.relay import Box, Desk, add_routes
from crossdock.relay.asked import MAX_ACK_BYTES
from crossdock.relay.desk import visitor_token
from crossdock.settings import SourceSettings
from crossdock.telemetry import Metrics

from .conftest import DESTINATION, START, Clock

SHOP = "https://shop.example"
SOURCES = {
    "web": SourceSettings.model_validate({"write_key": "wk", "allowed_origins": [SHOP + "/"]}),
    "open": SourceSettings.model_validate({"write_key": "wk-open"}),
    "star": SourceSettings.model_validate({"write_key": "wk-star", "allowed_origins": ["*"]}),
    "other": SourceSettings.model_validate({"write_key": "wk-other", "allowed_origins": [SHOP]}),
}
KEYS = {"wk": "web", "wk-open": "open", "wk-star": "star", "wk-other": "other"}
BOX = Box(DESTINATION, frozenset({"web", "open", "star"}))


def source_of(key: str | None) -> str:
    """Give the source of a write key."""
    if key not in KEYS:
        raise Unauthorized("the write key is not known here", "unknown_write_key")
    return KEYS[key]


class Page:
    """A page of the shop; `ask` and `answer` give status and JSON."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.http = http

    async def ask(self, wait: Any = 0, *, origin: str | None = SHOP, **query: str) -> tuple[int, Any]:
        """Ask for commands."""
        query = {"writeKey": "wk", "anonymousId": "anon", "wait": str(wait), **query}
        headers = {"Origin": origin} if origin else {}
        async with self.http.get(f"{self.url}/commands", params=query, headers=headers) as answer:
            return answer.status, await answer.json()

    async def answer(self, *results: Any, origin: str | None = SHOP, **body: Any) -> int:
        """Say what became of commands."""
        body = {"writeKey": "wk", "anonymousId": "anon", "results": results, **body}
        return await self.post(orjson.dumps(body), origin=origin)

    async def post(self, body: bytes, *, origin: str | None = SHOP) -> int:
        """Answer with a body as it is, labelled as `sendBeacon` does."""
        headers = {"Content-Type": "text/plain;charset=UTF-8"} | ({"Origin": origin} if origin else {})
        async with self.http.post(f"{self.url}/ack", data=body, headers=headers) as answer:
            return answer.status


@pytest.fixture
def desk(journal: Journal, clock: Clock) -> Desk:
    """A desk for one mailbox destination."""
    made = Desk(journal, Metrics(), source_of)
    made.now = clock
    made.replace(SOURCES, [BOX])
    return made


@pytest.fixture
async def page(desk: Desk) -> AsyncIterator[Page]:
    """A page, and the relay it talks to."""
    app = web.Application()
    add_routes(app, desk)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as http:
        yield Page(f"http://127.0.0.1:{runner.addresses[0][1]}/relay/v1", http)
    desk.close()
    await runner.cleanup()


async def put(journal: Journal, *numbers: int, visitor: str = "anon") -> None:
    """Put commands into a mailbox."""
    await journal.put_mail(
        [
            Mail(
                destination=DESTINATION,
                visitor=visitor,
                sequence=n,
                index=0,
                message_id=f"m{n}",
                action="track",
                command=orjson.dumps(["track", f"Event {n}"]),
                queued_at=START,
                expires_at=START + timedelta(days=1),
            )
            for n in numbers
        ],
        100,
    )


async def state(journal: Journal, number: int) -> str:
    """Give the state of an event's command."""
    (mail,) = await journal.mailbox_of(DESTINATION, number)
    return mail.state


async def pages_wait(desk: Desk, number: int) -> None:
    """Wait until so many pages wait."""
    deadline = asyncio.get_running_loop().time() + 10
    while len(desk._bells) != number:
        assert asyncio.get_running_loop().time() < deadline, f"{len(desk._bells)} pages wait"
        await asyncio.sleep(0.01)


async def test_a_page_picks_up_and_answers(page: Page, journal: Journal) -> None:
    """The commands come in order, with all the page needs, and its answers are what is told of them."""
    await put(journal, 1, 2)
    status, said = await page.ask()
    first, second = said["commands"]
    assert (200, 0) == (status, said["retryAfterMs"])
    assert {"id", "seq", "cmd", "queuedAt", "expiresAt"} == set(first)
    assert (["track", "Event 1"], ["track", "Event 2"]) == (first["cmd"], second["cmd"])
    assert first["seq"] < second["seq"]
    assert ("2026-11-01T12:00:00.000Z", "2026-11-02T12:00:00.000Z") == (first["queuedAt"], first["expiresAt"])
    assert 204 == await page.answer(
        {"id": first["id"], "outcome": "fired"}, {"id": second["id"], "outcome": "unmatched"}
    )
    assert ["fired", "unmatched"] == [await state(journal, 1), await state(journal, 2)]
    assert (200, []) == ((await page.ask())[0], (await page.ask())[1]["commands"])


async def test_another_visitor_gets_nothing(page: Page, journal: Journal) -> None:
    """A mailbox is opened by its own visitor's id alone."""
    await put(journal, 1)
    assert [] == (await page.ask(anonymousId="another"))[1]["commands"]


async def test_a_waiting_page_is_woken(page: Page, journal: Journal, desk: Desk) -> None:
    """It waits for a first command, and gets it as soon as it is put."""
    waiting = asyncio.create_task(page.ask(20))
    await pages_wait(desk, 1)
    started = asyncio.get_running_loop().time()
    await put(journal, 1)
    assert 1 == len((await waiting)[1]["commands"])
    assert asyncio.get_running_loop().time() - started < 5


async def test_one_of_two_waiting_pages_gets_a_command(page: Page, journal: Journal, desk: Desk) -> None:
    """The other goes on waiting, and gets the next once the first has answered."""
    waiting = [asyncio.create_task(page.ask(20)) for _ in range(2)]
    await pages_wait(desk, 2)
    await put(journal, 1)
    (first,), (other,) = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    (command,) = (await first)[1]["commands"]
    await put(journal, 2)
    assert not other.done()
    assert 204 == await page.answer({"id": command["id"], "outcome": "fired"})
    assert [["track", "Event 2"]] == [one["cmd"] for one in (await other)[1]["commands"]]


async def test_a_page_that_left_leases_nothing(page: Page, journal: Journal, desk: Desk) -> None:
    """A command that comes after a page is closed goes to the next page at once, not after a lease."""
    gone = asyncio.create_task(page.ask(20))
    await pages_wait(desk, 1)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    await put(journal, 1)
    await pages_wait(desk, 0)
    assert 1 == len((await page.ask())[1]["commands"])


async def test_a_stopping_gateway_sends_waiting_pages_away(page: Page, desk: Desk) -> None:
    """With an empty answer, at once."""
    waiting = asyncio.create_task(page.ask(20))
    await pages_wait(desk, 1)
    desk.close()
    assert (200, []) == ((await waiting)[0], (await waiting)[1]["commands"])


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"writeKey": "wrong"}, 401, "unknown_write_key"),
        ({"writeKey": ""}, 401, "unknown_write_key"),
        ({"writeKey": "wk-other"}, 401, "no_mailbox"),
        ({"anonymousId": ""}, 400, "bad_visitor"),
        ({"anonymousId": "x" * 257}, 400, "bad_visitor"),
        ({"wait": "soon"}, 400, "bad_wait"),
        ({"wait": "-1"}, 400, "bad_wait"),
        ({"visitorToken": "x" * 129}, 400, "bad_token"),
        ({"writeKey": "wk-open"}, 403, "no_origins"),
        ({"writeKey": "wk-star"}, 403, "origin_not_allowed"),
        ({"origin": "https://elsewhere.example"}, 403, "origin_not_allowed"),
        ({"origin": "null"}, 403, "origin_not_allowed"),
    ],
)
async def test_who_is_refused(page: Page, query: dict[str, str], status: int, code: str) -> None:
    """Each with its status and reason; a source without a list of origins has no relay at all."""
    said = await page.ask(**query)
    assert (status, code) == (said[0], said[1]["code"])


async def test_a_page_of_our_own_origin_needs_no_header(page: Page) -> None:
    """A browser sends none then; one that names another site is refused."""
    assert 200 == (await page.ask(origin=None))[0]
    headers = {"Sec-Fetch-Site": "cross-site"}
    query = {"writeKey": "wk", "anonymousId": "anon", "wait": "0"}
    async with page.http.get(f"{page.url}/commands", params=query, headers=headers) as answer:
        assert 403 == answer.status


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [(SHOP, SHOP), ("HTTPS://SHOP.EXAMPLE", "HTTPS://SHOP.EXAMPLE"), ("https://elsewhere.example", None)],
)
async def test_cors_is_for_listed_origins(page: Page, origin: str, allowed: str | None) -> None:
    """Refusals included, so that the page can read why; no cookies, and nothing is stored on the way."""
    for key in ("wk", "wrong"):
        query = {"writeKey": key, "anonymousId": "anon", "wait": "0"}
        async with page.http.get(f"{page.url}/commands", params=query, headers={"Origin": origin}) as answer:
            assert allowed == answer.headers.get("Access-Control-Allow-Origin")
            assert "Access-Control-Allow-Credentials" not in answer.headers
            assert ("no-store", "Origin") == (answer.headers["Cache-Control"], answer.headers["Vary"])


async def test_a_preflight_is_answered(page: Page) -> None:
    """For listed origins."""
    for origin, allowed in ((SHOP, SHOP), ("https://elsewhere.example", None)):
        async with page.http.options(f"{page.url}/ack", headers={"Origin": origin}) as answer:
            assert 204 == answer.status
            assert allowed == answer.headers.get("Access-Control-Allow-Origin")
            assert "GET, POST" == answer.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize(
    "body",
    [
        b"no json",
        b"[]",
        b"{}",
        b'{"writeKey":"wk","anonymousId":"anon","results":{}}',
        b'{"writeKey":"wk","anonymousId":"anon","results":[7]}',
        b'{"writeKey":"wk","anonymousId":"anon","results":[{"id":"a","outcome":"delivered"}]}',
        b'{"writeKey":"wk","anonymousId":"anon","results":[{"id":7,"outcome":"fired"}]}',
        b'{"writeKey":"wk","anonymousId":7,"results":[]}',
        orjson.dumps({"writeKey": "wk", "anonymousId": "anon", "results": [{}] * 201}),
        b"x" * (MAX_ACK_BYTES + 1),
    ],
)
async def test_a_bad_answer_is_refused(page: Page, body: bytes) -> None:
    """It is bounded in every part."""
    assert 400 == await page.post(body)


async def test_an_answer_needs_key_and_origin(page: Page, journal: Journal) -> None:
    """As asking does; what another visitor or nobody holds stays as it is."""
    await put(journal, 1)
    ((command,),) = ((await page.ask())[1]["commands"],)
    fired = {"id": command["id"], "outcome": "fired"}
    assert 401 == await page.answer(fired, writeKey="wrong")
    assert 403 == await page.answer(fired, origin="https://elsewhere.example")
    assert 204 == await page.answer(fired, anonymousId="another")
    assert 204 == await page.answer({"id": "nobody's", "outcome": "fired"})
    assert "queued" == await state(journal, 1)
    assert 204 == await page.answer({**fired, "outcome": "error", "error": "x" * 1000})
    assert 204 == await page.answer(fired)
    assert 200 == len((await journal.mailbox_of(DESTINATION, 1))[0].reason)
    assert "error" == await state(journal, 1)


async def test_asking_too_often_is_refused(page: Page) -> None:
    """With the time to stay away, in header and body; another visitor is not held up."""
    while (said := await page.ask())[0] == 200:
        pass
    assert (429, "too_often") == (said[0], said[1]["code"])
    assert 0 < said[1]["retryAfterMs"] <= 1000
    assert 200 == (await page.ask(anonymousId="another"))[0]


async def test_a_visitor_token_opens_the_mailbox(page: Page, journal: Journal, desk: Desk) -> None:
    """Where the destination has a secret, the id alone is not enough."""
    secret = b"only our servers know"
    desk.replace(SOURCES, [Box(DESTINATION, frozenset({"web"}), secret)])
    await put(journal, 1)
    token = hmac.new(secret, b"anon", "sha256").hexdigest()
    assert token == visitor_token(secret, "anon")
    assert 401 == (await page.ask())[0]
    assert 401 == (await page.ask(visitorToken=visitor_token(secret, "another")))[0]
    ((command,),) = ((await page.ask(visitorToken=token))[1]["commands"],)
    fired = {"id": command["id"], "outcome": "fired"}
    assert 401 == await page.answer(fired)
    assert 204 == await page.answer(fired, visitorToken=token)


async def test_a_journal_in_trouble_is_no_empty_mailbox(page: Page, journal: Journal) -> None:
    """The page is told to come back."""
    await journal.close()
    status, said = await page.ask()
    assert (503, "unavailable", 5000) == (status, said["code"], said["retryAfterMs"])


async def test_the_script_is_cached_for_half_an_hour(page: Page) -> None:
    """Any page may load it; a copy that is still right is not sent again."""
    url = page.url.replace("/v1", "/sharpspring-ads.js")
    async with page.http.get(url) as answer:
        assert b"crossdockRelay" in await answer.read()
        assert "public, max-age=1800" == answer.headers["Cache-Control"]
        assert "text/javascript; charset=utf-8" == answer.headers["Content-Type"]
        tag = answer.headers["ETag"]
    async with page.http.get(url, headers={"If-None-Match": tag}) as answer:
        assert 304 == answer.status
