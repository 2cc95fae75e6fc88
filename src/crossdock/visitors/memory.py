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
from crossdock.visitors.registers import (
    Entry,
    Order,
    Record,
    by_rank,
    by_time,
    greatest,
    link,
    linked,
    put,
    visit,
)

EVERY: Final = frozenset({"key", "anonymousId", "userId", "email", "sessionId", "basket"})
_ACROSS: Final = frozenset({"email", "basket"})
"""Facts that may stand at the other end of a link."""
_BACK: Final = frozenset({"userId", "email", "basket"})
"""Facts that lead from an anonymousId to its userId."""
_MOST_ID: Final = 512
_MICROSECOND: Final = timedelta(microseconds=1)


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
    idle_micros: int = field(init=False, repr=False)
    leads_back: bool = field(init=False, repr=False)
    """Whether an anonymousId's record says whose it is."""
    has_sessions: bool = field(init=False, repr=False)
    has_email: bool = field(init=False, repr=False)
    has_basket: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        fields = _named(self.fields)
        for name, value in (
            ("fields", fields),
            ("idle_micros", self.idle // _MICROSECOND),
            ("leads_back", bool(fields & _BACK)),
            ("has_sessions", "sessionId" in fields),
            ("has_email", "email" in fields),
            ("has_basket", "basket" in fields),
        ):
            object.__setattr__(self, name, value)

    def keys(self, document: Mapping[str, Any]) -> tuple[str, ...]:
        """Name the records an event needs; none for most events of most mappings."""
        return self._keys(document, *_ids(document)) if self.fields else ()

    def linked(self, document: Mapping[str, Any], records: Mapping[str, Record]) -> str | None:
        """Name the record at the other end of a link that an event needs too, going by its own records."""
        return self._linked(document, records, *_ids(document))

    def fold(
        self, document: Mapping[str, Any], received_at: datetime, records: Mapping[str, Record]
    ) -> Folded:
        """
        Fold one event; *records* gives a record for every key that `keys` and `linked` name, empty or not.

        An event from the future counts as of when it came in: else a wrong clock would hold back whatever is
        said later.
        """
        anonymous_id, user_id = _ids(document)
        keys = self._keys(document, anonymous_id, user_id) if self.fields else ()
        if not keys:
            return _NOT_FOLDED
        other = self._linked(document, records, anonymous_id, user_id)
        at = min(timestamp.read(document.get("timestamp")) or received_at, received_at)
        # What visitors say of themselves goes to the person, as far as known; what they do, to the browser.
        person = keys[0]
        turn = _Turn(self, document, records, person, keys[-1] if keys[-1][0] == "a" else person, other)
        facts = turn.fold(round(at.timestamp() * 1_000_000), anonymous_id, user_id)
        return Folded(turn.changed, facts or None)

    def reads(self, document: Mapping[str, Any]) -> frozenset[str]:
        """Say which facts the presets of an event read."""
        return self.fields if self.wanted is None else _named(self.wanted(document))

    def _keys(
        self, document: Mapping[str, Any], anonymous_id: str | None, user_id: str | None
    ) -> tuple[str, ...]:
        if user_id is None:
            if anonymous_id is None or not self._is_about_anonymous(document):
                return ()
            return (f"a{anonymous_id}",)
        if anonymous_id is not None and (self.leads_back or self.has_sessions):
            return f"u{user_id}", f"a{anonymous_id}"
        return (f"u{user_id}",)

    def _linked(
        self,
        document: Mapping[str, Any],
        records: Mapping[str, Record],
        anonymous_id: str | None,
        user_id: str | None,
    ) -> str | None:
        if user_id is None:
            if self.reads(document) & _ACROSS:
                user = greatest([records[f"a{anonymous_id}"].get("user")], by_rank)
                return user and f"u{user}"
        elif anonymous_id is None and (self.has_sessions or self.reads(document) & _ACROSS):
            anonymous = linked(records[f"u{user_id}"])
            return anonymous and f"a{anonymous}"
        return None

    def _is_about_anonymous(self, document: Mapping[str, Any]) -> bool:
        """Tell whether the record of an event's anonymousId is read or written, where it has no userId."""
        return (
            self.has_sessions
            or (self.has_email and _says_email(document, email_in(document)))
            or (self.has_basket and _says_basket(document))
            or (self.leads_back and bool(self.reads(document) & _BACK))
        )


class _Turn:
    """One event being folded."""

    __slots__ = ("_browser", "_document", "_memory", "_other", "_person", "_records", "changed")

    def __init__(  # noqa: PLR0913, PLR0917 - made once an event that needs memory
        self,
        memory: Memory,
        document: Mapping[str, Any],
        records: Mapping[str, Record],
        person: str,
        browser: str,
        other: str | None,
    ) -> None:
        self._memory = memory
        self._document = document
        self._records = records
        self._person = person
        self._browser = browser
        self._other = other
        self.changed: dict[str, Record] = {}

    def fold(self, at: int, anonymous_id: str | None, user_id: str | None) -> dict[str, Any]:
        memory, document = self._memory, self._document
        reads = memory.reads(document)
        emptying = _name(document) in EMPTYING
        email = email_in(document) if memory.has_email else None
        if document.get("type") == "delete":
            return self._facts(at, reads, anonymous_id, user_id, email)
        rank = 0 if document.get("channel") == "client" and not came_by_webhook(document) else 1
        if anonymous_id is not None and user_id is not None:
            self._link(anonymous_id, user_id, at, rank)
        if memory.has_email and _says_email(document, email):
            # An address that is taken back leaves a tombstone.
            self._put(self._person, "email", [at, rank, email], by_rank)
        # An order without products is of the basket it empties.
        basket = self._basket() if emptying and "basket" in reads else None
        if memory.has_basket:
            self._tell_basket(at, rank, emptying=emptying)
        facts = self._facts(at, reads, anonymous_id, user_id, email)
        if basket is not None:
            facts["basket"] = basket
        return facts

    def _facts(
        self, at: int, reads: frozenset[str], anonymous_id: str | None, user_id: str | None, email: str | None
    ) -> dict[str, Any]:
        """Gather what is known beyond the event itself."""
        facts: dict[str, Any] = {}
        if anonymous_id is None and ("anonymousId" in reads or "key" in reads):
            facts["anonymousId"] = linked(self._record(self._person))
        if user_id is None and "userId" in reads:
            facts["userId"] = greatest([self._record(self._person).get("user")], by_rank)
        if email is None and "email" in reads:
            facts["email"] = self._email(user_id)
        if "basket" in reads:
            facts["basket"] = self._basket()
        if self._memory.has_sessions:
            session = self._session(at)
            if "sessionId" in reads:
                facts["sessionId"] = session
        return {name: value for name, value in facts.items() if value is not None}

    def _record(self, key: str) -> Record:
        return self.changed.get(key) or self._records[key]

    def _put(self, key: str, name: str, entry: Entry, order: Order) -> None:
        record = self._record(key)
        made = put(record, name, entry, order)
        if made is not record:
            self.changed[key] = made

    def _link(self, anonymous_id: str, user_id: str, at: int, rank: int) -> None:
        record = self._records[self._person]
        made = link(record, anonymous_id, at, rank)
        if made is not record:
            self.changed[self._person] = made
        if self._memory.leads_back:
            self._put(self._browser, "user", [at, rank, user_id], by_rank)

    def _tell_basket(self, at: int, rank: int, *, emptying: bool) -> None:
        properties = self._document.get("properties")
        if properties.__class__ is not dict:
            return
        if emptying:
            self._put(self._browser, "basket", [at, rank, None], by_time)
            self._put(self._browser, "cart", [at, rank, None], by_time)
            return
        if _name(self._document) in FILLING and (basket := basket_in(properties)):
            self._put(self._browser, "basket", [at, rank, basket], by_time)
        if ("cart_id" in properties or "cartId" in properties) and (cart_id := cart_id_in(properties)):
            self._put(self._browser, "cart", [at, rank, cart_id], by_time)

    def _email(self, user_id: str | None) -> Any:
        mine = self._record(self._person).get("email")
        if user_id is not None and mine is not None:
            return mine[2]
        return greatest([mine, self._record(self._other or self._browser).get("email")], by_rank)

    def _basket(self) -> dict[str, Any] | None:
        places = [self._record(key) for key in {self._person, self._browser, self._other or self._person}]
        basket: dict[str, Any] | None = greatest([place.get("basket") for place in places], by_time)
        cart_id = greatest([place.get("cart") for place in places], by_time)
        return basket if cart_id is None else {**(basket or {}), "cart_id": cart_id}

    def _session(self, at: int) -> str:
        other = self._other
        holder = other if other is not None and other[0] == "a" else self._browser
        record = self._record(holder)
        made, begin = visit(record, at, self._memory.idle_micros)
        if made is not record and self._document.get("type") != "delete":
            self.changed[holder] = made
        return blake2b(f"{holder[1:]}\0{begin}".encode("utf-8", "replace"), digest_size=16).hexdigest()


def _named(fields: frozenset[str]) -> frozenset[str]:
    return EVERY if "*" in fields else fields


def _ids(document: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Give an event's anonymousId and userId; one too long to be anybody's is not remembered."""
    anonymous_id, user_id = document.get("anonymousId"), document.get("userId")
    return (
        anonymous_id if anonymous_id and len(anonymous_id) <= _MOST_ID else None,
        user_id if user_id and len(user_id) <= _MOST_ID else None,
    )


def _name(document: Mapping[str, Any]) -> str | None:
    """Give a track event's name; only these are checked to be text."""
    return document.get("event") if document.get("type") == "track" else None


def _says_email(document: Mapping[str, Any], email: str | None) -> bool:
    if email is not None:
        return True
    if document.get("type") != "identify":
        return False
    traits = document.get("traits")
    return isinstance(traits, dict) and "email" in traits and not traits["email"]


def _says_basket(document: Mapping[str, Any]) -> bool:
    name, properties = _name(document), document.get("properties")
    return (
        name in EMPTYING
        or name in FILLING
        or (properties.__class__ is dict and ("cart_id" in properties or "cartId" in properties))
    )
