"""What the guard would say, were an event delivered now: asked of the journal, and nothing is taken."""

from __future__ import annotations

from crossdock.cli.tracing import Claims, Standing
from crossdock.delivery.plan import Route, plan
from crossdock.journal.base import JournalReader, Stored


async def standing(journal: JournalReader, route: Route, stored: Stored) -> Claims:
    """Tell of each claim an event's payloads need who holds it."""
    found: dict[str, Standing] = {}
    for owed in plan(route, stored).owed:
        if (claim := owed.claim) is not None:
            holder = await journal.claim_holder(route.name, claim.key, claim.at, claim.within)
            found[claim.key] = _standing(holder, stored.message_id)
    return found


def _standing(holder: str | None, message_id: str) -> Standing:
    if holder is None:
        return Standing("passes, nobody holds it", passes=True)
    if holder == message_id:
        return Standing("passes, this event holds it", passes=True)
    return Standing(f"held back, {holder} told of the same action", passes=False)
