"""
The guard before delivery: an action with a `once:` key goes through once per destination.

Claims are taken durably before anything is sent. A crash between taking and settling sends the batch again,
and the owner, being the same payload of the same event, passes its own claim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crossdock.delivery.plan import Owed, Plan, tally
from crossdock.journal.base import Journal
from crossdock.telemetry import Log, log


async def take(
    journal: Journal, destination: str, plans: Sequence[Plan], *, aside: bool = False, force: bool = False
) -> None:
    """Take the claims of all plans in one write; a payload whose claim another holds is no longer owed."""
    guarded = [(made, owed) for made in plans for owed in made.owed if owed.claim is not None]
    if not guarded:
        return
    claims = [owed.claim for _, owed in guarded if owed.claim is not None]
    if aside or force:
        claims = [replace(claim, aside=aside, force=force) for claim in claims]
    holders = await journal.claim(destination, claims)
    for (made, owed), holder in zip(guarded, holders, strict=True):
        if holder is not None:
            _suppress(destination, made, owed, holder)


def _suppress(destination: str, made: Plan, owed: Owed, holder: str) -> None:
    made.owed.remove(owed)
    tally(made.suppressed, owed.payload.action)
    log(
        Log.DELIVERY_SUPPRESSED,
        destination=destination,
        action=owed.payload.action,
        preset=owed.payload.preset,
        messageId=owed.payload.message_id,
        original=holder,
    )
