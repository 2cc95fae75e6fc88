"""Size limits at their edges, bombs, and what is past a count."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest

from crossdock.errors import MalformedRequest, TooLarge
from crossdock.ingest.limits import TRACKING, WEBHOOK, inflate
from tests.ingest.conftest import BASIC, Bench, event


def sized(size: int, **changes: Any) -> bytes:
    """Give an event's JSON of exactly so many bytes."""
    document = event(**changes) | {"properties": {"pad": ""}}
    empty = json.dumps(document, separators=(",", ":")).encode()
    return empty.replace(b'"pad":""', b'"pad":"' + b"x" * (size - len(empty)) + b'"')


@pytest.mark.parametrize(("size", "status"), [(32_768, 200), (32_769, 400)])
@pytest.mark.parametrize("packed", [True, False])
async def test_one_event_may_have_32_kib(bench: Bench, size: int, status: int, packed: bool) -> None:
    """The limit is measured after inflation, and named when exceeded."""
    body = gzip.compress(sized(size)) if packed else sized(size)
    headers = BASIC | ({"Content-Encoding": "gzip"} if packed else {})
    answer = await bench.client.post("/v1/track", data=body, headers=headers)
    assert status == answer.status
    if status == 400:
        assert "32,768 bytes" in (await answer.json())["message"]


@pytest.mark.parametrize(("size", "refused"), [(32_768, []), (32_769, ["event_too_large"])])
async def test_an_oversize_event_in_a_batch_is_refused_alone(
    bench: Bench, size: int, refused: list[str]
) -> None:
    """Its neighbour goes on, and the answer stays 200."""
    body = b'{"batch":[' + sized(size) + b"," + sized(100) + b"]}"
    answer = await bench.client.post("/v1/batch", data=body, headers=BASIC)
    assert 200 == answer.status
    assert refused == await bench.codes()
    assert 2 - len(refused) == len(await bench.stored())


@pytest.mark.parametrize(("size", "status"), [(512_000, 200), (512_001, 400)])
async def test_a_batch_may_have_512_000_bytes(bench: Bench, size: int, status: int) -> None:
    """The body's limit is Segment's 500 KB."""
    body = json.dumps({"batch": [event()]}).encode()
    body += b" " * (size - len(body))
    answer = await bench.client.post("/v1/batch", data=body, headers=BASIC)
    assert status == answer.status
    if status == 400:
        assert "512,000 bytes" in (await answer.json())["message"]


async def test_events_past_2500_are_reported_not_lost(bench: Bench) -> None:
    """The answer is 200, and what is too many stands in the quarantine."""
    items = [{"type": "track", "event": "x", "userId": "u"}] * 2_503
    answer = await bench.client.post("/v1/batch", json={"batch": items}, headers=BASIC)
    body = await answer.json()
    assert (200, True) == (answer.status, body["success"])
    assert [2_500, 2_501, 2_502] == [each["index"] for each in body["refused"]]
    assert 2_500 == len(await bench.stored())
    assert ["batch_too_long"] * 3 == await bench.codes()


async def test_a_flood_of_items_stands_in_one_piece(bench: Bench) -> None:
    """Past twice the count the rest is one row: a small body cannot fill the quarantine with rows."""
    body = b'{"batch":[' + b",".join([b"1"] * 50_000) + b"]}"
    answer = await bench.client.post("/v1/batch", data=body, headers=BASIC)
    refused = (await answer.json())["refused"]
    assert (5_001, 5_000, 49_999) == (len(refused), refused[-1]["index"], refused[-1]["through"])
    kept = await bench.refused()
    assert [1] * 45_000 == json.loads(kept[-1].refusal.body)


async def test_a_large_envelope_is_not_multiplied(bench: Bench) -> None:
    """A context laid under thousands of events would make gigabytes of half a megabyte."""
    batch = {"batch": [event()] * 2_000, "context": {"pad": "x" * 20_000}}
    answer = await bench.client.post("/v1/batch", json=batch, headers=BASIC)
    assert (400, "too_large") == (answer.status, (await answer.json())["code"])


@pytest.mark.parametrize("path", ["/v1/track", "/v1/b", "/webhook/open"])
async def test_a_bomb_is_refused_unexploded(bench: Bench, path: str) -> None:
    """A small body that inflates to much is stopped at the limit."""
    bomb = gzip.compress(b"[" + b" " * (WEBHOOK.body_bytes + 10) + b"]", 9)
    answer = await bench.client.post(path, data=bomb, headers=BASIC | {"Content-Encoding": "gzip"})
    assert (400, "too_large") == (answer.status, (await answer.json())["code"])


@pytest.mark.parametrize(
    ("encoding", "body", "code"),
    [
        ("gzip", gzip.compress(b'{"a":1}')[:-9], "bad_encoding"),
        ("gzip", gzip.compress(b'{"a":1}')[:6] + b"damaged", "bad_encoding"),
        ("gzip", b"not gzip", "bad_encoding"),
        ("br", b"\x0b\x03\x80", "unsupported_encoding"),
        ("zstd", b"x", "unsupported_encoding"),
    ],
)
async def test_an_encoding_that_cannot_be_undone_is_400(
    bench: Bench, encoding: str, body: bytes, code: str
) -> None:
    """Our JSON and CORS headers stand on it too."""
    headers = BASIC | {"Content-Encoding": encoding}
    answer = await bench.client.post("/v1/track", data=body, headers=headers)
    assert (400, code) == (answer.status, (await answer.json())["code"])
    assert "*" == answer.headers["Access-Control-Allow-Origin"]


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b'{"a":') + gzip.compress(b"1}")),
        ("x-gzip", gzip.compress(b'{"a":1}') + b"\0\0"),
        ("deflate", zlib.compress(b'{"a":1}')),
        ("identity", b'{"a":1}'),
        ("gzip", b'{"a":1}'),
    ],
)
def test_every_encoding_we_know(encoding: str, packed: bytes) -> None:
    """Several members, padding, zlib, and JSON that only claims to be compressed."""
    assert b'{"a":1}' == inflate(packed, encoding, 7, "a test")


def test_inflating_stops_at_the_limit() -> None:
    """One byte more than the limit is refused, also when spread over members."""
    with pytest.raises(TooLarge):
        inflate(gzip.compress(b"1234567") + gzip.compress(b"8"), "gzip", 7, "a test")
    with pytest.raises(MalformedRequest):
        inflate(gzip.compress(b"1234567") + b"rubbish", "gzip", 7, "a test")


async def test_the_webhooks_limits_are_its_own(bench: Bench) -> None:
    """64 KiB an event, each judged alone, and a single one too large is kept in the quarantine."""
    body = b"[" + sized(65_536, messageId="fits") + b"," + sized(65_537, messageId="large") + b"]"
    for each in (body, sized(70_000, messageId="alone")):
        answer = await bench.client.post("/webhook/open", data=each)
        assert 200 == answer.status
    assert ["fits"] == [document["messageId"] for document in await bench.documents()]
    assert ["large", "alone"] == [kept.refusal.message_id for kept in await bench.refused()]


async def test_the_webhook_takes_4000_events(bench: Bench) -> None:
    """Segment's largest batch passes whole."""
    items = [event(messageId=f"m{i}") for i in range(WEBHOOK.events + 1)]
    answer = await bench.client.post("/webhook/open", json=items)
    assert [4_000] == [each["index"] for each in (await answer.json())["refused"]]
    assert 4_000 == len(await bench.stored())


def test_limits_are_segments() -> None:
    """The figures of Segment's documentation."""
    assert (32_768, 512_000, 2_500) == (TRACKING.event_bytes, TRACKING.body_bytes, TRACKING.events)
