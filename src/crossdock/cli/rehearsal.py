"""
`crossdock try --last` and `--since`: what other mappings or settings would change, on stored real events.

Payloads of an event are held against each other by action, in order: the first click against the first click.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import zip_longest
from operator import itemgetter
from typing import Any, Final, Literal, NamedTuple

from crossdock.cli.terminal import json_or_text
from crossdock.delivery.plan import Owed, Refused, Route, plan
from crossdock.journal.base import JournalReader, Stored

Change = Literal["changed", "new", "vanished", "newly invalid", "mended"]
CHANGES: Final[tuple[Change, ...]] = ("newly invalid", "changed", "vanished", "new", "mended")
SAMPLES: Final = 3
"""Events shown of each kind of change."""
_PAGE: Final = 500


class Difference(NamedTuple):
    """One field that differs; a side without it is ``None``."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Sample:
    """One event that a change shows on."""

    message_id: str
    event: str
    action: str
    reason: str | None = None
    """Why the payload would be refused."""
    differences: tuple[Difference, ...] = ()


@dataclass(slots=True)
class Compared:
    """What would change for one destination."""

    in_force: str | None
    """The mapping's version; ``None``: the destination would be new."""
    tried: str | None
    """``None``: the destination would go."""
    unchanged: int = 0
    changes: Counter[Change] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    """How often each field differs, over all changed payloads."""
    samples: dict[Change, list[Sample]] = field(default_factory=dict)

    def add(self, change: Change, sample: Sample) -> None:
        """Count a change and keep it as a sample while there are few."""
        self.changes[change] += 1
        self.fields.update({one.field for one in sample.differences})
        kept = self.samples.setdefault(change, [])
        if len(kept) < SAMPLES:
            kept.append(sample)


@dataclass(slots=True)
class Rehearsal:
    """What would change on the events looked at."""

    events: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None
    destinations: dict[str, Compared] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0: nothing would change; 3: something would; 1: a payload would become invalid."""
        changes = sum((one.changes for one in self.destinations.values()), Counter[Change]())
        return 1 if changes["newly invalid"] else 3 if changes else 0


async def stored_events(
    journal: JournalReader, last: int | None, since: datetime | None
) -> AsyncIterator[Stored]:
    """Read the journal's last so many events, or those since a time, oldest first, in pages."""
    head = await journal.head()
    if since is not None:
        async for event in _from(journal, await journal.sequence_at(since), head):
            yield event
        return
    wanted = back = last or 0
    while True:
        # Sequences may have gaps: where they hide some of the events asked for, go further back.
        start = max(1, head - back)
        newest = deque([event async for event in _from(journal, start, head)], wanted)
        if len(newest) == wanted or start == 1:
            break
        back *= 2
    for event in newest:
        yield event


async def _from(journal: JournalReader, start: int, head: int) -> AsyncIterator[Stored]:
    while start < head and (page := await journal.read(None, start, _PAGE)):
        for event in page:
            yield event
        start = page[-1].sequence + 1


async def compare(
    events: AsyncIterator[Stored], in_force: Mapping[str, Route], tried: Mapping[str, Route]
) -> Rehearsal:
    """Plan each event by both and add up what differs."""
    names = dict.fromkeys((*in_force, *tried))
    found = Rehearsal()
    found.destinations = {
        name: Compared(_version(in_force.get(name)), _version(tried.get(name))) for name in names
    }
    async for event in events:
        found.events += 1
        found.oldest = found.oldest or event.received_at
        found.newest = event.received_at
        for name in names:
            _compare(found.destinations[name], event, in_force.get(name), tried.get(name))
    return found


def _version(route: Route | None) -> str | None:
    return None if route is None else route.mapping.version


class _Made(NamedTuple):
    """One payload by one side."""

    action: str
    payload: Any
    once: tuple[str, float] | None = None
    refused: str | None = None

    @classmethod
    def of(cls, made: Owed | Refused) -> _Made:
        if isinstance(made, Refused):
            return cls(made.action, None, refused=made.reason)
        claim = made.claim
        once = None if claim is None else (claim.key, claim.within.total_seconds())
        return cls(made.payload.action, made.payload.body, once)


def _compare(into: Compared, event: Stored, in_force: Route | None, tried: Route | None) -> None:
    before, after = _made(in_force, event), _made(tried, event)
    if before == after:
        into.unchanged += sum(len(made) for made in before.values())
        return
    for action in dict.fromkeys((*before, *after)):
        for old, new in zip_longest(before.get(action, ()), after.get(action, ())):
            _pair(into, event, old, new)


def _made(route: Route | None, event: Stored) -> dict[str, list[_Made]]:
    found: dict[str, list[_Made]] = {}
    if route is not None:
        made = plan(route, event)
        placed = [(one.payload.index, _Made.of(one)) for one in made.owed]
        placed += [(one.index, _Made.of(one)) for one in made.refused]
        for _, each in sorted(placed, key=itemgetter(0)):
            found.setdefault(each.action, []).append(each)
    return found


def _pair(into: Compared, event: Stored, old: _Made | None, new: _Made | None) -> None:
    if old == new:
        into.unchanged += 1
        return
    change = _change(old, new)
    if change is None:
        into.unchanged += 1
        return
    differences = tuple(_differences(old, new)) if change == "changed" and old and new else ()
    name = event.document.get("event") or event.document.get("name") or ""
    told = f"{event.document.get('type')} {name}".strip()
    one = new or old
    into.add(
        change,
        Sample(event.message_id, told, one.action if one else "", new.refused if new else None, differences),
    )


def _change(old: _Made | None, new: _Made | None) -> Change | None:
    if new is not None and new.refused is not None:
        return "newly invalid" if old is None or old.refused is None else None
    if new is None:
        return None if old is None or old.refused is not None else "vanished"
    if old is None:
        return "new"
    return "mended" if old.refused is not None else "changed"


def _differences(old: _Made, new: _Made) -> Iterator[Difference]:
    yield from _between("", json_or_text(old.payload), json_or_text(new.payload))
    if old.once != new.once:
        yield Difference("once", old.once, new.once)


def _between(name: str, old: Any, new: Any) -> Iterator[Difference]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            yield from _between(f"{name}.{key}" if name else key, old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _between(f"{name}.{place}", one, other)
    elif old != new:
        yield Difference(name, old, new)
