"""From the journal through a lane into mailboxes: queued once, counted, and never called delivered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from crossdock.assembly import assemble
from crossdock.delivery.lanes import Lanes
from crossdock.delivery.mailbox import Mailboxes
from crossdock.delivery.plan import Route
from crossdock.destinations.base import Batch, Payload, Queued, Retry
from crossdock.journal import open_journal
from crossdock.journal.base import Arrival, Journal, shard_of
from crossdock.settings import parse
from crossdock.telemetry import Metrics
from tests.delivery.dock import eventually

from .conftest import START, Clock

ADS = "sharpspring_ads"


@pytest.fixture
def route() -> Route:
    """The shipped route, quick enough for tests."""
    settings = parse(f"sources: {{web: {{write_key: k}}}}\ndestinations: {{{ADS}: }}\n", "crossdock.yaml", {})
    return replace(assemble(settings)[ADS], batch_wait=timedelta(milliseconds=5))


@pytest.fixture
async def fresh(tmp_path: Path) -> AsyncIterator[Journal]:
    """A journal no destination has run on."""
    opened = await open_journal(f"sqlite:///{tmp_path}/fresh.db", shards=2, wait_for_lock=False)
    yield opened
    await opened.close()


@pytest.fixture
async def accept(fresh: Journal, clock: Clock) -> Callable[..., Any]:
    """Append events as the door would."""

    async def append(*events: dict[str, Any]) -> list[int]:
        arrivals = []
        for number, event in enumerate(events):
            document = {"type": "track", "messageId": f"m{number}", "anonymousId": "anon", **event}
            visitor = document["anonymousId"] or document["userId"]
            shard, body = shard_of(visitor, fresh.shards), orjson.dumps(document)
            arrivals.append(Arrival(document["messageId"], "web", ADS, shard, document, body, clock()))
        return [appended.sequence for appended in await fresh.append(arrivals)]

    return append


async def totals(journal: Journal) -> dict[str, int]:
    """Add up the cursors' totals."""
    added: dict[str, int] = {}
    for cursor in (await journal.status()).cursors:
        for name, times in cursor.totals.items():
            added[name] = added.get(name, 0) + times
    return added


async def settled(journal: Journal) -> bool:
    """Tell whether every lane is at the head."""
    return not any((await journal.status()).lags.values())


async def test_events_become_mail_in_order(fresh: Journal, route: Route, accept: Any, clock: Clock) -> None:
    """Each payload a command; the request's row says that nobody has answered."""
    lanes = Lanes(fresh, Metrics())
    await lanes.open([route])
    first, second, third = await accept(
        {"event": "Product Viewed", "properties": {"product_id": "p-1"}},
        {"event": "Order Completed", "properties": {"order_id": "o-1", "total": 20}},
        {"event": "Order Completed", "properties": {"order_id": "o-2"}, "anonymousId": None, "userId": "u"},
    )
    lanes.start()
    await eventually(lambda: settled(fresh))
    await lanes.stop(5)
    viewed, ordered = await fresh.mailbox_of(ADS, first), await fresh.mailbox_of(ADS, second)
    assert [b'["track","Product Viewed"]', b'["trackProduct","p-1"]'] == [one.command for one in viewed]
    assert [b'["track","Order Completed",{"orderId":"o-1","revenue":20}]'] == [one.command for one in ordered]
    assert (["queued"] * 3, [False, False, True]) == (
        [one.state for one in viewed + ordered],
        [one.precious for one in viewed + ordered],
    )
    assert [] == await fresh.mailbox_of(ADS, third)
    counted = await totals(fresh)
    assert (2, 1) == (counted["queued.track"], counted["queued.trackProduct"])
    assert 1 == counted["skipped.no_visitor"]
    assert not [name for name in counted if name.startswith("delivered")]
    (row,) = await fresh.requests(None, first)
    assert ("queued", None) == (row.outcome, row.status)


def batch(count: int = 1) -> Batch:
    """Make a batch of commands for one visitor."""
    body = b'{"visitor":"anon","cmd":["track","Bought"]}'
    return Batch(tuple(Payload(n + 1, 0, f"m{n}", "track", "Any Event", body) for n in range(count)))


async def test_a_put_again_is_one_command(fresh: Journal, route: Route) -> None:
    """As after a crash between the put and its settlement."""
    mailboxes = Mailboxes(fresh, Metrics())
    for _ in range(2):
        assert (None, [Queued()] * 2) == (await mailboxes.put(route, batch(2), START))[::2]
    assert [1, 1] == [len(await fresh.mailbox_of(ADS, n)) for n in (1, 2)]


async def test_what_a_full_mailbox_loses_is_counted(fresh: Journal, route: Route) -> None:
    """In the metrics too."""
    metrics = Metrics()
    await Mailboxes(fresh, metrics).put(route, batch(103), START)
    line = b'crossdock_payloads_total{action="track",destination="sharpspring_ads",outcome="overflow"} 3.0'
    assert line in metrics.render()
    states = [(await fresh.mailbox_of(ADS, n))[0].state for n in (1, 3, 4, 103)]
    assert ["overflow", "overflow", "queued", "queued"] == states


async def test_an_unreachable_mailbox_is_tried_again(fresh: Journal, route: Route) -> None:
    """The event stays in the journal meanwhile."""
    await fresh.close()
    _, reason, outcomes = await Mailboxes(fresh, Metrics()).put(route, batch(2), START)
    assert [Retry(reason)] * 2 == outcomes
    assert "mailbox" in reason
