"""Whom an erasure is about, and which rows are theirs. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from crossdock.journal.base import shard_of

Identity = Sequence[Any]
"""userId, anonymousId and previousId of an event."""


class Subject:
    """Some users: their userIds, the anonymousIds linked to them, and the events that were theirs."""

    def __init__(self, users: Collection[str], shards: int) -> None:
        self.users = frozenset(users)
        # An id given on the command line may be an anonymousId as well.
        self.anonymous = set(users)
        self.others: set[str] = set()
        """Linked anonymousIds that are somebody else's by now, as on a computer that is shared."""
        self._shards = shards
        self._sequences: dict[int, list[int]] = {}
        self._sorted = True

    @property
    def ids(self) -> frozenset[str]:
        """Every id that is theirs alone."""
        return frozenset(self.anonymous - self.others) | self.users

    @property
    def sequences(self) -> frozenset[int]:
        """Every event of theirs, also one that only a copy was left of."""
        return frozenset(each for found in self._sequences.values() for each in found)

    def learn_record(self, key: str, record: Mapping[str, Any]) -> None:
        """Take in the links of what is remembered under an id."""
        if key[0] == "u" and key[1:] in self.users:
            self.anonymous.update(record.get("seen", ()))
        elif key[0] == "a" and (user := record.get("user")) and user[2] in self.users:
            self.anonymous.add(key[1:])

    def learn(self, own: Identity, facts: Identity | None) -> None:
        """Take in what an event, or the facts beside it, link."""
        user = own[0] or (facts[0] if facts else None)
        if user in self.users:
            anonymous = own[1] or (facts[1] if facts else None)
            self.anonymous.update(one for one in (anonymous, own[2]) if isinstance(one, str))

    def has(self, own: Identity, facts: Identity | None = None) -> bool:
        """Tell whether an event is theirs; one of another user never is."""
        user = own[0] or (facts[0] if facts else None)
        if own[2] is not None and own[2] in self.users:
            return True
        return user in self.users if user is not None else own[1] in self.anonymous

    def note(self, sequence: int, own: Identity) -> None:
        """Remember an event of theirs."""
        shard = shard_of(own[1] or own[0] or "", self._shards)
        self._sequences.setdefault(shard, []).append(sequence)
        self._sorted = False

    def between(self, shard: int, first: int, last: int) -> bool:
        """Tell whether an event of theirs lies in a range of a shard, or of all for -1."""
        if not self._sorted:
            self._sorted = True
            for found in self._sequences.values():
                found.sort()
        for number, found in self._sequences.items():
            place = bisect_left(found, first)
            if shard in (-1, number) and place < len(found) and found[place] <= last:
                return True
        return False

    def is_named_in(self, claim_key: str) -> bool:
        """Tell whether a part of a claim's key, ``action:[…]``, is one of their ids."""
        try:
            parts = orjson.loads(claim_key[claim_key.index("[") :])
        except ValueError:
            return False
        return any(isinstance(part, str) and part in self.ids for part in parts)

    def without(self, body: bytes) -> bytes | None:
        """Give what is left of a quarantined body: ``None`` where all of it is theirs."""
        try:
            whole = orjson.loads(body)
        except orjson.JSONDecodeError:
            return body
        if not isinstance(whole, list):
            return None if self._sent(whole) else body
        kept = [each for each in whole if not self._sent(each)]
        return body if len(kept) == len(whole) else orjson.dumps(kept) if kept else None

    def _sent(self, item: Any) -> bool:
        """Tell whether an event is theirs as it was sent: nobody has checked it."""
        if not isinstance(item, dict):
            return False
        own = [_as_text(item.get(name)) for name in ("userId", "anonymousId", "previousId")]
        return self.has(own)


def _as_text(given: Any) -> str | None:
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        return None
    return str(given) or None
