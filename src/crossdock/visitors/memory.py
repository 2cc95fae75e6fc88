"""
The fold: an event and what is remembered of its visitor in, changed records and the event's facts out.

Pure. The journal calls it event by event over what is new, in the write that stores the events; it asks
`Memory.keys` first, so that events which need no record cost no look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from crossdock import timestamp
from crossdock.event import came_by_webhook
from crossdock.visitors.basket import EMPTYING, FILLING, basket_in, cart_id_in
from crossdock.visitors.facts import email_in
from crossdock.visitors.registers import Record, by_rank, by_time, greatest, link, linked, put, visit

EVERY: Final = frozenset({"key", "anonymousId", "userId", "email", "sessionId", "basket"})
_ACROSS: Final = frozenset({"email", "basket"})
"""Facts that may stand at the other end of a link."""
_BACK: Final = frozenset({"userId", "email", "basket"})
"""Facts that lead from an anonymousId to its userId."""
_MOST_ID: Final = 512
_MICROSECOND: Final = timedelta(microseconds=1)
_NOTHING: Final[Record] = {}


class Folded(NamedTuple):
    """What an event changes, and what its presets may read."""

    changed: Mapping[str, Record]
    facts: dict[str, Any] | None
    """``None`` where memory knows nothing beyond what the event says itself."""


_NOT_FOLDED: Final = Folded({}, None)


@dataclass(frozen=True, slots=True)
class Memory:
    """Which facts are remembered: those that a preset in force reads."""

    fields: frozenset[str]
    wanted: Callable[[Mapping[str, Any]], frozenset[str]] | None = None
    """Which facts the presets of one event read; all `fields` where it is not given."""
    idle: timedelta = timedelta(minutes=30)
    """A session ends after so long without an event."""
    _idle: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", _named(self.fields))
        object.__setattr__(self, "_idle", self.idle // _MICROSECOND)

    def keys(self, document: Mapping[str, Any]) -> tuple[str, ...]:
        """Name the records an event needs; none for most events of most mappings."""
        fields = self.fields
        if not fields:
            return ()
        anonymous_id, user_id = _ids(document)
        if user_id is None:
            if anonymous_id is None or not self._is_about_anonymous(document):
                return ()
            return (f"a{anonymous_id}",)
        if anonymous_id is None:
            return (f"u{user_id}",)
        if fields & _BACK or "sessionId" in fields:
            return f"u{user_id}", f"a{anonymous_id}"
        return (f"u{user_id}",)

    def linked(self, document: Mapping[str, Any], records: Mapping[str, Record]) -> str | None:
        """Name the record at the other end of a link that an event needs too, going by its own records."""
        anonymous_id, user_id = _ids(document)
        if anonymous_id is None and user_id is not None:
            if "sessionId" in self.fields or self._reads(document) & _ACROSS:
                other = linked(records[f"u{user_id}"])
                return other and f"a{other}"
        elif user_id is None and self._reads(document) & _ACROSS:
            other = greatest([records[f"a{anonymous_id}"].get("user")], by_rank)
            return other and f"u{other}"
        return None

    def fold(
        self, document: Mapping[str, Any], received_at: datetime, records: Mapping[str, Record]
    ) -> Folded:
        """
        Fold one event; *records* gives a record for every key that `keys` and `linked` name, empty or not.

        An event from the future counts as of when it came in: else a wrong clock would hold back whatever is
        said later.
        """
        keys = self.keys(document)
        if not keys:
            return _NOT_FOLDED
        turn = _Turn(self, document, {key: records[key] for key in keys}, keys)
        at = min(timestamp.read(document.get("timestamp")) or received_at, received_at)
        facts = turn.fold(round(at.timestamp() * 1_000_000), records)
        return Folded(turn.changed(), facts or None)

    def _reads(self, document: Mapping[str, Any]) -> frozenset[str]:
        return self.fields if self.wanted is None else _named(self.wanted(document))

    def _is_about_anonymous(self, document: Mapping[str, Any]) -> bool:
        """Tell whether the record of an event's anonymousId is read or written, where it has no userId."""
        fields = self.fields
        if "sessionId" in fields:
            return True
        if "email" in fields and _says_email(document):
            return True
        if "basket" in fields and _says_basket(document):
            return True
        return bool(fields & _BACK) and bool(self._reads(document) & _BACK)


class _Turn:
    """One event being folded."""

    def __init__(
        self, memory: Memory, document: Mapping[str, Any], own: dict[str, Record], keys: tuple[str, ...]
    ) -> None:
        self.memory = memory
        self.document = document
        self.anonymous_id, self.user_id = _ids(document)
        self.before = dict(own)
        self.records = own
        self.writes = document.get("type") != "delete"
        # What a visitor says of themselves while known goes to the person, what is done to the browser.
        self.person = f"u{self.user_id}" if self.user_id is not None else f"a{self.anonymous_id}"
        self.browser = f"a{self.anonymous_id}" if self.anonymous_id is not None else self.person
        if self.browser not in keys:
            self.browser = self.person

    def changed(self) -> dict[str, Record]:
        before = self.before
        return {key: made for key, made in self.records.items() if made is not before.get(key)}

    def fold(self, at: int, records: Mapping[str, Record]) -> dict[str, Any]:
        memory, document = self.memory, self.document
        fields, reads = memory.fields, memory._reads(document)  # noqa: SLF001 - the two are one
        rank = 0 if document.get("channel") == "client" and not came_by_webhook(document) else 1
        if self.writes and self.anonymous_id is not None and self.user_id is not None:
            self._link(self.anonymous_id, self.user_id, at, rank)
        other = memory.linked(document, self.records)
        if other is not None and other not in self.records:
            self.records[other] = self.before[other] = records[other]
        emptying = _name(document) in EMPTYING
        # An order without products is of the basket it empties.
        basket = self._basket(other) if "basket" in reads and emptying else None
        if self.writes:
            if "email" in fields:
                self._tell_email(at, rank)
            if "basket" in fields:
                self._tell_basket(at, rank, emptying=emptying)
        facts = self._identity(reads)
        if "email" in reads and email_in(document) is None:
            facts["email"] = self._email(other)
        if "basket" in reads:
            facts["basket"] = basket if emptying else self._basket(other)
        if "sessionId" in fields:
            facts["sessionId"] = self._session(at, other)
            if "sessionId" not in reads:
                del facts["sessionId"]
        return {name: value for name, value in facts.items() if value is not None}

    def _link(self, anonymous_id: str, user_id: str, at: int, rank: int) -> None:
        user, anonymous = f"u{user_id}", f"a{anonymous_id}"
        self.records[user] = link(self.records[user], anonymous_id, at, rank)
        if anonymous in self.records and self.memory.fields & _BACK:
            self._put(anonymous, "user", [at, rank, user_id])

    def _put(self, key: str, name: str, entry: list[Any]) -> None:
        order = by_time if name in ("basket", "cart") else by_rank
        self.records[key] = put(self.records[key], name, entry, order)

    def _tell_email(self, at: int, rank: int) -> None:
        if not _says_email(self.document):
            return
        # An address that is taken back leaves a tombstone.
        self._put(self.person, "email", [at, rank, email_in(self.document)])

    def _tell_basket(self, at: int, rank: int, *, emptying: bool) -> None:
        properties = self.document.get("properties")
        if properties.__class__ is not dict:
            return
        if emptying:
            self._put(self.browser, "basket", [at, rank, None])
            self._put(self.browser, "cart", [at, rank, None])
            return
        if _name(self.document) in FILLING and (basket := basket_in(properties)):
            self._put(self.browser, "basket", [at, rank, basket])
        if (cart_id := cart_id_in(properties)) is not None:
            self._put(self.browser, "cart", [at, rank, cart_id])

    def _identity(self, reads: frozenset[str]) -> dict[str, Any]:
        facts: dict[str, Any] = {}
        if self.anonymous_id is None and reads & {"key", "anonymousId"}:
            facts["anonymousId"] = linked(self.records[self.person])
        if self.user_id is None and "userId" in reads:
            facts["userId"] = greatest([self.records[self.person].get("user")], by_rank)
        return facts

    def _email(self, other: str | None) -> Any:
        mine = self.records[self.person].get("email")
        beside = self.records.get(other or self.browser, _NOTHING).get("email")
        if self.user_id is not None and mine is not None:
            return mine[2]
        return greatest([mine, beside], by_rank)

    def _basket(self, other: str | None) -> dict[str, Any] | None:
        places = [self.records[key] for key in {self.person, self.browser, other or self.person}]
        basket = greatest([place.get("basket") for place in places], by_time)
        cart_id = greatest([place.get("cart") for place in places], by_time)
        if cart_id is None:
            return basket  # type: ignore[no-any-return]
        return {**(basket or {}), "cart_id": cart_id}

    def _session(self, at: int, other: str | None) -> str:
        holder = other if other is not None and other[0] == "a" else self.browser
        record, begin = visit(self.records[holder], at, self.memory._idle)  # noqa: SLF001 - as above
        if self.writes:
            self.records[holder] = record
        return blake2b(f"{holder[1:]}\0{begin}".encode("utf-8", "replace"), digest_size=16).hexdigest()


def _named(fields: frozenset[str]) -> frozenset[str]:
    return EVERY if "*" in fields else fields


def _ids(document: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Give an event's anonymousId and userId; one too long to be anybody's is not remembered."""
    anonymous_id, user_id = document.get("anonymousId") or None, document.get("userId") or None
    if anonymous_id is not None and len(anonymous_id) > _MOST_ID:
        anonymous_id = None
    if user_id is not None and len(user_id) > _MOST_ID:
        user_id = None
    return anonymous_id, user_id


def _name(document: Mapping[str, Any]) -> str | None:
    """Give a track event's name; only these are checked to be text."""
    return document.get("event") if document.get("type") == "track" else None


def _says_email(document: Mapping[str, Any]) -> bool:
    if email_in(document) is not None:
        return True
    traits = document.get("traits")
    return (
        document.get("type") == "identify"
        and isinstance(traits, dict)
        and "email" in traits
        and not traits["email"]
    )


def _says_basket(document: Mapping[str, Any]) -> bool:
    name, properties = _name(document), document.get("properties")
    return (
        name in EMPTYING
        or name in FILLING
        or (properties.__class__ is dict and ("cart_id" in properties or "cartId" in properties))
    )
