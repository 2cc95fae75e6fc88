"""
The events a lane has read and not yet settled, and what settling them will say.

Pure bookkeeping: which payloads are owed in order, how far the cursor may move, and what totals and
exceptions go into the write that moves it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from crossdock.delivery.plan import Owed, Plan
from crossdock.journal.base import Aside, DeadLetter, Lane, Owner, Position, SentRequest, Settled, Stored


@dataclass(slots=True)
class Pending:
    """One event on its way: its plan, and how many of the owed payloads are settled."""

    stored: Stored
    made: Plan
    dead_letters: list[DeadLetter] = field(default_factory=list)
    """Of payloads that were never sent; written when the cursor passes the event."""
    refused_owners: list[tuple[str, Owner]] = field(default_factory=list)
    asides: list[Aside] = field(default_factory=list)
    settled: int = 0


class Window:
    """What lies between a lane's durable cursor and the last event it has read."""

    def __init__(self, lane: Lane, position: Position) -> None:
        self.lane = lane
        self.read_from = position.sequence
        """The next sequence to read."""
        self._skip_below = position.payload_index
        self._events: deque[Pending] = deque()
        self._owed = 0
        self._totals: Counter[str] = Counter()
        self._passed: list[int] = []
        self._dead_letters: list[DeadLetter] = []
        self._refused_owners: list[tuple[str, Owner]] = []
        self._asides: list[Aside] = []

    def __len__(self) -> int:
        return len(self._events)

    @property
    def owed_count(self) -> int:
        """How many payloads are owed."""
        return self._owed

    @property
    def unsettled(self) -> int:
        """How many events the cursor could already move past."""
        return len(self._passed)

    def add(self, pending: Pending) -> None:
        """Take in the next event read; payloads the cursor lies behind are not owed again."""
        if self._skip_below and pending.stored.sequence == self.read_from:
            made = pending.made
            made.owed = [one for one in made.owed if one.payload.index >= self._skip_below]
        self._skip_below = 0
        self.read_from = pending.stored.sequence + 1
        self._owed += len(pending.made.owed)
        self._events.append(pending)
        self._pass_finished()

    def owed(self) -> Iterator[Owed]:
        """Give the payloads owed, in order."""
        for pending in self._events:
            owed = pending.made.owed
            if pending.settled:
                yield from owed[pending.settled :]
            else:
                yield from owed

    def head(self) -> Pending | None:
        """Give the event whose payload is owed next."""
        return self._events[0] if self._events else None

    def count(self, outcome: str, action: str, times: int = 1) -> None:
        """Add to the totals the next write carries."""
        self._totals[f"{outcome}.{action}"] += times

    def settle(self, payloads: int) -> None:
        """Note that the next so many owed payloads are settled."""
        self._owed -= payloads
        for pending in self._events:
            if not payloads:
                break
            step = min(payloads, len(pending.made.owed) - pending.settled)
            pending.settled += step
            payloads -= step
        self._pass_finished()

    def settle_refused(self, letter: DeadLetter) -> None:
        """
        Note that the next owed payload became a dead letter.

        The cursor may move past it before it passes the event, so the letter goes along with the next write.
        """
        pending = self._events[0]
        claim = pending.made.owed[pending.settled].claim
        self._dead_letters.append(letter)
        if claim is not None:
            self._refused_owners.append((claim.key, claim.owner))
        self.settle(1)

    def set_aside(self, pending: Pending, aside: Aside) -> None:
        """Owe nothing more of an event here: it goes its own way."""
        self._owed -= len(pending.made.owed) - pending.settled
        del pending.made.owed[pending.settled :]
        pending.asides.append(aside)

    def erase(self, sequences: Collection[int]) -> list[Aside]:
        """
        Owe nothing of events that were erased, and write nothing of them; gives what was set aside of them.

        They are passed like others; between two requests only, as a request in flight is settled in order.
        """
        removed = [aside for aside in self._asides if aside.sequence in sequences]
        self._asides = [aside for aside in self._asides if aside.sequence not in sequences]
        self._dead_letters = [one for one in self._dead_letters if one.sequence not in sequences]
        for pending in self._events:
            if pending.stored.sequence in sequences:
                self._owed -= len(pending.made.owed) - pending.settled
                del pending.made.owed[pending.settled :]
                removed += pending.asides
                pending.asides, pending.dead_letters = [], []
        self._pass_finished()
        return removed

    def events(self) -> tuple[Pending, ...]:
        """Give every event not yet passed, in order."""
        return tuple(self._events)

    def pass_finished(self) -> None:
        """Move past every event at the front that owes nothing more."""
        self._pass_finished()

    def settlement(self, request: SentRequest | None = None) -> Settled:
        """Give what the next write says, and begin a new account."""
        settled = Settled(
            lane=self.lane,
            position=self._position(),
            passed=len(self._passed),
            sequences=self._passed,
            totals=dict(self._totals),
            request=request,
            dead_letters=tuple(self._dead_letters),
            refused_owners=tuple(self._refused_owners),
            asides=tuple(self._asides),
        )
        self._totals = Counter()
        self._passed = []
        self._dead_letters, self._refused_owners, self._asides = [], [], []
        return settled

    def _position(self) -> Position:
        if not self._events:
            return Position(self.read_from, self._skip_below)
        pending = self._events[0]
        if pending.settled == 0:
            return Position(pending.stored.sequence, self._head_index(pending))
        return Position(pending.stored.sequence, pending.made.owed[pending.settled].payload.index)

    @staticmethod
    def _head_index(pending: Pending) -> int:
        # Payloads before the first owed one were settled earlier, or are not owed at all.
        return pending.made.owed[0].payload.index if pending.made.owed else 0

    def _pass_finished(self) -> None:
        events = self._events
        while events and events[0].settled >= len(events[0].made.owed):
            pending = events.popleft()
            made = pending.made
            for reason, times in made.skipped.items():
                self._totals[f"skipped.{reason}"] += times
            for action, times in made.suppressed.items():
                self._totals[f"suppressed.{action}"] += times
            self._dead_letters += pending.dead_letters
            self._refused_owners += pending.refused_owners
            self._asides += pending.asides
            self._passed.append(pending.stored.sequence)


def visitor_of(stored: Stored) -> str:
    """Give the visitor whose order is kept."""
    document = stored.document
    return str(document.get("anonymousId") or document.get("userId") or stored.message_id)
