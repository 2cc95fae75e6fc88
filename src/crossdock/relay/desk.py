"""
The relay's desk: who may ask for a visitor's commands, and handing them out.

A page that finds nothing waits here and is woken when something comes; nothing polls.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import ClassVar

from crossdock.errors import EventError, Unauthorized
from crossdock.journal.base import Journal, Leased, Mail, MailAnswer
from crossdock.relay.asked import Visitor
from crossdock.relay.pace import Pace
from crossdock.settings import SourceSettings
from crossdock.telemetry import Metrics

LEASE = timedelta(seconds=60)
COMMANDS_AT_ONCE = 25
PAGES_WAITING = 5_000
"""Pages that may wait at one moment; the next is told to come back."""
_BUSY_SECONDS = 5.0


class OriginRefused(EventError):
    """The page's origin may not use the relay."""

    status: ClassVar[int] = 403


class TooOften(EventError):
    """The page asks too often, or too many wait."""

    status: ClassVar[int] = 429

    def __init__(self, message: str, retry_seconds: float) -> None:
        super().__init__(message, "too_often")
        self.retry_seconds = retry_seconds


@dataclass(frozen=True, slots=True)
class Box:
    """A destination whose mailboxes are served here."""

    destination: str
    feeds: frozenset[str]
    """The sources whose pages may ask."""
    token_secret: bytes | None = field(default=None, repr=False)
    """Set where a page must show `visitor_token`."""


def visitor_token(secret: bytes, anonymous_id: str) -> str:
    """Give what a page must show beside the visitor's id; the shop's own server makes it for its page."""
    return hmac.new(secret, anonymous_id.encode("utf-8", "replace"), sha256).hexdigest()


class Desk:
    """Serves mailboxes to pages; `replace` puts changed settings in force between two requests."""

    def __init__(self, journal: Journal, metrics: Metrics, source_of: Callable[[str | None], str]) -> None:
        self._journal = journal
        self._metrics = metrics
        self._source_of = source_of
        self._sources: Mapping[str, SourceSettings] = {}
        self._boxes: tuple[Box, ...] = ()
        self._asking = Pace(burst=60, per_second=2)
        self._answering = Pace(burst=60, per_second=4)
        self._bells: set[asyncio.Event] = set()
        self._closed = False
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def metrics(self) -> Metrics:
        """Where refused requests are counted."""
        return self._metrics

    def replace(self, sources: Mapping[str, SourceSettings], boxes: Iterable[Box]) -> None:
        """Serve these boxes to the pages of these sources from now on."""
        self._sources = sources
        self._boxes = tuple(boxes)

    def close(self) -> None:
        """Send every page that waits away; later ones find nothing."""
        self._closed = True
        for bell in self._bells:
            bell.set()

    def knows(self, origin: str) -> bool:
        """Tell whether any source that feeds a box lists this origin."""
        feeding = frozenset[str]().union(*(box.feeds for box in self._boxes))
        return any(name in feeding and _listed(source, origin) for name, source in self._sources.items())

    def admit(self, visitor: Visitor, origin: str | None, site: str | None) -> frozenset[str]:
        """
        Give the destinations whose mailboxes a page may ask about.

        `origin` and `site` are what the browser says of the page (``Origin``, ``Sec-Fetch-Site``). A browser
        leaves the first away on a page of our own origin only, or where the page cannot read the answer.

        Raises:
            Unauthorized: The key is unknown or feeds no mailbox, or the visitor's token is wrong.
            OriginRefused: The source does not list the origin.
        """
        name = self._source_of(visitor.write_key)
        self._check_origin(self._sources.get(name), origin, site)
        boxes = [box for box in self._boxes if name in box.feeds]
        if not boxes:
            raise Unauthorized("the write key's source feeds no mailbox", "no_mailbox")
        shown = [box for box in boxes if _shows_token(box, visitor)]
        if not shown:
            raise Unauthorized("visitorToken is missing or is not this visitor's", "bad_token")
        return frozenset(box.destination for box in shown)

    @staticmethod
    def _check_origin(source: SourceSettings | None, origin: str | None, site: str | None) -> None:
        if source is None or not source.allowed_origins:
            raise OriginRefused("the source lists no allowed_origins, which the relay needs", "no_origins")
        if origin is None and site in (None, "same-origin"):
            return
        if origin is None or not _listed(source, origin):
            raise OriginRefused("this origin is not in the source's allowed_origins", "origin_not_allowed")

    async def commands(
        self, destinations: Collection[str], visitor: str, seconds: float, gone: Callable[[], bool]
    ) -> list[Mail]:
        """
        Lease a visitor's next commands, waiting up to *seconds* for a first one.

        Nothing is leased once the page is *gone*: it would wait out a lease nobody holds.

        Raises:
            TooOften: The visitor's pages ask too often, or too many pages wait.
            JournalError: The mailbox cannot be reached.
        """
        self._at_pace(self._asking, visitor)
        if len(self._bells) >= PAGES_WAITING:
            raise TooOften("too many pages wait; come back", _BUSY_SECONDS)
        with self._journal.mail_bell(visitor) as bell:
            self._bells.add(bell)
            try:
                return await self._wait(destinations, visitor, seconds, bell=bell, gone=gone)
            finally:
                self._bells.discard(bell)

    async def _wait(
        self,
        destinations: Collection[str],
        visitor: str,
        seconds: float,
        *,
        bell: asyncio.Event,
        gone: Callable[[], bool],
    ) -> list[Mail]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not self._closed and not gone():
            bell.clear()
            leased = await self._lease(destinations, visitor)
            left = deadline - loop.time()
            if leased.mails or left <= 0:
                return leased.mails
            if leased.busy_until is not None:
                left = min(left, max(0.01, (leased.busy_until - self.now()).total_seconds()))
            try:
                await asyncio.wait_for(bell.wait(), left)
            except TimeoutError:
                continue
        return []

    async def _lease(self, destinations: Collection[str], visitor: str) -> Leased:
        now = self.now()
        return await self._journal.lease_mail(
            destinations, visitor, now, until=now + LEASE, limit=COMMANDS_AT_ONCE
        )

    async def settle(
        self, destinations: Collection[str], visitor: str, answers: Sequence[MailAnswer]
    ) -> None:
        """
        Note durably what a page says became of its commands.

        Raises:
            TooOften: The visitor's pages answer too often.
            JournalError: The mailbox cannot be reached.
        """
        self._at_pace(self._answering, visitor)
        if not answers:
            return
        totals = await self._journal.settle_mail(destinations, visitor, answers, self.now())
        for destination, counts in totals.items():
            self._metrics.count_settled(destination, counts)

    @staticmethod
    def _at_pace(pace: Pace, visitor: str) -> None:
        if wait := pace.wait_seconds(visitor):
            raise TooOften("this visitor's pages ask too often", wait)


def _listed(source: SourceSettings, origin: str) -> bool:
    # A `*` lets any page send events; it lets none read a visitor's.
    return _plain(origin) in {_plain(listed) for listed in source.allowed_origins or () if listed != "*"}


def _plain(origin: str) -> str:
    return origin.strip().rstrip("/").lower()


def _shows_token(box: Box, visitor: Visitor) -> bool:
    if box.token_secret is None:
        return True
    right = visitor_token(box.token_secret, visitor.anonymous_id)
    return hmac.compare_digest(right.encode(), (visitor.token or "").encode("utf-8", "replace"))
