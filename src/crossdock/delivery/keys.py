"""
Keys that a vendor makes for its visitors: fetched before the first payload that needs them, and kept.

Payloads are mapped with our own ids, the same on every retry; what goes out has the vendor's keys in their
place. A failed fetch is an answer like any other: the batch is retried on the lane's schedule, halved and set
aside as any batch, so other visitors wait no longer than for a vendor that is down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable

from crossdock.delivery.plan import Route
from crossdock.delivery.sender import NoAnswer, Sender
from crossdock.destinations.base import Batch, Halt, Request, Response, Retry
from crossdock.errors import JournalError
from crossdock.journal.base import Journal, VendorKey


@runtime_checkable
class MakesKeys(Protocol):
    """A vendor that may want keys of its own making in place of our ids. Pure, as vendors are."""

    def keys_wanted(self, batch: Batch) -> tuple[str, ...]:
        """List ids that need a key, as ``kind:id``, each once, the visitor's before those beside it."""

    def keys_request(self, count: int) -> Request:
        """Build the request for new keys."""

    def read_keys(self, response: Response, count: int) -> tuple[str, ...] | Retry | Halt:
        """Read its answer."""

    def with_keys(self, batch: Batch, keys: Mapping[str, str]) -> Batch:
        """Exchange ids for keys."""


@dataclass(slots=True)
class VendorKeys:
    """The keys of one gateway's visitors, at every vendor that makes some."""

    journal: Journal
    sender: Sender
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def exchange(self, route: Route, batch: Batch) -> Batch | Retry | Halt:
        """Give the batch as it goes out, or why it cannot go yet."""
        vendor = route.vendor
        if not isinstance(vendor, MakesKeys):
            return batch
        wanted = vendor.keys_wanted(batch)
        if not wanted:
            return batch
        try:
            keys = dict(await self.journal.vendor_keys(route.name, wanted, self.now()))
            missing = [own for own in wanted if own not in keys]
            if missing:
                made = await self._fetched(route, vendor, len(missing))
                if not isinstance(made, tuple):
                    return made
                visitors = _visitors(vendor, batch)
                new = [
                    VendorKey(own, key, visitors.get(own, own))
                    for own, key in zip(missing, made, strict=True)
                ]
                # Another lane may have been quicker: the keys that stand are everybody's.
                keys |= await self.journal.keep_vendor_keys(route.name, new, self.now())
        except JournalError as error:
            return Retry(f"the journal does not answer: {error}")
        return vendor.with_keys(batch, keys)

    async def _fetched(self, route: Route, vendor: MakesKeys, count: int) -> tuple[str, ...] | Retry | Halt:
        answer = await self.sender.send(vendor.keys_request(count), route.timeout)
        if isinstance(answer, NoAnswer):
            return Retry(f"no keys: {answer.reason}")
        return vendor.read_keys(answer, count)


def _visitors(vendor: MakesKeys, batch: Batch) -> dict[str, str]:
    """Say whose each id is, for an erasure: the visitor's own id comes first in every payload."""
    whose: dict[str, str] = {}
    for payload in batch.payloads:
        owns = vendor.keys_wanted(Batch((payload,)))
        for own in owns:
            whose.setdefault(own, owns[0].partition(":")[2])
    return whose
