"""The door itself: replay from the quarantine, reload, scopes, and that no body brings it down."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock.ingest import Door, make_app
from crossdock.journal import open_journal
from crossdock.journal.base import Journal, shard_of
from crossdock.settings import Settings
from crossdock.telemetry import Metrics
from tests.ingest.conftest import BASIC, NOW, SETTINGS, Bench, event


async def test_a_replay_tells_what_became_of_it(bench: Bench) -> None:
    """What is still invalid stays; nothing is released before it is durable."""
    await bench.client.post("/v1/track", json={"event": "x", "messageId": "m1"}, headers=BASIC)
    (kept,) = await bench.refused()
    assert "refused: no_user_anon_id: an event needs a userId or an anonymousId" == await bench.door.replay(
        kept
    )
    assert 1 == len(await bench.refused())


async def test_a_mended_event_is_accepted_as_of_when_it_came(bench: Bench) -> None:
    """A replay corrects the clock as the first time would have, and happens once."""
    times = {"timestamp": "2026-01-02T10:00:00.000Z", "sentAt": "2026-01-02T10:00:02.000Z"}
    await bench.client.post("/v1/t", json={"event": "x", **times}, headers=BASIC)
    (kept,) = await bench.refused()
    kept.refusal.body = orjson.dumps(orjson.loads(kept.refusal.body) | {"userId": "u"})
    bench.door.now = lambda: NOW + timedelta(days=1)
    assert "accepted" == await bench.door.replay(kept)
    assert "duplicate" == await bench.door.replay(kept)
    (document,) = await bench.documents()
    assert ("2026-01-02T11:30:00.100Z", "client") == (document["timestamp"], document["channel"])
    assert [] == await bench.refused()


async def test_a_webhooks_event_is_replayed_by_the_webhooks_rules(bench: Bench) -> None:
    """Segment's timestamp stands also on the second try."""
    body = {"type": "track", "userId": "u", "event": 5, "timestamp": "2025-01-01T00:00:00.000Z"}
    await bench.client.post("/webhook/open", json=body)
    (kept,) = await bench.refused()
    kept.refusal.body = orjson.dumps(orjson.loads(kept.refusal.body) | {"event": "x"})
    assert "accepted" == await bench.door.replay(kept)
    assert "2025-01-01T00:00:00.000Z" == (await bench.documents())[0]["timestamp"]


async def test_a_replay_of_a_removed_source_is_refused(bench: Bench) -> None:
    """Its destinations are not known any more."""
    await bench.client.post("/v1/track", json={}, headers=BASIC)
    bench.door.replace_sources(Settings())
    (kept,) = await bench.refused()
    assert "refused: no source is named 'web' any more" == await bench.door.replay(kept)


async def test_a_reload_changes_the_keys(bench: Bench) -> None:
    """An old key stops and a new one starts, between two requests."""
    assert 200 == (await bench.client.post("/v1/track", json=event(), headers=BASIC)).status
    bench.door.replace_sources(Settings.model_validate({"sources": {"web": {"write_key": "new"}}}))
    assert 401 == (await bench.client.post("/v1/track", json=event(), headers=BASIC)).status
    assert 200 == (await bench.client.post("/v1/track", json=event(writeKey="new"))).status


async def test_an_event_lies_in_its_visitors_shard(bench: Bench) -> None:
    """The shard is the anonymousId's, or else the userId's."""
    batch = [event(anonymousId="a"), event()]
    await bench.client.post("/v1/batch", json={"batch": batch}, headers=BASIC)
    shards = bench.journal.shards
    assert [shard_of("a", shards), shard_of("u1", shards)] == [each.shard for each in await bench.stored()]


async def test_no_personal_data_is_logged(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """A refused event is logged by its id and reason, not by what it holds."""
    secret = {"event": 5, "userId": "ada@example.com", "messageId": "m7"}
    await bench.client.post("/v1/track", json=secret, headers=BASIC)
    logged = "".join(capsys.readouterr())
    assert "event.refused" in logged
    assert "m7" in logged
    assert "ada@example.com" not in logged


@pytest.mark.parametrize("path", ["/console/x", "/api/events"])
async def test_other_routes_answer_for_themselves(journal: Journal, path: str) -> None:
    """An error of a route that is not the door's passes through, without CORS."""
    from aiohttp import web  # noqa: PLC0415 - only here

    async def forbidden(_: web.Request) -> web.Response:
        raise web.HTTPForbidden

    app = make_app(Door.from_settings(SETTINGS, journal, Metrics()))
    app.router.add_get(path, forbidden)
    async with TestClient(TestServer(app)) as client:
        answer = await client.get(path)
        assert 403 == answer.status
        assert "Access-Control-Allow-Origin" not in answer.headers


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["track", "identify", "page", "group", "alias", "delete", ""]) | JSON,
        "event": st.just("x") | JSON,
        **{
            key: st.just("id") | JSON
            for key in ("userId", "anonymousId", "groupId", "previousId", "messageId")
        },
        **dict.fromkeys(("properties", "traits", "context", "integrations", "channel", "_metadata"), JSON),
        **{
            key: st.just("2026-01-02T10:00:00Z") | JSON
            for key in ("timestamp", "sentAt", "originalTimestamp")
        },
    },
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(
    batch=st.lists(EVENTS | JSON, max_size=6),
    envelope=st.dictionaries(st.sampled_from(["context", "integrations", "sentAt"]), JSON),
    noise=st.binary(max_size=20),
)
def test_every_item_is_accepted_or_quarantined(
    tmp_path_factory: pytest.TempPathFactory, batch: list[Any], envelope: dict[str, Any], noise: bytes
) -> None:
    """No body makes the door answer 5xx, and no item of a batch gets lost on the way."""
    import asyncio  # noqa: PLC0415 - a loop of its own, as hypothesis is not async

    asyncio.run(_send(f"sqlite:///{tmp_path_factory.mktemp('door')}/j.db", batch, envelope, noise))


async def _send(url: str, batch: list[Any], envelope: dict[str, Any], noise: bytes) -> None:
    journal = await open_journal(url, clock=lambda: NOW)
    door = Door.from_settings(SETTINGS, journal, Metrics())
    try:
        async with TestClient(TestServer(make_app(door))) as client:
            body = json.dumps({**envelope, "batch": batch})
            answer = await client.post("/v1/batch", data=body.encode("utf-8", "replace"), headers=BASIC)
            assert 200 == answer.status
            refused = len((await answer.json()).get("refused", []))
            quarantined = len(await journal.quarantined())
            assert refused == quarantined
            counted = door.metrics.render().decode()
            taken = sum(
                float(line.rsplit(" ", 1)[1])
                for line in counted.splitlines()
                if line.startswith(("crossdock_events_accepted_total", "crossdock_events_duplicate_total"))
            )
            assert len(batch) == taken + refused
            for path in ("/v1/track", "/v1/b", "/webhook/open"):
                cut = body.encode("utf-8", "replace")[: len(body) // 2] + noise
                assert (await client.post(path, data=cut, headers=BASIC)).status < 500
    finally:
        await journal.close()
