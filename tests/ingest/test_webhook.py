"""The webhook from outside: signatures over raw bytes, three generations, and Segment's clock."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from crossdock.event import came_by_webhook
from crossdock.ingest.signature import LONGEST_ELEMENT, element_end, verify
from tests.ingest.conftest import SECRET, Bench, event

ODD = (
    b'{"type":"track","event":"Zo\xc3\xab \\u00e9 \\"]}[{\\\\","userId":"u",'
    b'"properties":{"a":1.0,"b":1e5,"c":1E+2,"d":-0,"e":12345678901234567890,"f":"\xf0\x9f\x98\x80\\/"}}'
)
PLAIN = b'{"type":"track","event":"x","userId":"u2"}'


def signed(part: bytes) -> dict[str, str]:
    """Sign as Segment does, with nothing of ours."""
    return {"X-Signature": hmac.new(SECRET.encode(), part, hashlib.sha1).hexdigest()}


VECTORS = {
    "single": (ODD, ODD, 1),
    "array": (b"[" + ODD + b"," + PLAIN + b"]", ODD, 2),
    "array of one": (b"[" + ODD + b"]", ODD, 1),
    "array, spaced": (b" [\r\n\t " + ODD + b" ,\n " + PLAIN + b" ]\n", ODD, 2),
    "wrapped array": (b'[{"json":' + ODD + b'},{"json":' + PLAIN + b"}]", ODD, 2),
    "wrapped, spaced": (b'[ { "json" :\n ' + ODD + b' \t} , {"json": ' + PLAIN + b" } ]", ODD, 2),
    "wrapped single": (b'{"json":' + ODD + b"}", ODD, 1),
    "single, pretty": (b'{\n "type": "track", "event": "x", "userId": "u" }', None, 1),
}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("name", VECTORS)
async def test_a_body_signed_as_segment_signs_is_accepted(bench: Bench, name: str, method: str) -> None:
    """Single, array and wrapped array, with non-ASCII text, escapes, odd numbers and any whitespace."""
    body, part, count = VECTORS[name]
    answer = await bench.client.request(method, "/webhook/segment", data=body, headers=signed(part or body))
    assert (200, b'{"success": true}') == (answer.status, await answer.read())
    documents = await bench.documents()
    assert count == len(documents)
    assert all(came_by_webhook(document) for document in documents)


@pytest.mark.parametrize("name", VECTORS)
async def test_one_changed_byte_is_401(bench: Bench, name: str) -> None:
    """A signature that does not fit is final; nothing is kept."""
    body, part, _ = VECTORS[name]
    changed = body.replace(b"track", b"trick", 1)
    answer = await bench.client.post("/webhook/segment", data=changed, headers=signed(part or body))
    assert (401, "bad_signature") == (answer.status, (await answer.json())["code"])
    assert [] == await bench.stored()


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"[" + PLAIN + b"," + ODD + b"]", ODD),
        (b'[{"json":' + PLAIN + b',"x":1}]', PLAIN),
        (b"[" + PLAIN, PLAIN[:-1]),
        (b"[", b""),
        (b"[1]", b"1"),
        (b"[]", b""),
        (b'["' + b'\\"' * 50_000, b""),
        (b'[{"' + b"\\", b""),
    ],
)
def test_only_what_segment_signs_counts(body: bytes, part: bytes) -> None:
    """Another element, a wrapper with more in it, and broken bodies do not verify."""
    assert not verify(SECRET.encode(), body, signed(part)["X-Signature"])


def test_the_first_element_ends_where_its_brackets_close() -> None:
    """Brackets and quotes inside strings do not count."""
    assert len(ODD) == element_end(ODD + b" , {}", 0)
    assert element_end(b'{"a":"}', 0) is None


async def test_a_missing_or_odd_signature_is_401(bench: Bench) -> None:
    """Told before the body is read; upper case fits as well, text beyond ASCII does not crash."""
    answer = await bench.client.post("/webhook/segment", data=PLAIN)
    assert (401, "no_signature") == (answer.status, (await answer.json())["code"])
    answer = await bench.client.post("/webhook/segment", data=PLAIN, headers={"X-Signature": "ünfit"})
    assert 401 == answer.status
    upper = {"X-Signature": signed(PLAIN)["X-Signature"].upper()}
    assert 200 == (await bench.client.post("/webhook/segment", data=PLAIN, headers=upper)).status


@pytest.mark.parametrize("name", ["web", "nobody", "%00"])
async def test_without_a_secret_there_is_no_webhook(bench: Bench, name: str) -> None:
    """404, unless the source says allow_unsigned."""
    answer = await bench.client.post(f"/webhook/{name}", data=PLAIN)
    assert (404, "unknown_webhook") == (answer.status, (await answer.json())["code"])
    assert 200 == (await bench.client.post("/webhook/open/", data=PLAIN)).status


async def test_segments_clock_and_fields_stand(bench: Bench) -> None:
    """Segment has corrected the time: its timestamp, receivedAt and projectId are kept."""
    times = {
        "timestamp": "2025-12-31T23:59:59.000Z",
        "originalTimestamp": "2025-12-31T20:00:00.000Z",
        "sentAt": "2025-12-31T20:00:01.000Z",
        "receivedAt": "2026-01-01T00:00:00.000Z",
        "projectId": "p1",
    }
    await bench.client.post("/webhook/open", json=event(**times))
    (document,) = await bench.documents()
    assert times == {key: document[key] for key in times}


async def test_delete_events_are_taken_when_signed(bench: Bench) -> None:
    """A deletion of Segment's, with null context and Go's timestamps, is journalled."""
    body = (
        b'{"type":"delete","userId":"u","messageId":"delete-1","channel":"server","context":null,'
        b'"integrations":[],"originalTimestamp":"2020-01-02 03:04:05.123456789 +0000 UTC m=+7.3"}'
    )
    await bench.client.post("/webhook/segment", data=body, headers=signed(body))
    await bench.client.post("/webhook/open", data=body.replace(b"delete-1", b"delete-2"))
    assert ["delete-1"] == [document["messageId"] for document in await bench.documents()]
    assert ["delete_not_allowed"] == await bench.codes()


@pytest.mark.parametrize(
    "body",
    [
        "type=track&event=Zo%C3%AB&userId=u&properties.sku=1",
        "type=track&event=Zo%C3%AB&userId=u&properties%5Bsku%5D=1",
        "type=track&event=Zo%C3%AB&userId=u&properties=%7B%22sku%22%3A%221%22%7D",
    ],
)
async def test_a_form_is_read_as_an_event(bench: Bench, body: str) -> None:
    """An Extensible Webhook may be configured to send forms."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    await bench.client.post("/webhook/open", data=body, headers=headers)
    (document,) = await bench.documents()
    assert ("Zoë", {"sku": "1"}) == (document["event"], document["properties"])


async def test_a_batch_of_forms_is_read(bench: Bench) -> None:
    """In form mode an Extensible Webhook wraps each form's text."""
    items = [{"body": "type=track&event=x&userId=u"}]
    await bench.client.post("/webhook/open", json=items)
    assert ["x"] == [document["event"] for document in await bench.documents()]


@pytest.mark.parametrize("body", [b"", b"{", b"[{}", b"nope"])
async def test_broken_json_is_400(bench: Bench, body: bytes) -> None:
    """Final to Segment, as it can never be right."""
    answer = await bench.client.post("/webhook/open", data=body)
    assert (400, "malformed_json") == (answer.status, (await answer.json())["code"])


@pytest.mark.parametrize("item", [None, 1, "x", [], {}, {"json": 1}, {"json": {}, "more": 1}])
async def test_an_odd_item_is_quarantined(bench: Bench, item: Any) -> None:
    """Each item of an array is kept or quarantined."""
    answer = await bench.client.post("/webhook/open", json=[item, event()])
    assert [0] == [each["index"] for each in (await answer.json())["refused"]]
    assert (1, 1) == (len(await bench.stored()), len(await bench.refused()))


def test_what_a_stranger_makes_us_read_is_bounded() -> None:
    """A first element without an end is given up early, before anybody has shown a signature."""
    half = LONGEST_ELEMENT // 2
    found = [element_end(b"[" * levels + b"]" * levels, 0) for levels in (half, half + 1)]
    assert [LONGEST_ELEMENT, None] == found
