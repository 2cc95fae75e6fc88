"""How an event came in: what a request says about each event it holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from crossdock import timestamp


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Reception:
    """How an event came in: what the request says about each event it holds."""

    received_at: datetime = field(default_factory=_now)
    """By our clock, the same for all events of one request; UTC."""
    type: str | None = None
    """The type the path names, for events that name none."""
    source: str | None = None
    channel: Literal["client", "server"] = "server"
    ip: str | None = None
    """The sender's address, where it is known and IPv4."""
    webhook: bool = False
    """Segment's Webhook destination sent it: its clock correction stands."""
    signed: bool = False
    """It carried the webhook's signature: deletions count."""

    received_text: str = field(init=False)

    def __post_init__(self) -> None:
        self.received_text = timestamp.write(self.received_at)
