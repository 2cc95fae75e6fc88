"""
What the story owes to a vendor, held against what the vendor's simulator stored.

This knows neither mappings nor presets: it is the independent witness of `crossdock demo`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from crossdock.cli.demo.story import Message, fill, stamp

_TIME_TOLERANCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Owed:
    """One event a vendor must store exactly once."""

    kind: str
    what: str
    candidates: tuple[dict[str, Any], ...]
    """What it holds, one for each message that may have caused it."""

    def matches(self, stored: Any) -> bool:
        """Tell whether a stored event is this one."""
        return any(
            all(_same(value, _at(stored, path)) for path, value in holds.items()) for holds in self.candidates
        )


@dataclass(slots=True)
class Account:
    """One kind of a vendor's events: what was owed and what came."""

    owed: int = 0
    delivered: int = 0
    missing: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    surplus: int = 0
    """Stored events that nobody owed."""

    @property
    def right(self) -> bool:
        """Exactly what was owed came, once each."""
        return not self.missing and not self.doubled and not self.surplus


def owed(entries: Iterable[dict[str, Any]], messages: Iterable[Message]) -> list[Owed]:
    """
    Work out what a vendor is owed for the messages that were sent.

    Of an entry's `any_of` one step counts, of its `each_of` every one.
    """
    valid = [message for message in messages if message.fate == "accepted"]
    shoppers = dict.fromkeys(message.shopper for message in valid)
    return [
        one
        for entry in entries
        for steps in ([entry["any_of"]] if "any_of" in entry else [[step] for step in entry["each_of"]])
        for shopper in shoppers
        if (one := _owed(entry, steps, shopper, valid))
    ]


def _owed(
    entry: dict[str, Any], steps: Collection[str], shopper: str, messages: Sequence[Message]
) -> Owed | None:
    causes = [m for m in messages if m.shopper == shopper and m.step.name in steps]
    candidates = tuple(_filled(entry["holds"], message) for message in causes)
    return Owed(entry["kind"], f"{shopper}: {causes[0].step.name}", candidates) if causes else None


def _filled(holds: dict[str, Any], message: Message) -> dict[str, Any]:
    filled: dict[str, Any] = fill(
        holds,
        shopper=message.shopper,
        message_id=message.message_id,
        message_uuid=_uuid(message.message_id),
        anonymous_id=f"anonymous-{message.shopper}",
        anonymous_uuid=_uuid(f"anonymous-{message.shopper}"),
        user_id=f"user-{message.shopper}",
        time=stamp(message.happened_at),
    )
    return filled


def _uuid(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, name))


def settle(due: Iterable[Owed], stored: dict[str, list[Any]]) -> dict[str, Account]:
    """
    Hold what is owed against the stored events of each kind.

    What is owed several times alike, as two visits of one page to a vendor that takes no time or id, must be
    there as often.
    """
    accounts = {kind: Account() for kind in stored}
    claimed: Counter[tuple[str, int]] = Counter()
    due = list(due)
    alike = Counter(repr((one.kind, one.candidates)) for one in due)
    for one in due:
        account = accounts.setdefault(one.kind, Account())
        account.owed += 1
        found = [i for i, event in enumerate(stored.get(one.kind, ())) if one.matches(event)]
        claimed.update((one.kind, i) for i in found)
        times = alike[repr((one.kind, one.candidates))]
        account.delivered += bool(found)
        if len(found) < times:
            account.missing.append(one.what)
        if len(found) > times:
            account.doubled.append(one.what)
    for kind, events in stored.items():
        accounts[kind].surplus = sum(1 for i in range(len(events)) if not claimed[kind, i])
    return accounts


def _at(event: Any, path: str) -> Any:
    for part in path.split("."):
        if isinstance(event, list):
            event = event[int(part)] if int(part) < len(event) else None
        else:
            event = event.get(part) if isinstance(event, dict) else None
    return event


def _same(expected: Any, actual: Any) -> bool:
    if expected == actual:
        return True
    wanted, got = _time(expected), _time(actual)
    if wanted is None or got is None:
        return False
    return abs((wanted - got).total_seconds()) < _TIME_TOLERANCE_SECONDS


def _time(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None
