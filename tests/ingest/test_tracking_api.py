"""The Tracking API from outside: every path, key and answer of the contract's checklist."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from crossdock.errors import JournalFull
from crossdock.ingest.answers import PIXEL
from tests.ingest.conftest import BASIC, KEY, Bench, event

SUCCESS = {"success": True}
SINGLE = [
    *(f"/v1/{name}" for name in ("track", "identify", "page", "screen", "group", "alias")),
    *(f"/v1/{letter}" for letter in "tipsga"),
]
BATCH = ["/v1/batch", "/v1/import", "/v1/b", "/beacon/v1/batch"]
WHOLE = {"event": "x", "userId": "u", "groupId": "g", "previousId": "p"}


def assert_error(status: int, code: str, answer: Any, body: Any) -> None:
    """Check the form every error has, so that each client library gives up or tries again as it should."""
    assert status == answer.status
    assert code == body["code"]
    assert body["success"] is False
    assert body["message"] == body["error"] != ""
    assert "application/json" == answer.content_type
    assert "*" == answer.headers["Access-Control-Allow-Origin"]
    assert "Retry-After, X-RateLimit-Reset" == answer.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", SINGLE)
async def test_every_single_path_takes_its_type(bench: Bench, path: str, slash: str) -> None:
    """The type is the path's where the event names none; the channel follows the path."""
    answer = await bench.client.post(path + slash, json=WHOLE, headers=BASIC)
    assert (200, b'{"success": true}') == (answer.status, await answer.read())
    (document,) = await bench.documents()
    short = path.removeprefix("/v1/")
    assert document["type"].startswith(short)
    assert ("client" if len(short) == 1 else "server") == document["channel"]
    assert ("ip" in document["context"]) == (len(short) == 1)


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", BATCH)
async def test_every_batch_path_takes_a_batch(bench: Bench, path: str, slash: str) -> None:
    """A batch needs no header: its key stands in the envelope."""
    answer = await bench.client.post(path + slash, json={"batch": [event(), event()], "writeKey": KEY})
    assert (200, SUCCESS) == (answer.status, await answer.json())
    documents = await bench.documents()
    assert 2 == len(documents)
    assert all("writeKey" not in document for document in documents)
    assert 1 == len({document["receivedAt"] for document in documents})


async def test_the_envelope_is_laid_under_each_event(bench: Bench) -> None:
    """Context and integrations of the envelope are merged, an event's own word wins, sentAt corrects."""
    batch = {
        "batch": [
            event(context={"locale": "de"}, integrations={"B": True}, timestamp="2026-01-02T10:00:00.000Z")
        ],
        "context": {"locale": "en", "library": {"name": "x"}},
        "integrations": {"A": False, "B": False},
        "sentAt": "2026-01-02T10:00:02.000Z",
    }
    await bench.client.post("/v1/batch", json=batch, headers=BASIC)
    (document,) = await bench.documents()
    assert {"locale": "de", "library": {"name": "x"}} == document["context"]
    assert {"A": False, "B": True} == document["integrations"]
    assert "2026-01-02T11:30:00.100Z" == document["timestamp"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=utf-8"},
        {"Content-Type": "nonsense"},
    ],
)
async def test_json_is_read_whatever_the_label_says(bench: Bench, headers: dict[str, str]) -> None:
    """Browsers send text/plain, Rudder's Node library calls JSON a form."""
    body = json.dumps(event()).encode()
    answer = await bench.client.post("/v1/t", data=body, headers=BASIC | headers)
    assert SUCCESS == await answer.json()
    assert 1 == len(await bench.stored())


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        (BASIC, None),
        ({"Authorization": "Basic " + base64.b64encode(KEY.encode()).decode()}, None),
        ({"Authorization": BASIC["Authorization"].rstrip("=")}, None),
        ({"Authorization": "basic " + base64.b64encode(f"{KEY}:x".encode()).decode()}, None),
        ({}, KEY),
        ({"Authorization": "Bearer token"}, KEY),
        (BASIC, "another"),
        ({"Authorization": "Basic Og=="}, KEY),
    ],
)
async def test_every_way_to_give_a_write_key(bench: Bench, headers: Any, key: str | None) -> None:
    """Basic with or without colon, the body, Bearer and the body; the header wins."""
    answer = await bench.client.post("/v1/track", json=event(writeKey=key), headers=headers)
    assert (200, SUCCESS) == (answer.status, await answer.json())
    assert ["web"] == [stored.source for stored in await bench.stored()]


@pytest.mark.parametrize(
    ("headers", "key", "code"),
    [
        ({}, None, "no_write_key"),
        ({}, "wrong", "unknown_write_key"),
        ({"Authorization": "Basic d3Jvbmc6"}, KEY, "unknown_write_key"),
        ({"Authorization": "Bearer x"}, None, "no_write_key"),
        ({"Authorization": "Basic !!!"}, None, "no_write_key"),
        ({}, "é\ud83d", "unknown_write_key"),
    ],
)
async def test_an_unknown_key_is_401(bench: Bench, headers: Any, key: str | None, code: str) -> None:
    """Nothing is kept of a request nobody vouches for."""
    answer = await bench.client.post("/v1/track", data=json.dumps(event(writeKey=key)), headers=headers)
    assert_error(401, code, answer, await answer.json())
    assert [] == await bench.stored()


async def test_an_invalid_event_alone_is_answered_200_and_quarantined(bench: Bench) -> None:
    """Segment answers 200 for what it drops; ours stands in the quarantine with its reason."""
    answer = await bench.client.post("/v1/track", json={"event": "x", "messageId": "m9"}, headers=BASIC)
    body = await answer.json()
    assert (200, True) == (answer.status, body["success"])
    assert [(0, "m9", "no_user_anon_id")] == [
        (each["index"], each["messageId"], each["code"]) for each in body["refused"]
    ]
    (kept,) = await bench.refused()
    assert ("web", "m9", "no_user_anon_id") == (
        kept.refusal.source,
        kept.refusal.message_id,
        kept.refusal.code,
    )


async def test_invalid_neighbours_do_not_hold_a_batch(bench: Bench) -> None:
    """Each event of a batch is judged for itself."""
    batch = [event(messageId="a"), 5, event(event=3), event(messageId="b"), {"type": "delete", "userId": "u"}]
    answer = await bench.client.post("/v1/batch", json={"batch": batch}, headers=BASIC)
    assert [1, 2, 4] == [each["index"] for each in (await answer.json())["refused"]]
    assert ["a", "b"] == [document["messageId"] for document in await bench.documents()]
    assert ["not_object", "event_not_string", "delete_not_allowed"] == await bench.codes()


@pytest.mark.parametrize("levels", [300, 900, 5_000, 100_000])
async def test_an_event_nested_too_deeply_is_refused_alone(bench: Bench, levels: int) -> None:
    """However deep it goes, and whether or not a parser follows, its neighbours are kept."""
    deep = f'{{"type":"track","event":"x","userId":"u","messageId":"d","properties":{{"n":{"[" * levels}'
    deep += f"{']' * levels}}}}}"
    body = f'{{"batch":[{json.dumps(event(messageId="a"))},{deep},{json.dumps(event(messageId="b"))}]}}'
    answer = await bench.client.post("/v1/batch", data=body, headers=BASIC)
    assert 200 == answer.status
    assert ["a", "b"] == [document["messageId"] for document in await bench.documents()]
    (kept,) = await bench.refused()
    assert ("d", "too_deep") == (kept.refusal.message_id, kept.refusal.code)


async def test_the_quarantine_keeps_no_write_key(bench: Bench) -> None:
    """What is shown to an operator is the event, not the credential it came with."""
    await bench.client.post("/v1/track", json={"event": "x", "writeKey": KEY})
    (kept,) = await bench.refused()
    assert {"event": "x", "type": "track"} == {
        key: value for key, value in json.loads(kept.refusal.body).items() if key != "messageId"
    }


async def test_duplicates_are_answered_200_and_counted(bench: Bench) -> None:
    """The whole messageId decides, within a batch and across requests."""
    one, other = event(messageId="m1"), event(messageId="m1x")
    for batch in ([one, one, other], [other, one]):
        answer = await bench.client.post("/v1/batch", json={"batch": batch}, headers=BASIC)
        assert SUCCESS == await answer.json()
    assert ["m1", "m1x"] == [document["messageId"] for document in await bench.documents()]
    metrics = bench.door.metrics.render().decode()
    assert 'crossdock_events_accepted_total{source="web"} 2.0' in metrics
    assert 'crossdock_events_duplicate_total{source="web"} 3.0' in metrics


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/v1/track", b"", "malformed_json"),
        ("/v1/track", b'{"a":', "malformed_json"),
        ("/v1/batch", b"[]", "malformed_batch"),
        ("/v1/batch", b'{"batch":{}}', "malformed_batch"),
        ("/v1/batch", b"[" * 400_000, "malformed_json"),
        ("/v1/track", b"\x00\xff\xfe", "malformed_json"),
    ],
)
async def test_malformed_json_is_400(bench: Bench, path: str, body: bytes, code: str) -> None:
    """A body that is not JSON is refused whole, in the form every client understands."""
    answer = await bench.client.post(path, data=body, headers=BASIC)
    assert_error(400, code, answer, await answer.json())


async def test_a_lone_surrogate_costs_one_character(bench: Bench) -> None:
    """A truncated emoji in one event becomes U+FFFD there; its neighbours and the body stay."""
    body = (
        b'{"batch":[{"type":"track","event":"zo\\u00eb \\ud83d","userId":"u"},'
        b'{"type":"track","event":"\\ud83d\\ude00 \xc3\xa9","userId":"u","properties":{"n":NaN,"i":'
        + b"9" * 5000
        + b',"f":1e999,"id":123456789012345678901234567890,"x":1,"x":2}}]}'
    )
    answer = await bench.client.post("/v1/batch", data=body, headers=BASIC)
    assert SUCCESS == await answer.json()
    first, second = await bench.documents()
    assert "zoë �" == first["event"]
    assert "😀 é" == second["event"]
    assert {"n": None, "i": None, "f": None, "id": 1.2345678901234568e29, "x": 2} == second["properties"]


@pytest.mark.parametrize(
    "path", ["/v1/t", "/v1/batch/", "/v1/m", "/v1/projects/x/settings", "/v1/pixel/track"]
)
async def test_preflight_allows_what_the_browser_asks(bench: Bench, path: str) -> None:
    """A preflight needs no key, and the requested headers are echoed."""
    asked = "authorization, content-type, x-retry-count, x-of-the-customer"
    headers = {"Origin": "https://a.example", "Access-Control-Request-Headers": asked}
    answer = await bench.client.options(path, headers=headers)
    assert 200 == answer.status
    assert asked == answer.headers["Access-Control-Allow-Headers"]
    assert "GET, POST, OPTIONS" == answer.headers["Access-Control-Allow-Methods"]
    assert "https://a.example" == answer.headers["Access-Control-Allow-Origin"]
    assert "true" == answer.headers["Access-Control-Allow-Credentials"]
    assert int(answer.headers["Access-Control-Max-Age"]) >= 3600


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/track", 405, "method_not_allowed"),
        ("POST", "/v1/nothing", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
        ("GET", "/analytics.js/v1/key/analytics.min.js", 404, "not_found"),
    ],
)
async def test_cors_stands_on_aiohttps_own_errors(
    bench: Bench, method: str, path: str, status: int, code: str
) -> None:
    """Without CORS headers a browser takes a refusal for a network failure and sends again."""
    answer = await bench.client.request(method, path)
    assert_error(status, code, answer, await answer.json())


async def test_an_origin_that_is_not_listed_is_refused(bench: Bench) -> None:
    """A source with allowed_origins takes events of those pages, and of senders that are no page."""
    body = json.dumps(event(writeKey="shop-key"))
    for origin, status in (("https://evil.example", 403), ("https://SHOP.example/", 200), (None, 200)):
        headers = {"Origin": origin} if origin else {}
        answer = await bench.client.post("/v1/t", data=body, headers=headers)
        assert status == answer.status
        assert (origin or "*") == answer.headers["Access-Control-Allow-Origin"]


async def test_the_settings_answer_redirects_a_browser_library(bench: Bench) -> None:
    """Only Segment.io is listed, with the host the sender reached us by; metrics are off."""
    proxied = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "events.shop.example"}
    answer = await bench.client.get(f"/v1/projects/{KEY}/settings", headers=proxied)
    body = await answer.json()
    assert {"Segment.io": {"apiKey": KEY, "apiHost": "events.shop.example/v1", "protocol": "https"}} == body[
        "integrations"
    ]
    assert 0 == body["metrics"]["sampleRate"]
    assert "*" == answer.headers["Access-Control-Allow-Origin"]


async def test_settings_of_an_unknown_key_are_404(bench: Bench) -> None:
    """Segment's own tools use the path to test a key."""
    answer = await bench.client.get("/v1/projects/nobody/settings/")
    assert_error(404, "unknown_write_key", answer, await answer.json())


async def test_the_libraries_own_metrics_are_taken_and_dropped(bench: Bench) -> None:
    """The browser library measures itself at /v1/m."""
    answer = await bench.client.post("/v1/m", data=b'{"series":[]}')
    assert (200, SUCCESS) == (answer.status, await answer.json())


def b64(document: Any, *, url: bool = False, padded: bool = True) -> str:
    """Encode a pixel's data."""
    raw = json.dumps(document).encode()
    text = (base64.urlsafe_b64encode if url else base64.b64encode)(raw).decode()
    return text if padded else text.rstrip("=")


@pytest.mark.parametrize("url", [True, False])
@pytest.mark.parametrize("padded", [True, False])
async def test_the_pixel_takes_base64_in_every_form(bench: Bench, url: bool, padded: bool) -> None:
    """Standard or URL-safe alphabet, padded or not; the answer is always the image."""
    data = b64({"writeKey": KEY, "event": "Öffnung?>", "userId": "u"}, url=url, padded=padded)
    answer = await bench.client.get("/v1/pixel/track", params={"data": data})
    assert (200, PIXEL, "image/gif") == (answer.status, await answer.read(), answer.content_type)
    (document,) = await bench.documents()
    assert ("Öffnung?>", "client", "track") == (document["event"], document["channel"], document["type"])


async def test_the_pixel_takes_flat_query_keys(bench: Bench) -> None:
    """Without data, dots in query keys nest and values are strings."""
    query = {"writeKey": KEY, "userId": "u", "event": "Opened", "properties.subject": "Hi"}
    await bench.client.get("/v1/pixel/track/", params=query)
    (document,) = await bench.documents()
    assert {"subject": "Hi"} == document["properties"]


@pytest.mark.parametrize(
    "query",
    [{}, {"data": "%%%"}, {"data": "e30="}, {"data": "W10="}, {"writeKey": "x"}, {"a.b": "1", "a": "2"}],
)
async def test_the_pixel_answers_nonsense_with_the_image(bench: Bench, query: dict[str, str]) -> None:
    """Whatever comes, the sender sees the same picture."""
    answer = await bench.client.get("/v1/pixel/identify", params=query)
    assert (200, PIXEL) == (answer.status, await answer.read())
    assert [] == await bench.stored()


@pytest.mark.parametrize(
    ("forwarded", "ip"),
    [
        (None, "127.0.0.1"),
        ("203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7, 127.0.0.9", "203.0.113.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8::1", None),
        ("nonsense", "127.0.0.1"),
    ],
)
async def test_the_address_is_the_right_most_untrusted(
    bench: Bench, forwarded: str | None, ip: str | None
) -> None:
    """Only what a trusted proxy wrote is believed, and only IPv4 is filled in."""
    headers = BASIC | ({"X-Forwarded-For": forwarded} if forwarded else {})
    await bench.client.post("/v1/t", json=event(), headers=headers)
    (document,) = await bench.documents()
    assert ip == document["context"].get("ip")


async def test_a_forwarded_address_is_not_believed_from_a_stranger(bench: Bench) -> None:
    """Without trusted proxies the connection's own address counts."""
    bench.door.trusted_proxies = []
    await bench.client.post("/v1/t", json=event(), headers=BASIC | {"X-Forwarded-For": "6.6.6.6"})
    assert "127.0.0.1" == (await bench.documents())[0]["context"]["ip"]


async def test_chunked_and_gzipped_bodies_are_read(bench: Bench) -> None:
    """Kotlin and Android send gzip in chunks without a length."""
    packed = gzip.compress(json.dumps({"batch": [event()], "writeKey": KEY}).encode())

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(packed), 7):
            yield packed[at : at + 7]

    answer = await bench.client.post("/v1/b", data=chunks(), headers={"Content-Encoding": "gzip"})
    assert SUCCESS == await answer.json()
    assert 1 == len(await bench.stored())


@pytest.mark.parametrize("expectation", ["100-continue", "something-else"])
async def test_expectations_are_met_or_ignored(bench: Bench, expectation: str) -> None:
    """PHP and .NET ask before they send the body; nothing is refused for asking."""
    expect = expectation == "100-continue"
    headers = BASIC | ({} if expect else {"Expect": expectation})
    answer = await bench.client.post("/v1/track", json=event(), headers=headers, expect100=expect)
    assert 200 == answer.status


async def test_a_draining_door_says_when_to_come_again(bench: Bench) -> None:
    """During a shutdown nothing is accepted, and every client is told to send again."""
    bench.door.draining = True
    for path in ("/v1/track", "/v1/batch", "/webhook/open"):
        answer = await bench.client.post(path, json={}, headers=BASIC)
        assert_error(503, "unavailable", answer, await answer.json())
        assert ("5", "5") == (answer.headers["Retry-After"], answer.headers["X-RateLimit-Reset"])


async def test_a_full_journal_is_answered_503_until_it_recovers(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be made durable is not accepted; the pixel alone answers its image."""

    async def full(*_: Any) -> Any:
        raise JournalFull("no space")

    with monkeypatch.context() as patch:
        patch.setattr(type(bench.journal), "append", full)
        answer = await bench.client.post("/v1/track", json=event(), headers=BASIC)
        assert_error(503, "unavailable", answer, await answer.json())
        assert "5" == answer.headers["Retry-After"]
        query = {"writeKey": KEY, "userId": "u", "event": "x"}
        assert 200 == (await bench.client.get("/v1/pixel/track", params=query)).status
    answer = await bench.client.post("/v1/track", json=event(), headers=BASIC)
    assert (200, 1) == (answer.status, len(await bench.stored()))


async def test_a_fault_of_ours_is_500_in_the_same_form(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception is JSON with CORS too: clients send again."""

    async def fault(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(type(bench.journal), "append", fault)
    answer = await bench.client.post("/v1/track", json=event(), headers=BASIC)
    assert_error(500, "internal_error", answer, await answer.json())


@pytest.mark.parametrize("head", ["HTTP/1.1\r\nConnection: close", "HTTP/1.0", "HTTP/1.1"])
async def test_the_answer_is_whole_on_the_wire(bench: Bench, head: str) -> None:
    """Written promptly or the usual way, on a connection that stays open or closes, it is the same."""
    reader, writer = await asyncio.open_connection(bench.client.host, bench.client.port)
    body = json.dumps(event(writeKey=KEY)).encode()
    request = f"POST /v1/track {head}\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    for _ in range(1 if head != "HTTP/1.1" else 3):
        writer.write(request)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert b'{"success": true}' == await reader.readexactly(17)
        assert answer.split(" ", 1)[1].startswith("200 OK\r\n")
        for header in ("Date: ", "Access-Control-Allow-Origin: *", "Content-Type: application/json"):
            assert f"\r\n{header}" in answer
    if head != "HTTP/1.1":
        assert b"" == await reader.read()
    writer.close()
    await writer.wait_closed()
    assert (3 if head == "HTTP/1.1" else 1) == len(await bench.stored())


async def test_a_long_pixel_passes(bench: Bench) -> None:
    """An event of a pixel may be as long as its base64 fits the request line."""
    data = b64({"writeKey": KEY, "event": "x", "userId": "u", "properties": {"pad": "x" * 20_000}}, url=True)
    await bench.client.get("/v1/pixel/track", params={"data": data})
    assert 1 == len(await bench.stored())
