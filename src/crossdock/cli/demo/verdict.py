"""What came of the demo: every count beside the one the story makes due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crossdock.cli.demo.owed import Account, owed, settle
from crossdock.cli.demo.play import Told
from crossdock.journal.base import JournalStatus
from crossdock.simulators import Simulator


@dataclass(frozen=True, slots=True)
class Count:
    """One number and the number it should be; `due` is ``None`` where any will do."""

    actual: int
    due: int | None = None

    @property
    def right(self) -> bool:
        """The number is what it should be."""
        return self.due is None or self.actual == self.due


@dataclass(slots=True)
class Vendor:
    """What one vendor's simulator says."""

    accounts: dict[str, Account]
    suppressed: int
    violations: list[str]
    duplicates: int
    dead_letters: int

    @property
    def right(self) -> bool:
        """Everything owed came once, and no request was one the vendor would refuse."""
        faults = self.violations or self.duplicates or self.dead_letters
        return not faults and all(account.right for account in self.accounts.values())


@dataclass(slots=True)
class Verdict:
    """The whole outcome."""

    door: dict[str, Count]
    vendors: dict[str, Vendor]
    settled: bool
    """Whether the gateway had nothing left to deliver."""
    unanswered: dict[int, int] = field(default_factory=dict)
    """Requests answered other than 200, by status."""

    @property
    def right(self) -> bool:
        """Whether the demo may exit 0."""
        counts = all(count.right for count in self.door.values())
        return counts and self.settled and not self.unanswered and all(v.right for v in self.vendors.values())


def judge(
    told: Told,
    status: JournalStatus,
    vendors: Mapping[str, dict[str, Any]],
    running: Mapping[str, Simulator],
    *,
    settled: bool,
) -> Verdict:
    """Hold what the gateway and the simulators say against what the story makes due."""
    fates = told.fates()
    totals = status.sources.values()
    door = {
        "sent": Count(len(told.messages)),
        "accepted": Count(sum(t.accepted for t in totals), fates["accepted"]),
        "duplicates dropped": Count(sum(t.duplicates for t in totals), fates["duplicate"]),
        "refused": Count(sum(t.refused for t in totals), fates["refused"]),
    }
    judged = {name: _vendor(name, vendors[name], running[name], told, status) for name in vendors}
    unanswered = {code: times for code, times in told.answers.items() if code != 200}
    return Verdict(door, judged, settled, unanswered)


def _vendor(
    name: str, expectation: dict[str, Any], simulator: Simulator, told: Told, status: JournalStatus
) -> Vendor:
    due = owed(expectation["owes"], told.messages)
    stored = {kind: simulator.received(kind) for kind in simulator.kinds}
    totals: Counter[str] = Counter()
    for cursor in status.cursors:
        if cursor.lane.destination == name:
            totals.update(cursor.totals)
    suppressed = sum(times for key, times in totals.items() if key.startswith("suppressed."))
    return Vendor(
        accounts=settle(due, stored),
        suppressed=suppressed,
        violations=[violation.reason for violation in simulator.violations],
        # Commands for a browser carry no id: equal ones are of different shoppers, and counted by `settle`.
        duplicates=0 if "transport" in expectation else simulator.duplicates.total(),
        dead_letters=status.dead_letters.get(name, 0),
    )
