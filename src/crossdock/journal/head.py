"""
The head of the journal in memory: the newest events, decoded once for every lane that is near.

It holds every committed event from `floor` on, so a read from there never needs SQL, and a read from before
never uses it. Bounded by count and by bytes of JSON. Used in the event loop's thread only.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import deque
from collections.abc import Collection, Mapping
from operator import attrgetter
from typing import Final

from crossdock.errors import JournalUnavailable
from crossdock.journal.base import Stored

EVENTS: Final = 4096
BYTES: Final = 8 << 20
"""Of JSON; decoded it takes about five times as much."""
_SEQUENCE: Final = attrgetter("sequence")


class _Row:
    """Events in order: a list that forgets its front without moving the rest each time."""

    def __init__(self) -> None:
        self.events: list[Stored] = []
        self.first = 0

    def drop(self) -> None:
        self.first += 1
        if self.first > 64 and self.first * 4 > len(self.events):
            del self.events[: self.first]
            self.first = 0

    def since(self, start: int, limit: int) -> list[Stored]:
        place = bisect_left(self.events, start, lo=self.first, key=_SEQUENCE)
        return self.events[place : place + limit]


class Head:
    """The newest events, and who waits for newer ones."""

    def __init__(
        self, newest: list[int], next_sequence: int, events: int = EVENTS, bytes_: int = BYTES
    ) -> None:
        self.floor = next_sequence
        self.next = next_sequence
        """A sequence above every event committed."""
        self._events, self._bytes = events, bytes_
        self._size = 0
        self._rows = [_Row() for _ in newest]
        self._all = _Row()
        self._sizes: deque[int] = deque()
        self._newest: dict[int | None, int] = {None: max(newest), **dict(enumerate(newest))}
        self._waiting: dict[int | None, list[asyncio.Future[None]]] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._sizes)

    def push(self, events: list[Stored], sizes: list[int]) -> None:
        """Take in events just committed, in order, and wake the lanes that wait for them."""
        if not events:
            return
        shards: set[int | None] = {None}
        for event in events:
            self._rows[event.shard].events.append(event)
            self._newest[event.shard] = event.sequence
            shards.add(event.shard)
        self._all.events.extend(events)
        self._sizes.extend(sizes)
        self._size += sum(sizes)
        self._newest[None] = events[-1].sequence
        self.next = events[-1].sequence + 1
        while len(self._sizes) > self._events or self._size > self._bytes:
            self._drop_oldest()
        for shard in shards & self._waiting.keys():
            _ring(self._waiting.pop(shard))

    def _drop_oldest(self) -> None:
        oldest = self._all.events[self._all.first]
        self._all.drop()
        self._rows[oldest.shard].drop()
        self._size -= self._sizes.popleft()
        self.floor = oldest.sequence + 1

    def drop_up_to(self, sequence: int) -> None:
        """Forget events that were deleted."""
        while self._sizes and self._all.events[self._all.first].sequence <= sequence:
            self._drop_oldest()

    def forget(self, sequences: Collection[int], newest: Mapping[int | None, int]) -> None:
        """Forget events in the middle; `newest` says which are the last ones left."""
        erased = set(sequences)
        for shard, sequence in newest.items():
            # A newer one that came meanwhile stays: a lane that waits for what is gone would never sleep.
            if self._newest[shard] in erased:
                self._newest[shard] = sequence
        kept = [
            (event, size)
            for event, size in zip(self._all.events[self._all.first :], self._sizes, strict=True)
            if event.sequence not in erased
        ]
        if len(kept) == len(self._sizes):
            return
        self._rows, self._all, self._sizes, self._size = [_Row() for _ in self._rows], _Row(), deque(), 0
        for event, size in kept:
            self._rows[event.shard].events.append(event)
            self._all.events.append(event)
            self._sizes.append(size)
            self._size += size

    def read(self, shard: int | None, start: int, limit: int) -> list[Stored]:
        """Give events from `start` on, which must not lie below `floor`."""
        return (self._all if shard is None else self._rows[shard]).since(start, limit)

    async def wait(self, shard: int | None, start: int) -> None:
        """Return once an event of the shard stands at `start` or later."""
        while self._newest[shard] < start:
            if self._closed:
                raise JournalUnavailable("the journal is closed")
            bell = asyncio.get_running_loop().create_future()
            bells = self._waiting.setdefault(shard, [])
            bells.append(bell)
            try:
                await bell
            finally:
                # A lane that gave up waiting must not leave its bell behind.
                if bell in bells:
                    bells.remove(bell)

    def close(self) -> None:
        """Wake whoever waits: there will be no more."""
        self._closed = True
        for waiting in self._waiting.values():
            _ring(waiting)


def _ring(bells: list[asyncio.Future[None]]) -> None:
    for bell in bells:
        if not bell.done():
            bell.set_result(None)
