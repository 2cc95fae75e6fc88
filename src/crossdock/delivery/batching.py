"""Which payloads go into the next request: a prefix of what is owed, within the vendor's limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from crossdock.delivery.plan import Owed
from crossdock.destinations.base import Limits


@dataclass(frozen=True, slots=True)
class Cut:
    """The payloads of the next request, and whether no further one would have fitted."""

    owed: tuple[Owed, ...]
    full: bool


def cut(owed: Iterable[Owed], limits: Limits, *, payloads: int, body_bytes: int) -> Cut:
    """
    Take payloads from the left, in order, until the next would break a limit or change the endpoint.

    A payload that alone exceeds `body_bytes` still goes, alone: the vendor has the last word on it.
    """
    taken: list[Owed] = []
    kinds: Counter[str] = Counter()
    size = 0
    for one in owed:
        added = len(one.payload.body) + limits.payload_overhead_bytes
        kinds[one.kind] += 1
        if taken and (
            len(taken) >= payloads
            or size + added > body_bytes
            or one.endpoint != taken[0].endpoint
            or (limits.per_kind is not None and kinds[one.kind] > limits.per_kind)
        ):
            return Cut(tuple(taken), full=True)
        taken.append(one)
        size += added
    return Cut(tuple(taken), full=len(taken) >= payloads)
