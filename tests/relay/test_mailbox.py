"""What a journal promises about mailboxes, written against the protocol alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import orjson

from crossdock.journal import open_client
from crossdock.journal.base import Journal, Leased, Mail, MailAnswer

from .conftest import DESTINATION, START, Clock

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def mail(sequence: int, *, index: int = 0, **changes: Any) -> Mail:
    """Make a command that waits for a day."""
    fields: dict[str, Any] = {
        "destination": DESTINATION,
        "visitor": "anon",
        "message_id": f"m{sequence}",
        "action": "track",
        "command": orjson.dumps(["track", f"Event {sequence}"]),
        "queued_at": START,
        "expires_at": START + DAY,
    }
    return Mail(sequence=sequence, index=index, **fields | changes)


async def leased(
    journal: Journal, clock: Clock, *, visitor: str = "anon", destination: str = DESTINATION, limit: int = 25
) -> Leased:
    """Lease what waits, for a minute."""
    now = clock()
    return await journal.lease_mail({destination}, visitor, now, until=now + MINUTE, limit=limit)


async def sequences(journal: Journal, clock: Clock, **how: Any) -> list[int]:
    """Lease, and give which events the commands are of."""
    return [one.sequence for one in (await leased(journal, clock, **how)).mails]


async def answered(journal: Journal, clock: Clock, mails: Sequence[Mail], outcome: Any = "fired") -> Any:
    """Answer commands that were handed out."""
    answers = [MailAnswer(one.id, outcome) for one in mails]
    return await journal.settle_mail({DESTINATION}, "anon", answers, clock())


async def totals(journal: Journal) -> dict[str, int]:
    """Add up the destination's totals."""
    added: dict[str, int] = {}
    for cursor in (await journal.status()).cursors:
        for name, times in cursor.totals.items():
            added[name] = added.get(name, 0) + times
    return added


async def states(journal: Journal, *numbers: int) -> list[str]:
    """Give the states of events' commands."""
    return [one.state for n in numbers for one in await journal.mailbox_of(DESTINATION, n)]


async def test_commands_come_in_order_to_their_own_visitor(journal: Journal, clock: Clock) -> None:
    """First in, first out, and nobody gets another's."""
    await journal.put_mail([mail(1), mail(2, visitor="other"), mail(2, index=1), mail(5)], 100)
    found = (await leased(journal, clock)).mails
    assert [(1, 0), (2, 1), (5, 0)] == [(one.sequence, one.index) for one in found]
    assert sorted(one.seq for one in found) == [one.seq for one in found]
    assert [2] == await sequences(journal, clock, visitor="other")
    assert [] == await sequences(journal, clock, visitor="nobody")
    assert b'["track","Event 1"]' == found[0].command


async def test_a_second_put_changes_nothing(journal: Journal, clock: Clock) -> None:
    """A batch that is delivered again after a crash is in the mailbox once, also after it was settled."""
    await journal.put_mail([mail(1)], 100)
    await journal.put_mail([mail(1, queued_at=START + MINUTE)], 100)
    found = (await leased(journal, clock)).mails
    assert 1 == len(found)
    await answered(journal, clock, found)
    await journal.put_mail([mail(1)], 100)
    assert [] == await sequences(journal, clock)
    assert ["fired"] == await states(journal, 1)


async def test_two_pages_never_hold_the_same_command(journal: Journal, clock: Clock) -> None:
    """Nor does one get later commands while another has not answered earlier ones."""
    await journal.put_mail([mail(1)], 100)
    both = await asyncio.gather(leased(journal, clock), leased(journal, clock))
    assert [0, 1] == sorted(len(one.mails) for one in both)
    await journal.put_mail([mail(2)], 100)
    second = await leased(journal, clock)
    assert ([], START + MINUTE) == second
    await answered(journal, clock, [one for page in both for one in page.mails])
    assert [2] == await sequences(journal, clock)


async def test_a_lease_without_answer_ends(journal: Journal, clock: Clock) -> None:
    """The commands wait again, with the same ids, in the same order."""
    await journal.put_mail([mail(1), mail(2)], 100)
    first = (await leased(journal, clock)).mails
    clock.move(seconds=59)
    assert [] == await sequences(journal, clock)
    clock.move(seconds=1)
    again = (await leased(journal, clock)).mails
    assert [one.id for one in first] == [one.id for one in again]
    assert [2, 2] == [one.leases for one in again]


async def test_a_page_takes_so_many_at_once(journal: Journal, clock: Clock) -> None:
    """The rest waits for its answer."""
    await journal.put_mail([mail(n) for n in range(1, 5)], 100)
    first = (await leased(journal, clock, limit=3)).mails
    assert 3 == len(first)
    assert [] == await sequences(journal, clock)
    await answered(journal, clock, first)
    assert [4] == await sequences(journal, clock)


async def test_answers_are_counted_once(journal: Journal, clock: Clock) -> None:
    """Each under its own name, in the destination's totals; a second answer is passed over."""
    await journal.put_mail([mail(1), mail(2), mail(3, action="trackProduct")], 100)
    one, two, three = (await leased(journal, clock)).mails
    answers = [
        MailAnswer(one.id, "fired"),
        MailAnswer(two.id, "unmatched"),
        MailAnswer(three.id, "error", "it threw"),
    ]
    counted = await journal.settle_mail({DESTINATION}, "anon", answers, clock())
    assert {DESTINATION: {"fired.track": 1, "unmatched.track": 1, "error.trackProduct": 1}} == counted
    assert {} == await answered(journal, clock, [one, two, three])
    assert counted[DESTINATION] == await totals(journal)
    assert ["fired", "unmatched", "error"] == await states(journal, 1, 2, 3)
    assert "it threw" == (await journal.mailbox_of(DESTINATION, 3))[0].reason


async def test_only_the_holder_answers(journal: Journal, clock: Clock) -> None:
    """Not another visitor, not for another destination, and not before it was handed out."""
    await journal.put_mail([mail(1)], 100)
    (waiting,) = await journal.mailbox_of(DESTINATION, 1)
    assert {} == await answered(journal, clock, [waiting])
    (held,) = (await leased(journal, clock)).mails
    fired = [MailAnswer(held.id, "fired"), MailAnswer("no such id", "fired")]
    assert {} == await journal.settle_mail({DESTINATION}, "other", fired, clock())
    assert {} == await journal.settle_mail({"another"}, "anon", fired, clock())
    assert ["queued"] == await states(journal, 1)


async def test_a_full_mailbox_loses_its_oldest(journal: Journal, clock: Clock) -> None:
    """Those without order and revenue first, and each loss is counted."""
    precious = [mail(n, precious=True) for n in (1, 2)]
    assert {} == await journal.put_mail([*precious, mail(3), mail(4)], 4)
    assert {DESTINATION: {"overflow.track": 1}} == await journal.put_mail([mail(5)], 4)
    assert ["queued", "queued", "overflow", "queued", "queued"] == await states(journal, 1, 2, 3, 4, 5)
    await journal.put_mail([mail(n, precious=True) for n in (6, 7, 8)], 4)
    assert [2, 6, 7, 8] == await sequences(journal, clock)
    assert {"overflow.track": 4} == await totals(journal)


async def test_what_a_page_holds_is_not_lost(journal: Journal, clock: Clock) -> None:
    """It may have been carried out already."""
    await journal.put_mail([mail(1), mail(2)], 2)
    held = (await leased(journal, clock, limit=1)).mails
    await journal.put_mail([mail(3)], 2)
    assert ["queued", "overflow", "queued"] == await states(journal, 1, 2, 3)
    await answered(journal, clock, held)
    assert ["fired"] == await states(journal, 1)


async def test_what_is_not_picked_up_expires(journal: Journal, clock: Clock) -> None:
    """It is handed out no more from that moment on, and once given up it is counted."""
    await journal.put_mail([mail(1), mail(2, expires_at=START + 2 * DAY)], 100)
    clock.move(days=1)
    assert [2] == await sequences(journal, clock)
    assert ["queued"] == await states(journal, 1)
    assert {DESTINATION: {"expired.track": 1}} == await journal.expire_mail(clock())
    assert {} == await journal.expire_mail(clock())
    assert ["expired", "queued"] == await states(journal, 1, 2)
    assert {"expired.track": 1} == await totals(journal)


async def test_what_a_page_holds_does_not_expire(journal: Journal, clock: Clock) -> None:
    """Its answer counts, though the time is over; without one it expires with the lease."""
    await journal.put_mail([mail(1), mail(2)], 100)
    clock.move(hours=23, minutes=59, seconds=30)
    held = (await leased(journal, clock)).mails
    clock.move(seconds=40)
    assert {} == await journal.expire_mail(clock())
    await answered(journal, clock, held[:1])
    clock.move(seconds=20)
    assert {DESTINATION: {"expired.track": 1}} == await journal.expire_mail(clock())
    assert ["fired", "expired"] == await states(journal, 1, 2)


async def test_a_bell_rings_for_its_visitor(journal: Journal, clock: Clock) -> None:
    """When mail comes, and when another page's answers free what waits behind."""
    with journal.mail_bell("anon") as bell, journal.mail_bell("other") as silent:
        await journal.put_mail([mail(1)], 100)
        assert bell.is_set()
        bell.clear()
        await answered(journal, clock, (await leased(journal, clock)).mails)
        assert bell.is_set()
        assert not silent.is_set()
    with journal.mail_bell("anon") as later:
        assert not later.is_set()


async def test_settled_mail_goes_with_retention(journal: Journal, clock: Clock) -> None:
    """What waits stays until it expires."""
    await journal.put_mail([mail(1), mail(2, visitor="b", expires_at=START + 30 * DAY)], 100)
    await answered(journal, clock, (await leased(journal, clock)).mails)
    await journal.retain([], clock.move(days=6))
    assert ["fired", "queued"] == await states(journal, 1, 2)
    await journal.retain([], clock.move(days=2))
    assert ["queued"] == await states(journal, 1, 2)


async def test_a_command_line_sees_the_mailbox(journal: Journal) -> None:
    """Beside the running gateway."""
    await journal.put_mail([mail(1)], 100)
    client = await open_client(str(journal.url))  # type: ignore[attr-defined]  # SQLite's own
    try:
        assert await journal.mailbox_of(DESTINATION, 1) == await client.mailbox_of(DESTINATION, 1)
    finally:
        await client.close()


async def test_ids_are_never_given_twice(journal: Journal) -> None:
    """A browser remembers them, and a journal made anew counts its events from 1 again."""
    await journal.put_mail([mail(1), mail(1, index=1), mail(2, queued_at=START + MINUTE)], 100)
    ids = {one.id for n in (1, 2) for one in await journal.mailbox_of(DESTINATION, n)}
    assert 3 == len(ids)
