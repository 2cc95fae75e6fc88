"""What every journal promises, written against the protocol alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import chain, pairwise
from typing import Any

import pytest

from crossdock.journal import open_client
from crossdock.journal.base import (
    Appended,
    Arrival,
    Aside,
    Claim,
    Command,
    DeadLetter,
    Journal,
    Lane,
    Owner,
    Position,
    Refusal,
    SentRequest,
    Settled,
    SourceTotals,
    shard_of,
)

from .conftest import START, Clock

Arrive = Callable[..., Arrival]
OpenJournal = Callable[..., Awaitable[Journal]]
LANE = Lane("topsort", None)
SECOND = timedelta(seconds=1)


def claim(key: str, sequence: int, *, index: int = 0, at: datetime = START, **changes: Any) -> Claim:
    """Make a claim of an event's payload, ten seconds wide."""
    fields: dict[str, Any] = {"message_id": f"m{sequence}", "at": at, "within": 10 * SECOND}
    return Claim(key, Owner(sequence, index), **fields | changes)


def dead_letter(sequence: int, *, index: int = 0, **changes: Any) -> DeadLetter:
    """Make a dead letter."""
    fields: dict[str, Any] = {
        "destination": "topsort",
        "message_id": f"m{sequence}",
        "source": "web",
        "preset": "Clicked",
        "action": "click",
        "reason": "no such bid",
        "code": "bad_bid",
        "mapping_version": "abc",
        "at": START,
        "received_at": START,
        "event": b'{"a":1}',
        "payload": b'{"b":2}',
    }
    return DeadLetter(sequence=sequence, index=index, **fields | changes)


def aside(sequence: int, *, visitor: str = "v", kind: Any = "retry", **changes: Any) -> Aside:
    """Make a row set aside, due at once."""
    fields: dict[str, Any] = {
        "destination": "topsort",
        "index": 0,
        "only": False,
        "message_id": f"m{sequence}",
        "source": "web",
        "received_at": START,
        "event": b"{}",
        "due_at": START,
    }
    return Aside(visitor=visitor, kind=kind, sequence=sequence, **fields | changes)


class TestAppend:
    """Accepting events."""

    async def test_gives_rising_sequences(self, journal: Journal, arrive: Arrive) -> None:
        """Each new event gets a sequence above all before it."""
        first = await journal.append([arrive(), arrive()])
        second = await journal.append([arrive()])
        sequences = [appended.sequence for appended in [*first, *second]]
        assert sorted(set(sequences)) == sequences
        assert not any(appended.duplicate for appended in [*first, *second])

    async def test_a_copy_is_a_duplicate_and_names_the_original(
        self, journal: Journal, arrive: Arrive
    ) -> None:
        """The same id in the same scope is stored once, in one call or in several."""
        first, copy = await journal.append([arrive("a"), arrive("a")])
        (later,) = await journal.append([arrive("a")])
        assert Appended(first.sequence, duplicate=True) == copy == later
        assert ["a"] == [event.message_id for event in await journal.read(None, 0, 10)]

    async def test_scopes_keep_marks_apart(self, journal: Journal, arrive: Arrive) -> None:
        """A copy that feeds other destinations is an event of its own."""
        await journal.append([arrive("a", scope="one")])
        (other,) = await journal.append([arrive("a", scope="two")])
        assert not other.duplicate
        assert 2 == len(await journal.find("a"))

    async def test_the_window_counts_from_the_first_sighting(
        self, opens: OpenJournal, arrive: Arrive, clock: Clock
    ) -> None:
        """A copy within the window does not lengthen it."""
        journal = await opens(dedup_window=timedelta(hours=1))
        await journal.append([arrive("a")])
        clock.move(minutes=59)
        (copy,) = await journal.append([arrive("a")])
        clock.move(minutes=1)
        (anew,) = await journal.append([arrive("a")])
        assert (True, False) == (copy.duplicate, anew.duplicate)

    async def test_concurrent_copies_are_accepted_once(self, journal: Journal, arrive: Arrive) -> None:
        """Of copies that arrive at the same moment one is the original."""
        answers = await asyncio.gather(*(journal.append([arrive("a"), arrive()]) for _ in range(50)))
        originals = [answer for answer in answers if not answer[0].duplicate]
        assert 1 == len(originals)
        assert {originals[0][0].sequence} == {answer[0].sequence for answer in answers}
        assert 51 == len(await journal.read(None, 0, 100))

    async def test_marks_hold_after_a_restart(self, opens: OpenJournal, arrive: Arrive) -> None:
        """What was accepted before a restart is a duplicate after it, and sequences go on."""
        journal = await opens()
        (first,) = await journal.append([arrive("a")])
        await journal.close()
        journal = await opens()
        copy, new = await journal.append([arrive("a"), arrive("b")])
        assert Appended(first.sequence, duplicate=True) == copy
        assert first.sequence < new.sequence

    async def test_a_bad_arrival_fails_alone(self, journal: Journal, arrive: Arrive) -> None:
        """What cannot be written does not take its neighbours with it."""
        bad: Any = object()
        answers = await asyncio.gather(
            journal.append([arrive("a")]),
            journal.append([arrive("b", source=bad)]),
            journal.append([arrive("c")]),
            return_exceptions=True,
        )
        assert [False, True, False] == [isinstance(answer, BaseException) for answer in answers]
        assert ["a", "c"] == [event.message_id for event in await journal.read(None, 0, 10)]

    async def test_totals_by_source(self, journal: Journal, arrive: Arrive) -> None:
        """Accepted, duplicate and refused events are counted by source."""
        refusal = Refusal("web", None, "no_event", "an event name is missing", b"{}", START)
        await journal.append([arrive("a"), arrive("a"), arrive("b")], [refusal])
        status = await journal.status()
        assert {"web": SourceTotals(accepted=2, duplicates=1, refused=1)} == status.sources
        assert (2, 1) == (status.events, status.quarantined)


class TestRead:
    """Reading them, and waiting for more."""

    async def test_gives_what_was_appended(self, opens: OpenJournal, arrive: Arrive) -> None:
        """An event reads the same from memory and, after a restart, from disk."""
        arrival = arrive("a", visitor="ü")
        journal = await opens()
        await journal.append([arrival])
        near = await journal.read(None, 0, 10)
        await journal.close()
        journal = await opens()
        far = await journal.read(None, 0, 10)
        assert near == far
        (event,) = far
        assert (arrival.document, arrival.received_at, "web", "a") == (
            event.document,
            event.received_at,
            event.source,
            event.message_id,
        )

    @pytest.mark.parametrize("restart", [False, True])
    async def test_by_shard_in_order(self, opens: OpenJournal, arrive: Arrive, restart: bool) -> None:
        """Shards together hold the whole, each in order; start and limit are kept."""
        journal = await opens()
        for _ in range(5):
            await journal.append([arrive(visitor=f"v{number}") for number in range(20)])
        if restart:
            await journal.close()
            journal = await opens()
        everything = await journal.read(None, 0, 1000)
        by_shard = [await journal.read(shard, 0, 1000) for shard in range(4)]
        assert 100 == len(everything)
        assert everything == sorted(chain.from_iterable(by_shard), key=lambda event: event.sequence)
        middle = everything[50].sequence
        assert everything[50:57] == await journal.read(None, middle, 7)
        for shard, events in enumerate(by_shard):
            assert [event for event in events if event.sequence >= middle][:3] == await journal.read(
                shard, middle, 3
            )

    async def test_at_the_end_gives_nothing(self, journal: Journal, arrive: Arrive) -> None:
        """A read at the head does not wait."""
        await journal.append([arrive()])
        assert [] == await journal.read(None, await journal.head(), 10)

    async def test_wait_returns_for_what_is_there(self, journal: Journal, arrive: Arrive) -> None:
        """Waiting for an event that stands returns at once."""
        await journal.append([arrive(visitor="v1")])
        async with asyncio.timeout(5):
            await journal.wait(shard_of("v1", 4), 0)
            await journal.wait(None, 0)

    async def test_an_append_wakes(self, journal: Journal, arrive: Arrive) -> None:
        """An event that is acknowledged has woken its shard and can be read; another shard sleeps on."""
        shard = shard_of("v1", 4)
        start = await journal.head()
        woken = asyncio.create_task(journal.wait(shard, start))
        every = asyncio.create_task(journal.wait(None, start))
        other = asyncio.create_task(journal.wait((shard + 1) % 4, start))
        await asyncio.sleep(0)
        await journal.append([arrive("a", visitor="v1")])
        async with asyncio.timeout(5):
            await woken
            await every
        assert ["a"] == [event.message_id for event in await journal.read(shard, start, 10)]
        assert not other.done()
        other.cancel()

    async def test_a_lane_at_its_end_waits_after_a_restart(self, opens: OpenJournal, arrive: Arrive) -> None:
        """A lane whose shard has nothing more sleeps, though other shards went on."""
        journal = await opens()
        shard = shard_of("v1", 4)
        (first,) = await journal.append([arrive(visitor="v1")])
        others = [f"w{number}" for number in range(50) if shard_of(f"w{number}", 4) != shard]
        await journal.append([arrive(visitor=visitor) for visitor in others])
        await journal.close()
        journal = await opens()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(journal.wait(shard, first.sequence + 1), 0.05)

    async def test_no_wake_up_is_lost(self, journal: Journal, arrive: Arrive) -> None:
        """A lane that reads and waits in turn sees every event once, in order, while many append."""
        seen: list[int] = []

        async def lane() -> None:
            start = 1
            while len(seen) < 600:
                await journal.wait(None, start)
                for event in await journal.read(None, start, 7):
                    seen.append(event.sequence)
                    start = event.sequence + 1

        async def sender() -> None:
            for _ in range(30):
                await journal.append([arrive(), arrive()])

        async with asyncio.timeout(30):
            await asyncio.gather(lane(), *(sender() for _ in range(10)))
        assert sorted(set(seen)) == seen
        assert 600 == len(seen)

    async def test_sequence_at(self, journal: Journal, arrive: Arrive, clock: Clock) -> None:
        """A moment leads to the first event received then or later, or to the head."""
        sequences = []
        for _ in range(10):
            (appended,) = await journal.append([arrive()])
            sequences.append(appended.sequence)
            clock.move(minutes=1)
        assert sequences[0] == await journal.sequence_at(START - SECOND)
        assert sequences[4] == await journal.sequence_at(START + timedelta(minutes=4))
        assert sequences[5] == await journal.sequence_at(START + timedelta(minutes=4, seconds=1))
        assert await journal.head() == await journal.sequence_at(START + timedelta(hours=1))

    async def test_find(self, journal: Journal, arrive: Arrive) -> None:
        """An event is found by its id, once per scope, oldest first."""
        await journal.append([arrive("a", scope="two"), arrive("b"), arrive("a", scope="one"), arrive("a")])
        assert [1, 3, 4] == [event.sequence for event in await journal.find("a")]
        assert [] == await journal.find("c")


class TestLanes:
    """Cursors and what lanes settle."""

    async def test_a_new_lane_starts_where_told(self, opens: OpenJournal, arrive: Arrive) -> None:
        """A cursor is made once, with the events before its start counted as passed, and kept."""
        journal = await opens()
        visitors = [f"v{number}" for number in range(40)]
        await journal.append([arrive(visitor=visitor) for visitor in visitors])
        start = await journal.head()
        shard = shard_of("v1", 4)
        mine = sum(shard_of(visitor, 4) == shard for visitor in visitors)
        everywhere = await journal.open_lane(LANE, start)
        sharded = await journal.open_lane(Lane("blueshift", shard), start)
        backfill = await journal.open_lane(Lane("blueshift", None), 11)
        await journal.append([arrive(visitor="v1")])
        assert (Position(start, 0), 40) == (everywhere.position, everywhere.passed)
        assert (Position(start, 0), mine) == (sharded.position, sharded.passed)
        assert (Position(11, 0), 10) == (backfill.position, backfill.passed)
        lags = (await journal.status()).lags
        assert {LANE: 1, Lane("blueshift", shard): 1, Lane("blueshift", None): 31} == lags
        await journal.close()
        journal = await opens()
        assert everywhere == await journal.open_lane(LANE, 1)

    async def test_settle_moves_and_counts(self, opens: OpenJournal) -> None:
        """Position, passed and totals add up and last."""
        journal = await opens()
        await journal.open_lane(LANE, 1)
        await journal.settle(Settled(LANE, Position(3, 1), 2, {"delivered.click": 3, "skipped.x": 1}))
        await journal.settle(Settled(LANE, Position(4, 0), 1, {"delivered.click": 2}))
        await journal.close()
        journal = await opens()
        cursor = await journal.open_lane(LANE, 1)
        assert (Position(4, 0), 3) == (cursor.position, cursor.passed)
        assert {"delivered.click": 5, "skipped.x": 1} == cursor.totals

    async def test_many_lanes_settle_at_once(self, journal: Journal) -> None:
        """Settlements of many lanes share commits and do not mix."""
        lanes = [Lane(f"d{number}", None) for number in range(30)]
        await asyncio.gather(*(journal.open_lane(lane, 1) for lane in lanes))
        await asyncio.gather(
            *(journal.settle(Settled(lane, Position(n), n, {"x": n})) for n, lane in enumerate(lanes, 1))
        )
        cursors = {cursor.lane: cursor for cursor in (await journal.status()).cursors}
        assert [(n, n, {"x": n}) for n in range(1, 31)] == [
            (cursors[lane].position.sequence, cursors[lane].passed, cursors[lane].totals) for lane in lanes
        ]

    async def test_requests_are_found_by_what_they_held(self, journal: Journal, arrive: Arrive) -> None:
        """A request is listed for every sequence in its range, by lane or for all."""
        await journal.append([arrive() for _ in range(10)])
        await journal.open_lane(LANE, 1)
        requests = [
            SentRequest(LANE, Owner(first, 0), Owner(last, 2), 5, "abc", START, 0.25, status, "retry", "busy")
            for first, last, status in [(1, 4, 503), (1, 4, None), (5, 9, 204)]
        ]
        for request in requests:
            await journal.settle(Settled(LANE, request=request))
        assert requests[:2] == await journal.requests(LANE, 4)
        assert requests[2:] == await journal.requests(None, 5)
        assert [] == await journal.requests(Lane("blueshift", None), 5)
        assert [] == await journal.requests(LANE, 10)


class TestClaims:
    """Once-only actions."""

    async def test_first_comes_and_passes_again(self, journal: Journal) -> None:
        """The first takes the claim and passes again; another is told whose it is."""
        assert [None] == await journal.claim("topsort", [claim("k", 1)])
        assert ["m1"] == await journal.claim("topsort", [claim("k", 2)])
        assert [None, "m1", None] == await journal.claim(
            "topsort", [claim("k", 1), claim("k", 2), claim("other", 2)]
        )
        assert [None] == await journal.claim("blueshift", [claim("k", 2)])

    async def test_two_of_one_event_within_one_call(self, journal: Journal) -> None:
        """Two payloads of an event that describe one action: the first goes."""
        claims = [claim("k", 1, index=0), claim("k", 1, index=1)]
        assert [None, "m1"] == await journal.claim("topsort", claims)
        assert [None, "m1"] == await journal.claim("topsort", claims)

    @pytest.mark.parametrize(
        ("seconds", "passes"), [(0, False), (9.9, False), (10, True), (-9.9, False), (-10, True), (35, True)]
    )
    async def test_the_window_lies_around_the_first_sighting(
        self, journal: Journal, seconds: float, passes: bool
    ) -> None:
        """Event times decide, whichever comes first, wherever a window's slices begin."""
        for offset in range(0, 10, 3):
            first = START + offset * SECOND
            key = f"k{offset}"
            await journal.claim("topsort", [claim(key, 1, at=first)])
            (answer,) = await journal.claim("topsort", [claim(key, 2, at=first + seconds * SECOND)])
            assert passes == (answer is None)

    async def test_the_window_is_never_refreshed(self, journal: Journal) -> None:
        """A suppressed copy does not lengthen the window."""
        times = [START, START + 8 * SECOND, START + 12 * SECOND]
        answers = [
            await journal.claim("topsort", [claim("k", number, at=at)]) for number, at in enumerate(times, 1)
        ]
        assert [[None], ["m1"], [None]] == answers

    async def test_racing_claims_have_one_winner(self, journal: Journal) -> None:
        """Of many who ask at once exactly one may go, and all hear of the same owner."""
        answers = await asyncio.gather(
            *(journal.claim("topsort", [claim("k", number)]) for number in range(1, 40))
        )
        assert 1 == sum(answer == [None] for answer in answers)
        assert 2 == len({answer[0] for answer in answers})

    async def test_claims_last(self, opens: OpenJournal) -> None:
        """A claim holds after a restart."""
        journal = await opens()
        await journal.claim("topsort", [claim("k", 1)])
        await journal.close()
        journal = await opens()
        assert ["m1", None] == await journal.claim("topsort", [claim("k", 2), claim("k", 1)])

    async def test_the_first_suppressed_inherits(self, journal: Journal, arrive: Arrive) -> None:
        """If the owner is refused its claim passes on, and the heir is set aside to be delivered."""
        one, two, three = await journal.append([arrive("m1"), arrive("m2"), arrive("m3")])
        await journal.open_lane(LANE, 1)
        for appended in (one, two, three):
            await journal.claim("topsort", [claim("k", appended.sequence)])
        refused = [("k", Owner(one.sequence, 0))]
        await journal.settle(Settled(LANE, dead_letters=[dead_letter(one.sequence)], refused_owners=refused))
        (heir,) = await journal.asides("topsort", START, 10)
        assert ("inherited", two.sequence, 0, True, "m2") == (
            heir.kind,
            heir.sequence,
            heir.index,
            heir.only,
            heir.message_id,
        )
        assert arrive("m2").body == heir.event
        assert [None, "m2", "m2"] == await journal.claim(
            "topsort",
            [
                claim("k", two.sequence, aside=True),
                claim("k", one.sequence),
                claim("k", three.sequence, aside=True),
            ],
        )

    async def test_a_lane_leaves_an_heir_to_what_was_set_aside(
        self, journal: Journal, arrive: Arrive
    ) -> None:
        """A lane that reads an heir again, after a crash, does not send it too; nor the next heir."""
        sequences = [
            each.sequence for each in await journal.append([arrive("m1"), arrive("m2"), arrive("m3")])
        ]
        await journal.open_lane(LANE, 1)
        await journal.claim("topsort", [claim("k", sequence) for sequence in sequences])
        for refused, heir in pairwise(sequences):
            await journal.settle(Settled(LANE, refused_owners=[("k", Owner(refused, 0))]))
            asked = [claim("k", heir), claim("k", heir, aside=True), claim("k", heir, force=True)]
            assert [f"m{heir}", None, None] == await journal.claim("topsort", asked)
        assert sequences[1:] == [row.sequence for row in await journal.asides("topsort", START, 10)]

    async def test_a_vacant_claim_goes_to_the_next(self, journal: Journal) -> None:
        """Where nobody can inherit, whoever asks next may go."""
        await journal.open_lane(LANE, 1)
        await journal.claim("topsort", [claim("k", 1)])
        await journal.settle(Settled(LANE, refused_owners=[("k", Owner(1, 0))]))
        assert [] == await journal.asides("topsort", START, 10)
        assert [None, "m2"] == await journal.claim("topsort", [claim("k", 2), claim("k", 1)])

    async def test_a_claim_that_yields_holds_nothing(self, journal: Journal) -> None:
        """It passes while nobody holds the claim, stands in nobody's way, and gives way to who does."""
        assert [None] == await journal.claim("topsort", [claim("k", 1, yields=True)])
        assert [None, None] == await journal.claim("topsort", [claim("k", 2, yields=True), claim("k", 3)])
        assert ["m3", "m3"] == await journal.claim("topsort", [claim("k", 1, yields=True), claim("k", 4)])
        assert [None] == await journal.claim("topsort", [claim("k", 5, yields=True, force=True)])
        assert ["m3"] == await journal.claim("topsort", [claim("k", 4)])

    async def test_force_takes_any_claim(self, journal: Journal) -> None:
        """A forced replay takes the claim over."""
        await journal.claim("topsort", [claim("k", 1)])
        assert [None] == await journal.claim("topsort", [claim("k", 2, force=True)])
        assert ["m2"] == await journal.claim("topsort", [claim("k", 1)])

    async def test_claims_of_an_event(self, journal: Journal) -> None:
        """An event's claims are listed, owned or not."""
        await journal.claim("topsort", [claim("k", 1), claim("l", 2), claim("l", 1)])
        assert {("k", "m1", True), ("l", "m2", False)} == set(await journal.claims_of("topsort", 1))

    async def test_the_copies_of_an_owner(self, journal: Journal) -> None:
        """An owner's claims tell which copies they held back; a copy's tell none."""
        await journal.claim("topsort", [claim("k", 1), claim("k", 2), claim("k", 3), claim("l", 1)])
        assert [("k", "m2"), ("k", "m3")] == sorted(await journal.copies_held_back("topsort", 1))
        assert [] == await journal.copies_held_back("topsort", 2)
        assert [] == await journal.copies_held_back("blueshift", 1)

    async def test_who_holds_a_claim_is_told_without_taking_it(self, journal: Journal) -> None:
        """A look-up names the holder for an event of that time, and changes nothing."""
        await journal.claim("topsort", [claim("k", 1)])
        for seconds, expected in ((0, "m1"), (9, "m1"), (-9, "m1"), (10, None)):
            at = START + seconds * SECOND
            assert expected == await journal.claim_holder("topsort", "k", at, 10 * SECOND)
        assert await journal.claim_holder("blueshift", "k", START, 10 * SECOND) is None
        assert [None] == await journal.claim("blueshift", [claim("k", 2)])

    async def test_claims_expire_after_both_windows(self, opens: OpenJournal, clock: Clock) -> None:
        """A claim goes once it is older than its own window and the dedup window together."""
        journal = await opens(dedup_window=timedelta(hours=1))
        future = START + timedelta(days=400)
        await journal.claim("topsort", [claim("k", 1), claim("later", 1, at=future)])
        await journal.claim("topsort", [claim("k", 2)])
        await journal.retain([], clock.move(minutes=60))
        assert ["m1"] == await journal.claim("topsort", [claim("k", 3)])
        await journal.retain([], clock.move(minutes=1))
        assert [] == await journal.claims_of("topsort", 1) + await journal.claims_of("topsort", 2)
        assert [None, None] == await journal.claim("topsort", [claim("k", 3), claim("later", 3, at=future)])


class TestAsides:
    """What is delivered out of order."""

    async def test_only_a_visitors_oldest_row_is_due(self, journal: Journal) -> None:
        """Order holds: what follows waits until what comes before is settled."""
        await journal.open_lane(LANE, 1)
        rows = [aside(3), aside(5, kind="later"), aside(4, visitor="w"), aside(6, kind="later")]
        await journal.settle(Settled(LANE, asides=rows))
        due = await journal.asides("topsort", START, 10)
        assert {3, 4} == {row.sequence for row in due}
        assert {"v": 3, "w": 1} == await journal.aside_visitors("topsort")
        first = next(row for row in due if row.sequence == 3)
        await journal.settle(Settled(LANE, totals={"delivered.x": 1}, done=[first.id]))
        assert {4, 5} == {row.sequence for row in await journal.asides("topsort", START, 10)}
        assert [] == await journal.asides("blueshift", START, 10)

    async def test_a_postponed_row_holds_its_visitor(self, journal: Journal) -> None:
        """A row to be tried again keeps when, how often and what; the ones behind it wait."""
        await journal.open_lane(LANE, 1)
        await journal.settle(Settled(LANE, asides=[aside(3), aside(4, kind="later")]))
        (row,) = await journal.asides("topsort", START, 10)
        row.due_at, row.attempts, row.index, row.reason = START + 60 * SECOND, 2, 1, "503"
        await journal.settle(Settled(LANE, postponed=[row]))
        assert [] == await journal.asides("topsort", START + 59 * SECOND, 10)
        assert START + 60 * SECOND == await journal.next_aside_at("topsort")
        assert [row] == await journal.asides("topsort", START + 60 * SECOND, 10)

    async def test_next_aside_at(self, journal: Journal) -> None:
        """With nothing set aside there is no next time."""
        assert None is await journal.next_aside_at("topsort")


class TestDeadLetters:
    """What a vendor refused."""

    async def test_are_listed_newest_first(self, journal: Journal) -> None:
        """Dead letters read back as written, page by page."""
        await journal.open_lane(LANE, 1)
        await journal.settle(Settled(LANE, dead_letters=[dead_letter(n) for n in (1, 2, 3)]))
        letters = await journal.dead_letters("topsort")
        assert [3, 2, 1] == [letter.sequence for letter in letters]
        assert dead_letter(3, id=letters[0].id) == letters[0]
        assert letters[1:] == await journal.dead_letters(before=letters[0].id)
        assert letters[0] == await journal.dead_letter(letters[0].id)
        assert ([], None) == (await journal.dead_letters("blueshift"), await journal.dead_letter(99))
        assert {"topsort": 3} == (await journal.status()).dead_letters

    async def test_replay_sets_aside_once(self, journal: Journal) -> None:
        """A replay is set aside beside the visitor's order; delivered, the dead letter goes."""
        await journal.open_lane(LANE, 1)
        await journal.settle(Settled(LANE, dead_letters=[dead_letter(1, index=2), dead_letter(2)]))
        newest, oldest = await journal.dead_letters()
        assert 1 == await journal.replay_dead_letters([oldest.id, 99], "topsort", force=True)
        assert 0 == await journal.replay_dead_letters([oldest.id], None)
        (row,) = await journal.asides("topsort", START, 10)
        assert ("replay", 1, 2, True, oldest.id, True, oldest.event) == (
            row.kind,
            row.sequence,
            row.index,
            row.only,
            row.dead_letter,
            row.force,
            row.event,
        )
        await journal.settle(Settled(LANE, done=[row.id], replayed=[oldest.id]))
        assert [newest] == await journal.dead_letters()
        assert [] == await journal.asides("topsort", START, 10)

    async def test_replay_all_of_a_destination(self, journal: Journal) -> None:
        """Without ids all of a destination are meant, and no other's."""
        await journal.open_lane(LANE, 1)
        letters = [dead_letter(1), dead_letter(2), dead_letter(1, destination="blueshift")]
        await journal.settle(Settled(LANE, dead_letters=letters))
        assert 2 == await journal.replay_dead_letters(None, "topsort")
        assert 2 == len(await journal.asides("topsort", START, 10))
        assert [] == await journal.asides("blueshift", START, 10)

    async def test_a_replay_refused_again_stays_one_dead_letter(self, journal: Journal) -> None:
        """A payload refused twice is one dead letter with the newer reason."""
        await journal.open_lane(LANE, 1)
        await journal.settle(Settled(LANE, dead_letters=[dead_letter(1)]))
        (letter,) = await journal.dead_letters()
        await journal.replay_dead_letters([letter.id], None)
        (row,) = await journal.asides("topsort", START, 10)
        await journal.settle(Settled(LANE, done=[row.id], dead_letters=[dead_letter(1, reason="still bad")]))
        (again,) = await journal.dead_letters()
        assert (letter.id, "still bad", 1) == (again.id, again.reason, again.replays)

    async def test_discard_lets_a_copy_inherit(self, journal: Journal, arrive: Arrive) -> None:
        """A dead letter that still owns its claim leaves it to the first suppressed copy."""
        one, two = await journal.append([arrive("m1"), arrive("m2")])
        await journal.open_lane(LANE, 1)
        await journal.settle(Settled(LANE, dead_letters=[dead_letter(one.sequence)]))
        await journal.claim("topsort", [claim("k", one.sequence), claim("k", two.sequence)])
        (letter,) = await journal.dead_letters()
        assert 1 == await journal.discard_dead_letters([letter.id], "topsort")
        assert ["m2"] == [row.message_id for row in await journal.asides("topsort", START, 10)]
        assert [] == await journal.dead_letters()


class TestQuarantine:
    """What the door refused."""

    async def test_keeps_what_was_refused(self, journal: Journal) -> None:
        """Refused events are listed newest first and can be released."""
        refusals = [
            Refusal("web", id_, "no_event", "why", b'{"a": ', START, channel)
            for id_, channel in [("a", None), (None, "webhook")]
        ]
        assert [] == await journal.append([], refusals)
        kept = await journal.quarantined()
        assert refusals[::-1] == [one.refusal for one in kept]
        assert kept[1:] == await journal.quarantined(before=kept[0].id, limit=1)
        assert kept[0] == await journal.quarantined_event(kept[0].id)
        assert 1 == await journal.release_quarantined([kept[0].id, 99])
        assert kept[1:] == await journal.quarantined()
        assert None is await journal.quarantined_event(kept[0].id)


class TestCommands:
    """A command line beside the gateway."""

    async def test_a_command_from_beside_is_noticed(self, journal: Journal, url: str) -> None:
        """A command left by another process wakes the gateway, which answers it."""
        client = await open_client(url)
        waiting = asyncio.create_task(journal.wait_commands())
        id_ = await client.submit(Command("dead_letters.replay", {"ids": [1, 2]}))
        async with asyncio.timeout(10):
            await waiting
        assert [Command("dead_letters.replay", {"ids": [1, 2]}, id=id_)] == await journal.commands()
        assert None is await client.command_result(id_)
        await journal.finish(id_, "2 replayed")
        assert "2 replayed" == await client.command_result(id_)
        assert [] == await journal.commands()
        await client.close()

    async def test_a_client_reads_what_the_gateway_wrote(
        self, journal: Journal, arrive: Arrive, url: str
    ) -> None:
        """A command line sees committed events at once, also by id, and the same status."""
        await journal.append([arrive("a"), arrive("b")])
        client = await open_client(url)
        assert ["a", "b"] == [event.message_id for event in await client.read(None, 0, 10)]
        assert [2] == [event.sequence for event in await client.find("b")]
        assert await journal.status() == await client.status()
        assert (4, await journal.head()) == (client.shards, await client.head())
        await client.close()


class TestRetention:
    """What goes, and what stays."""

    async def test_deletes_what_is_old_and_passed(
        self, opens: OpenJournal, arrive: Arrive, clock: Clock
    ) -> None:
        """An event goes when it is older than the retention and every lane is beyond it."""
        journal = await opens(retention=timedelta(days=1), dedup_window=timedelta(days=30))
        lanes = [LANE, Lane("blueshift", None)]
        for lane in lanes:
            await journal.open_lane(lane, 1)
        await journal.append([arrive(f"old{number}") for number in range(10)])
        clock.move(days=2)
        await journal.append([arrive("new")])
        await journal.settle(Settled(lanes[0], Position(12), 11))
        assert 0 == await journal.retain(lanes, clock())
        await journal.settle(Settled(lanes[1], Position(4), 3))
        assert 3 == await journal.retain(lanes, clock())
        await journal.settle(Settled(lanes[1], Position(12), 8))
        assert 7 == await journal.retain(lanes, clock())
        assert ["new"] == [event.message_id for event in await journal.read(None, 0, 100)]
        status = await journal.status()
        assert (1, dict.fromkeys(lanes, 0)) == (status.events, status.lags)

    async def test_a_shard_without_events_keeps_nobody_elses(
        self, opens: OpenJournal, arrive: Arrive, clock: Clock
    ) -> None:
        """Lanes stand at their own last event; one that waits for nothing does not hold retention up."""
        journal = await opens(retention=timedelta(days=1))
        lanes = [Lane("topsort", shard) for shard in range(4)]
        for lane in lanes:
            await journal.open_lane(lane, 1)
        await journal.append([arrive(visitor="v1", shard=1) for _ in range(3)])
        await journal.append([arrive(visitor="v2", shard=2)])
        clock.move(days=2)
        assert 0 == await journal.retain(lanes, clock())
        await journal.settle(Settled(lanes[1], Position(3), 2))
        assert 2 == await journal.retain(lanes, clock())
        await journal.settle(Settled(lanes[1], Position(4), 1))
        assert 1 == await journal.retain(lanes, clock())
        await journal.settle(Settled(lanes[2], Position(5), 1))
        assert 1 == await journal.retain(lanes, clock())

    async def test_marks_outlive_their_events(self, opens: OpenJournal, arrive: Arrive, clock: Clock) -> None:
        """A copy is still a duplicate after the original was deleted, also after a restart."""
        journal = await opens(retention=timedelta(days=1), dedup_window=timedelta(days=30))
        await journal.append([arrive("a")])
        assert 1 == await journal.retain([], clock.move(days=2))
        await journal.close()
        journal = await opens(retention=timedelta(days=1), dedup_window=timedelta(days=30))
        copy, new = await journal.append([arrive("a"), arrive("b")])
        assert (True, False, 2) == (copy.duplicate, new.duplicate, new.sequence)
        clock.move(days=30)
        await journal.retain([], clock())
        (anew,) = await journal.append([arrive("a")])
        assert not anew.duplicate

    async def test_sequences_are_never_given_again(
        self, opens: OpenJournal, arrive: Arrive, clock: Clock
    ) -> None:
        """A journal emptied by retention goes on counting after a restart."""
        journal = await opens(retention=timedelta(days=1))
        (last,) = await journal.append([arrive()])
        await journal.retain([], clock.move(days=20))
        await journal.close()
        journal = await opens(retention=timedelta(days=1))
        (new,) = await journal.append([arrive()])
        assert last.sequence < new.sequence

    async def test_quarantine_and_requests_expire(self, opens: OpenJournal, clock: Clock) -> None:
        """Refused events and request rows go with the retention."""
        journal = await opens(retention=timedelta(days=1))
        await journal.open_lane(LANE, 1)
        request = SentRequest(LANE, Owner(1, 0), Owner(1, 0), 1, "abc", START, 0.1, 204, "delivered", "")
        await journal.settle(Settled(LANE, request=request))
        await journal.append([], [Refusal("web", None, "x", "y", b"{}", START)])
        await journal.retain([LANE], clock.move(hours=23))
        assert (1, 1) == (len(await journal.requests(LANE, 1)), len(await journal.quarantined()))
        await journal.retain([LANE], clock.move(hours=2))
        assert ([], []) == (await journal.requests(LANE, 1), await journal.quarantined())


class TestClose:
    """The end."""

    async def test_finishes_what_was_asked(self, opens: OpenJournal, arrive: Arrive) -> None:
        """What was queued before close is durable and answered."""
        journal = await opens()
        asked = [asyncio.create_task(journal.append([arrive()])) for _ in range(20)]
        await asyncio.sleep(0)
        await journal.close()
        await journal.close()
        assert 20 == len(await asyncio.gather(*asked))
        journal = await opens()
        assert 20 == len(await journal.read(None, 0, 100))
