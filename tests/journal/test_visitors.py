"""What every journal promises about visitors: facts folded with the append, and their erasure."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from crossdock.journal import open_client
from crossdock.journal.base import (
    Arrival,
    Aside,
    Claim,
    Command,
    DeadLetter,
    Forgotten,
    Journal,
    Lane,
    Mail,
    Owner,
    Position,
    Refusal,
    SentRequest,
    Settled,
    Stored,
    shard_of,
)
from crossdock.visitors import Memory

from .conftest import START, Clock

OpenJournal = Callable[..., Awaitable[Journal]]
Say = Callable[..., Arrival]
LANE = Lane("topsort", None)
ALL = Memory(frozenset({"*"}))


@pytest.fixture
def say(clock: Clock) -> Say:
    """Make an arrival of an event with ids of its own, at the clock's time."""

    def make(message_id: str, **fields: Any) -> Arrival:
        document = {
            "type": "track",
            "event": "Product Viewed",
            "messageId": message_id,
            "timestamp": clock().isoformat(),
            "properties": {},
            **fields,
        }
        shard = shard_of(str(document.get("anonymousId") or document.get("userId")), 4)
        erase = document["userId"] if document["type"] == "delete" else None
        body = orjson.dumps(document)
        return Arrival(message_id, "web", "all", shard, document, body, clock(), erase)

    return make


async def everything(journal: Journal) -> list[Stored]:
    """Read the whole journal."""
    return await journal.read(None, 0, 1000)


async def nobody(_: Forgotten) -> None:
    """Stand for lanes that hold nothing."""


CART = {"event": "Cart Viewed", "properties": {"products": [{"product_id": "p"}]}}


class TestFacts:
    """Facts beside events."""

    async def test_a_basket_outlasts_a_restart(self, opens: OpenJournal, say: Say) -> None:
        """An event after a restart knows what one before it told of."""
        journal = await opens(memory=ALL)
        await journal.append([say("m1", anonymousId="a", **CART)])
        await journal.close()
        journal = await opens(memory=ALL)
        await journal.append([say("m2", anonymousId="a", event="Payment Info Entered")])
        facts = (await everything(journal))[1].facts
        assert facts is not None
        assert {"products": [{"product_id": "p"}]} == facts["basket"]

    async def test_events_of_one_append_are_folded_in_order(self, opens: OpenJournal, say: Say) -> None:
        """A server's event knows the browser that the event before it in the same write linked."""
        journal = await opens(memory=ALL)
        await journal.append([say("m1", anonymousId="a", userId="u"), say("m2", userId="u")])
        facts = (await everything(journal))[1].facts
        assert facts is not None
        assert "a" == facts["anonymousId"]

    async def test_facts_are_the_same_from_memory_and_from_disk(self, opens: OpenJournal, say: Say) -> None:
        """A retry tomorrow sees what was known when the event came in, not what is known then."""
        journal = await opens(memory=ALL)
        await journal.append([say("m1", anonymousId="ü", **CART), say("m2", userId="nobody")])
        near = await everything(journal)
        await journal.append([say("m3", anonymousId="ü", event="Order Completed")])
        await journal.close()
        journal = await opens(memory=ALL)
        assert near == (await everything(journal))[:2]
        assert near[0] == (await journal.find("m1"))[0]

    async def test_a_duplicate_changes_nothing(self, opens: OpenJournal, say: Say, clock: Clock) -> None:
        """A copy with the same id is not folded again, whatever it says now."""
        journal = await opens(memory=ALL)
        await journal.append([say("m1", anonymousId="a", userId="u")])
        clock.move(minutes=1)
        await journal.append([say("m1", anonymousId="b", userId="u")])
        await journal.append([say("m2", userId="u")])
        facts = (await everything(journal))[1].facts
        assert facts is not None
        assert "a" == facts["anonymousId"]

    async def test_without_a_memory_nothing_is_kept(self, opens: OpenJournal, say: Say) -> None:
        """No record and no facts; with `remember` it begins."""
        journal = await opens()
        await journal.append([say("m1", anonymousId="a", **CART)])
        journal.remember(ALL)
        await journal.append([say("m2", anonymousId="a"), say("m3", anonymousId="a", **CART)])
        found = [event.facts for event in await everything(journal)]
        assert [True, False, True] == [not facts or "basket" in facts for facts in found]
        assert None is found[0]

    async def test_a_fault_in_the_fold_does_not_close_the_door(self, opens: OpenJournal, say: Say) -> None:
        """An event that memory stumbles over is stored without facts, and it is told."""
        heard: list[str] = []

        class Broken:
            """A memory with a bug."""

            def keys(self, document: Mapping[str, Any], /) -> tuple[str, ...]:
                """Name a record."""
                return (document["nothing"],)

            def linked(self, document: Mapping[str, Any], records: Mapping[str, Any], /) -> None:
                """Name none."""

            def fold(self, document: Mapping[str, Any], *_: Any) -> Any:
                """Stumble."""
                return document["nothing"]

        def hear(name: str, /, **_: Any) -> None:
            heard.append(name)

        journal = await opens(memory=Broken(), on_event=hear)
        await journal.append([say("m1", anonymousId="a")])
        assert ["m1"] == [event.message_id for event in await everything(journal)]
        assert "visitor.fault" in heard

    async def test_a_failed_write_leaves_no_fact(self, opens: OpenJournal, say: Say) -> None:
        """What a write that was undone folded is not remembered."""
        journal = await opens(memory=ALL)
        bad = say("m1", anonymousId="a", userId="u")
        bad.source = object()  # type: ignore[assignment]
        with pytest.raises(sqlite3.Error):
            await journal.append([bad])
        await journal.append([say("m2", userId="u")])
        assert "anonymousId" not in ((await everything(journal))[0].facts or {})

    async def test_records_expire(self, opens: OpenJournal, say: Say, clock: Clock) -> None:
        """A visitor not seen for longer than the expiry is forgotten; one who was is not."""
        journal = await opens(memory=ALL, visitor_expiry=timedelta(days=30))
        await journal.append([say("m1", anonymousId="a", **CART), say("m2", anonymousId="b", **CART)])
        clock.move(days=20)
        await journal.append([say("m3", anonymousId="b")])
        clock.move(days=11)
        await journal.retain([], clock())
        await journal.append([say("m4", anonymousId="a"), say("m5", anonymousId="b")])
        found = {event.message_id: event.facts or {} for event in await everything(journal)}
        assert (False, True) == ("basket" in found["m4"], "basket" in found["m5"])

    async def test_what_is_set_aside_or_dead_keeps_its_facts(self, opens: OpenJournal) -> None:
        """A copy of an event has the event's facts, also when a dead letter is replayed."""
        facts = {"anonymousId": "a"}
        journal = await opens()
        await journal.open_lane(LANE, 1)
        await journal.settle(
            Settled(LANE, dead_letters=[letter(1, b"{}", facts=facts)], asides=[aside(2, b"{}", facts=facts)])
        )
        await journal.replay_dead_letters(None, "topsort")
        (dead,) = await journal.dead_letters()
        rows = await journal.asides("topsort", START, 10)
        assert [facts] * 3 == [dead.facts, *(row.facts for row in rows)]


def letter(sequence: int, event: bytes, **changes: Any) -> DeadLetter:
    """Make a dead letter."""
    return DeadLetter(
        destination="topsort",
        sequence=sequence,
        index=0,
        message_id=f"m{sequence}",
        source="web",
        preset="Clicked",
        action="click",
        reason="no such bid",
        code=None,
        mapping_version="abc",
        at=START,
        received_at=START,
        event=event,
        payload=b"{}",
        **changes,
    )


def aside(sequence: int, event: bytes, *, visitor: str = "v", **changes: Any) -> Aside:
    """Make a row set aside."""
    return Aside(
        destination="topsort",
        visitor=visitor,
        kind="retry",
        sequence=sequence,
        index=0,
        only=False,
        message_id=f"m{sequence}",
        source="web",
        received_at=START,
        event=event,
        due_at=START,
        **changes,
    )


def mail(sequence: int, visitor: str) -> Mail:
    """Make a command in a mailbox."""
    later = START + timedelta(hours=1)
    return Mail("relay", visitor, sequence, 0, f"m{sequence}", "track", b"{}", START, later)


def request(first: int, last: int, shard: int | None = None) -> SentRequest:
    """Make a request row whose answer quotes somebody."""
    lane, owners = Lane("topsort", shard), (Owner(first, 0), Owner(last, 0))
    return SentRequest(lane, *owners, 1, "abc", START, 0.1, 200, "delivered", "hello, person")


def owned(key: str, sequence: int, at: datetime = START) -> Claim:
    """Make a claim."""
    return Claim(key, Owner(sequence, 0), f"m{sequence}", at, timedelta(days=30))


async def people(journal: Journal, say: Say, user: str, anonymous: str, first: int) -> None:
    """Fill every kind of row for one person, whose events begin at a sequence."""
    ids = {"anonymousId": anonymous, "userId": user}
    own = orjson.dumps(ids)
    await journal.append(
        [
            say(f"{user}-1", anonymousId=anonymous, **CART),
            say(f"{user}-2", **ids),
            say(f"{user}-3", userId=user, channel="server"),
        ],
        [Refusal("web", f"{user}-q", "no_name", "x", orjson.dumps({"userId": user}), START)],
    )
    await journal.open_lane(LANE, 1)
    await journal.open_lane(Lane("relay", None), 1)
    await journal.claim("topsort", [owned(f'click:["{anonymous}","p"]', first)])
    await journal.settle(
        Settled(
            LANE,
            Position(first + 1),
            1,
            request=request(first, first),
            dead_letters=[letter(first, own)],
            asides=[aside(first + 1, own, visitor=anonymous)],
        )
    )
    await journal.settle(Settled(LANE, Position(first + 1), 0, request=request(first, first + 2)))
    await journal.put_mail([mail(first, anonymous)], 10)


def dump(url: str) -> dict[str, list[Any]]:
    """Give all rows of all tables."""
    db = sqlite3.connect(url.removeprefix("sqlite:///"))
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    found = {table: db.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
    db.close()
    return found


class TestForget:
    """Erasure."""

    async def test_everything_of_a_user_goes_and_nothing_of_others(
        self, opens: OpenJournal, say: Say, url: str
    ) -> None:
        """After it no table names the user, and what others have is byte for byte what it was."""
        journal = await opens(memory=ALL)
        await people(journal, say, "other", "other-anon", 1)
        alone = dump(url)
        await people(journal, say, "gone", "gone-anon", 4)
        forgotten = await journal.forget({"gone"}, [LANE], nobody)
        left = dump(url)
        assert [] == [table for table, rows in left.items() if "gone" in repr(rows)]
        kept = set(alone) - {"counter", "cursor", "sqlite_sequence", "mark_run", "mark_filter"}
        kept = {table for table in kept if not table.startswith("mark_")}
        assert {table: alone[table] for table in kept} == {table: left[table] for table in kept}
        expected = {
            "claims": 1,
            "dead_letters": 1,
            "events": 3,
            "facts": 2,
            "mailbox": 1,
            "quarantine": 1,
            "requests": 2,
            "set_aside": 1,
        }
        assert expected == forgotten.counts
        assert {"gone", "gone-anon"} == forgotten.visitors

    async def test_links_are_found_without_a_memory(self, opens: OpenJournal, say: Say) -> None:
        """The events themselves say which anonymousIds are the user's."""
        journal = await opens()
        await journal.append(
            [say("m1", anonymousId="a"), say("m2", anonymousId="a", userId="u"), say("m3", anonymousId="b")]
        )
        await journal.forget({"u"}, [], nobody)
        assert ["m3"] == [event.message_id for event in await everything(journal)]

    async def test_a_shared_computer_keeps_the_others_events(self, opens: OpenJournal, say: Say) -> None:
        """An event that names another user stays, though its anonymousId was the erased one's too."""
        journal = await opens(memory=ALL)
        await journal.append([say("m1", anonymousId="a", userId="u"), say("m2", anonymousId="a", userId="v")])
        await journal.forget({"u"}, [], nobody)
        assert ["m2"] == [event.message_id for event in await everything(journal)]
        await journal.append([say("m3", userId="v")])
        assert {"anonymousId": "a"}.items() <= ((await everything(journal))[1].facts or {}).items()

    async def test_an_erased_event_stays_a_duplicate(self, opens: OpenJournal, say: Say) -> None:
        """A copy that its sender tries again is not let in, also after a restart; sequences go on."""
        journal = await opens()
        (first,) = await journal.append([say("m1", userId="u")])
        await journal.forget({"u"}, [], nobody)
        await journal.close()
        journal = await opens()
        copy, new = await journal.append([say("m1", userId="u"), say("m2", userId="v")])
        assert (True, False) == (copy.duplicate, new.duplicate)
        assert first.sequence < new.sequence

    async def test_no_lag_is_left_behind(self, opens: OpenJournal, say: Say) -> None:
        """Of lanes before, within and behind the erased events each waits for what is left, and no more."""
        journal = await opens()
        await journal.append([say(f"m{n}", userId="u" if n % 2 else "v") for n in range(1, 9)])
        shard = shard_of("u", 4)
        lanes = [LANE, Lane("middle", None), Lane("end", None), Lane("sharded", shard)]
        for lane, start in zip(lanes, (1, 5, 9, 1), strict=True):
            await journal.open_lane(lane, start)
        await journal.forget({"u"}, lanes, nobody)
        same = shard == shard_of("v", 4)
        expected = {LANE: 4, lanes[1]: 2, lanes[2]: 0, lanes[3]: 4 if same else 0}
        status = await journal.status()
        assert expected == status.lags
        assert 4 == status.events

    async def test_a_lane_that_had_read_them_counts_them_once(self, opens: OpenJournal, say: Say) -> None:
        """Events erased between a lane's read and its settlement are passed once."""
        journal = await opens()
        await journal.append([say("m1", userId="u"), say("m2", userId="v"), say("m3", userId="u")])
        await journal.open_lane(LANE, 1)
        await journal.forget({"u"}, [LANE], nobody)
        await journal.settle(Settled(LANE, Position(3), 2, sequences=[1, 2]))
        assert {LANE: 0} == (await journal.status()).lags
        await journal.settle(Settled(LANE, Position(4), 1, sequences=[3]))
        assert {LANE: 0} == (await journal.status()).lags
        await journal.append([say("m4", userId="u")])
        assert {LANE: 1} == (await journal.status()).lags

    async def test_a_lane_sleeps_at_what_is_gone(self, opens: OpenJournal, say: Say) -> None:
        """A lane that waits for an erased event waits for the next one."""
        journal = await opens()
        await journal.append([say("m1", userId="v"), say("m2", userId="u")])
        await journal.forget({"u"}, [LANE], nobody)
        for shard in (None, shard_of("u", 4)):
            with pytest.raises(TimeoutError):
                await within(0.05, journal.wait(shard, 2))
        await journal.append([say("m3", userId="u")])
        await within(5, journal.wait(shard_of("u", 4), 2))
        assert ["m1", "m3"] == [event.message_id for event in await everything(journal)]

    async def test_a_delete_event_leaves_a_command_in_its_own_write(
        self, opens: OpenJournal, say: Say
    ) -> None:
        """The command stands after a restart, once, and remembers nobody when it is done."""
        journal = await opens()
        await journal.append([say("d1", type="delete", userId="u")])
        await journal.append([say("d1", type="delete", userId="u")])
        await journal.close()
        journal = await opens()
        (command,) = await journal.commands()
        assert ("forget", {"user": "u"}) == (command.kind, command.arguments)
        await journal.finish(command.id, "{}")
        assert [] == await journal.commands()

    async def test_a_finished_command_names_nobody(self, opens: OpenJournal, url: str) -> None:
        """Whom it was about is gone from the file with the rest."""
        journal = await opens()
        client = await open_client(url)
        id_ = await client.submit(Command("forget", {"user": "somebody"}))
        await client.close()
        await journal.finish(id_, "{}")
        assert "somebody" not in repr(dump(url)["command"])

    async def test_a_delete_event_goes_when_it_is_passed(self, opens: OpenJournal, say: Say) -> None:
        """A destination may act on it; once every lane has passed, it goes too."""
        journal = await opens()
        await journal.append([say("m1", userId="u"), say("d1", type="delete", userId="u")])
        await journal.open_lane(LANE, 1)
        forgotten = await journal.forget({"u"}, [LANE], nobody)
        assert ["d1"] == [event.message_id for event in await everything(journal)]
        assert [2] == forgotten.notices == await journal.withdraw([2], [LANE])
        await journal.settle(Settled(LANE, Position(3), 1, sequences=[2]))
        assert [] == await journal.withdraw([2], [LANE])
        assert [] == await everything(journal)
        assert {LANE: 0} == (await journal.status()).lags

    async def test_what_lanes_write_in_the_meantime_goes_too(self, opens: OpenJournal, say: Say) -> None:
        """A dead letter written between the events' erasure and the answer of the lanes is erased."""
        journal = await opens()
        await journal.append([say("m1", userId="u")])
        await journal.open_lane(LANE, 1)

        async def told(forgotten: Forgotten) -> None:
            assert {1} == forgotten.sequences
            await journal.settle(Settled(LANE, dead_letters=[letter(1, orjson.dumps({"userId": "u"}))]))

        forgotten = await journal.forget({"u"}, [LANE], told)
        assert [] == await journal.dead_letters()
        assert 1 == forgotten.counts["dead_letters"]

    async def test_an_action_reported_by_two_people_stays_the_others(
        self, opens: OpenJournal, say: Say
    ) -> None:
        """A claim that somebody else was suppressed by stands vacant; a suppressed copy goes alone."""
        journal = await opens()
        await journal.append([say(f"m{n}", userId="u" if n in (1, 4) else "v") for n in range(1, 5)])
        await journal.claim("topsort", [owned("buy:[1]", 1), owned("buy:[1]", 2)])
        await journal.claim("topsort", [owned("buy:[2]", 3), owned("buy:[2]", 4)])
        await journal.forget({"u"}, [], nobody)
        assert [] == await journal.claims_of("topsort", 1) + await journal.claims_of("topsort", 4)
        assert [("buy:[1]", "", False)] == await journal.claims_of("topsort", 2)
        assert [("buy:[2]", "m3", True)] == await journal.claims_of("topsort", 3)
        assert [None] == await journal.claim("topsort", [owned("buy:[1]", 2)])

    async def test_a_number_that_looks_like_an_id_is_left(self, opens: OpenJournal, say: Say) -> None:
        """An order whose id is another user's id keeps its claim."""
        journal = await opens()
        await journal.append([say("m1", userId="v")])
        await journal.claim("topsort", [owned('buy:["42"]', 1)])
        await journal.forget({"42"}, [], nobody)
        assert [('buy:["42"]', "m1", True)] == await journal.claims_of("topsort", 1)

    async def test_quarantined_batches_lose_the_user_alone(self, opens: OpenJournal, clock: Clock) -> None:
        """Of a body that holds several people's events the others' stay; ids count as they were sent."""
        journal = await opens()
        mixed = orjson.dumps([{"userId": 42}, {"userId": "v"}])
        bodies = [mixed, b'{"userId":42}', b"not json", b'{"userId":"421"}']
        await journal.append([], [Refusal("web", None, "x", "x", body, clock()) for body in bodies])
        await journal.forget({"42"}, [], nobody)
        left = [row.refusal.body for row in await journal.quarantined()]
        assert [b'{"userId":"421"}', b"not json", b'[{"userId":"v"}]'] == left

    async def test_a_large_journal_is_read_in_slices(self, opens: OpenJournal, say: Say) -> None:
        """Every slice of a scan is looked at, whatever the others hold."""
        journal = await opens()
        arrivals = [say(f"m{n}", userId=f"v{n}" if n % 700 else "u") for n in range(2500)]
        await journal.append(arrivals)
        forgotten = await journal.forget({"u"}, [], nobody)
        assert {"events": 4} == forgotten.counts
        assert 2496 == (await journal.status()).events


async def within(seconds: float, awaited: Awaitable[None]) -> None:
    """Wait so long at most."""
    await asyncio.wait_for(awaited, seconds)
