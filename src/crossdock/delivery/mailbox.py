"""
Delivery into mailboxes: what only the visitor's own browser can carry out is put where it picks it up.

Nothing is delivered here: the outcome is `Queued`, and what becomes of a command the browser tells the relay.
"""

from __future__ import annotations

from datetime import datetime

from crossdock.delivery.plan import Route
from crossdock.destinations.base import Batch, Destination, Outcome, Payload, Queued, Retry
from crossdock.errors import JournalError
from crossdock.journal.base import Journal, Mail
from crossdock.telemetry import Metrics

PUT = "put into the visitor's mailbox"


class Mailboxes:
    """The visitors' mailboxes, as delivery fills them."""

    def __init__(self, journal: Journal, metrics: Metrics) -> None:
        self._journal = journal
        self._metrics = metrics

    async def put(self, route: Route, batch: Batch, at: datetime) -> tuple[None, str, list[Outcome]]:
        """Put a batch's commands in, durably; there is no status, as nobody has answered."""
        vendor = route.vendor
        mails = [_mail(route.name, vendor, payload, at) for payload in batch.payloads]
        try:
            lost = await self._journal.put_mail(mails, vendor.mailbox_terms().capacity)
        except JournalError as error:
            reason = f"the mailbox cannot be reached: {error}"
            return None, reason, [Retry(reason)] * len(mails)
        for destination, totals in lost.items():
            self._metrics.count_settled(destination, totals)
        return None, PUT, [Queued()] * len(mails)


def _mail(destination: str, vendor: Destination, payload: Payload, at: datetime) -> Mail:
    posted = vendor.posted(payload)
    return Mail(
        destination=destination,
        visitor=posted.visitor,
        sequence=payload.sequence,
        index=payload.index,
        message_id=payload.message_id,
        action=payload.action,
        command=posted.command,
        queued_at=at,
        expires_at=at + vendor.mailbox_terms().ttl,
        precious=posted.precious,
    )
