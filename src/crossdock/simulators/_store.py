"""What a simulator received, kept small: JSON bytes in order of arrival, counters, and ids as numbers."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import orjson

VIOLATIONS_KEPT = 1000
"""Violations beyond this are only counted."""


class Event(NamedTuple):
    """One entry of a request: its kind in the vendor's words, what makes it unique, and itself."""

    kind: str
    key: str
    value: Any


class Received(NamedTuple):
    """An event that was stored; `order` counts all kinds together, from 1."""

    order: int
    kind: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Violation:
    """A request the vendor would have refused, and why."""

    reason: str
    request: str
    """The beginning of its body."""


class Store:
    """
    Events, counters and violations; *keep* bounds the events held, never the counters.

    With *repeats* an event that comes again is held again, as a vendor does that recognises none.
    """

    def __init__(self, *, keep: bool | int = True, repeats: bool = False) -> None:
        self._keep = keep
        self._repeats = repeats
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.events: deque[Received] = deque(maxlen=None if self._keep is True else int(self._keep))
        self.counts: Counter[str] = Counter()
        self.duplicates: Counter[tuple[str, str]] = Counter()
        self.answers: Counter[int] = Counter()
        self.violations: deque[Violation] = deque(maxlen=VIOLATIONS_KEPT)
        self.violation_count = 0
        self.order = 0
        # 64-bit hashes instead of ids: 5 million of them clash with a chance below one in a million.
        self._seen: set[int] = set()

    def add(self, events: Iterable[Event]) -> None:
        """Store what is new and count what was there before: the first of a kind and key wins."""
        for event in events:
            key = hash((event.kind, event.key))
            if key in self._seen:
                self.duplicates[event.kind, event.key] += 1
                if not self._repeats:
                    continue
            else:
                self._seen.add(key)
                self.counts[event.kind] += 1
            self.order += 1
            if self._keep:
                self.events.append(Received(self.order, event.kind, orjson.dumps(event.value)))

    def violate(self, reason: str, body: bytes) -> None:
        """Remember a request that broke the vendor's rules."""
        self.violation_count += 1
        self.violations.append(Violation(reason, body[:10_000].decode("utf-8", "replace")))

    def read(self, kind: str | None = None) -> Iterator[Received]:
        """Give the events held, in order of arrival."""
        return (event for event in self.events if kind is None or event.kind == kind)

    def page(self, kind: str | None, after: int, limit: int) -> list[Received]:
        """Give up to *limit* events whose order is above *after*."""
        return list(islice((event for event in self.read(kind) if event.order > after), limit))
