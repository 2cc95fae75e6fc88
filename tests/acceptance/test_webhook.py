"""Segment's webhook against the real process: signed as Segment signs it, over the raw bytes."""

from __future__ import annotations

import hashlib
import hmac

import aiohttp
import pytest

from tests.acceptance.harness import WEBHOOK_SECRET, Gateway, RecordingTopsort, until

EVENT = (
    b'{"anonymousId":"anon-\xc3\xa9","channel":"server","context":null,"event":"Product Clicked",'
    b'"integrations":{"All":false,"Webhooks":true},"messageId":"%s","originalTimestamp":"2026-11-20T10:00:00.1234567Z",'
    b'"properties":{"product_id":1.0,"price":1e2,"tiny":5E-324,"big":12345678901234567890,'
    b'"name":"K\xc3\xb6ln \\u2603 \xf0\x9f\x9b\x92","resolvedBidId":"bid-%s"},'
    b'"receivedAt":"2026-11-20T10:00:01Z","timestamp":"2026-11-20T10:00:00.123Z","type":"track","version":2}'
)


def event(message_id: bytes) -> bytes:
    """Give an event's bytes as Segment might write them: odd numbers, escapes, text beyond ASCII."""
    return EVENT.replace(b"%s", message_id)


BODIES = {
    "single": (event(b"m-1"), event(b"m-1"), 1),
    "array": (b"[" + event(b"m-1") + b"," + event(b"m-2") + b"]", event(b"m-1"), 2),
    "wrapped": (
        b'[{"json":' + event(b"m-1") + b'},{"json":' + event(b"m-2") + b"}]",
        event(b"m-1"),
        2,
    ),
}


def signature(signed: bytes) -> str:
    """Sign as Segment does: HMAC-SHA1, lower-case hex."""
    return hmac.new(WEBHOOK_SECRET.encode(), signed, hashlib.sha1).hexdigest()


async def post(gateway: Gateway, body: bytes, signed: str) -> int:
    """Post a body to the webhook; gives the status."""
    headers = {"X-Signature": signed, "Content-Type": "application/json", "User-Agent": "Segment (Actions)"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{gateway.url}/webhook/segment", data=body) as answer,
    ):
        await answer.read()
        return answer.status


@pytest.mark.parametrize("form", BODIES)
async def test_signed_body(gateway: Gateway, topsort: RecordingTopsort, form: str) -> None:
    """A body signed as Segment signs it is accepted and delivered, whatever its numbers and letters."""
    body, signed, clicks = BODIES[form]
    assert 200 == await post(gateway, body, signature(signed))
    await until(lambda: topsort.count("clicks") == clicks, "the clicks")
    assert [f"m-{n + 1}" for n in range(clicks)] == topsort.ids("clicks")
    assert {"anon-é"} == {clicked["opaqueUserId"] for clicked in topsort.received("clicks")}
    assert [] == topsort.violations


@pytest.mark.parametrize("form", BODIES)
async def test_one_changed_byte(gateway: Gateway, topsort: RecordingTopsort, form: str) -> None:
    """One changed byte in what was signed, or in the signature, is 401 and nothing is kept."""
    body, signed, _ = BODIES[form]
    assert 401 == await post(gateway, body.replace(b"1e2", b"1e3", 1), signature(signed))
    good = signature(signed)
    bad = ("0" if good[0] != "0" else "1") + good[1:]
    assert 401 == await post(gateway, body, bad)
    status = await gateway.command("status")
    assert 0 == status["journal"]["events"]
    assert [] == topsort.received()
