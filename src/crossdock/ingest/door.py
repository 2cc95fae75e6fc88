"""
The door: the one way by which events enter the journal.

Tracking API, webhook, pixel and a replay from the quarantine all end in `Door.accept`: each event is
admitted for itself, those that pass and those refused go to the journal in one write, and only then is there
an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

import orjson
from prometheus_client import Counter

from crossdock.admission import MAX_DEPTH, admit, clean
from crossdock.errors import InvalidEvent, JournalError, JournalUnavailable, TooLarge, UnknownSource
from crossdock.ingest.address import Networks
from crossdock.ingest.answers import Refused
from crossdock.ingest.auth import WriteKeys
from crossdock.ingest.body import load
from crossdock.ingest.limits import TRACKING, WEBHOOK, Limits
from crossdock.journal.base import Appended, Arrival, Journal, Quarantined, Refusal, shard_of
from crossdock.reception import Reception
from crossdock.settings import Settings, SourceSettings
from crossdock.telemetry import Log, Metrics, log
from crossdock.visitors import visitor_key

FILLED_BYTES = 2_048
"""
Admission fills in less than this: an event that is shorter by it afterwards was within the limit, and need
not be written once more to be measured.
"""
LOGGED_EVENTS = 20
"""Lines written per request about single events; the rest is counted."""


class Envelope(NamedTuple):
    """What a batch says for all its events; an event's own word wins, except on when it was sent."""

    context: dict[str, Any] | None = None
    integrations: dict[str, Any] | None = None
    sent_at: Any = None

    @property
    def size_bytes(self) -> int:
        """What it adds to each event."""
        return sum(len(_json(part)) for part in (self.context, self.integrations) if part)


NO_ENVELOPE = Envelope()


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Door:
    """What ingest works with; `draining` makes it refuse what comes, for a shutdown."""

    settings: Settings
    journal: Journal
    metrics: Metrics
    now: Callable[[], datetime] = _now
    draining: bool = False

    keys: WriteKeys = field(init=False)
    trusted_proxies: Networks = field(init=False)
    _scopes: dict[str, str] = field(init=False)
    _accepted: dict[str, Counter] = field(init=False)
    _refusing: bool = field(default=False, init=False)

    @property
    def refusing(self) -> bool:
        """Whether the journal took nothing when it was last asked."""
        return self._refusing

    @classmethod
    def from_settings(cls, settings: Settings, journal: Journal, metrics: Metrics) -> Self:
        """Make the door of a gateway."""
        return cls(settings, journal, metrics)

    def __post_init__(self) -> None:
        self.trusted_proxies = self.settings.server.trusted_proxies  # the server section does not reload
        self.replace_sources(self.settings)

    def replace_sources(self, settings: Settings) -> None:
        """Put new sources, keys and scopes in force, between two requests."""
        self.settings = settings
        self.keys = WriteKeys(settings.sources)
        self._scopes = {name: settings.scope(name) for name in settings.sources}
        self._accepted = {name: self.metrics.accepted.labels(name) for name in settings.sources}

    def source(self, name: str) -> SourceSettings:
        """
        Give a source's settings.

        Raises:
            UnknownSource: There is none of that name.
        """
        try:
            return self.settings.sources[name]
        except KeyError:
            raise UnknownSource("no source has this name", "unknown_source") from None

    def refuse_when_draining(self) -> None:
        """
        Stop what arrives during a shutdown.

        Raises:
            JournalUnavailable: The gateway is stopping.
        """
        if self.draining:
            raise JournalUnavailable("the gateway is stopping")

    async def accept(
        self,
        items: Sequence[Any],
        how: Reception,
        limits: Limits,
        *,
        body_bytes: int,
        envelope: Envelope = NO_ENVELOPE,
    ) -> list[Refused]:
        """
        Admit events and make them durable; gives those refused, which stand in the quarantine now.

        Raises:
            JournalError: Nothing of the request was kept; the sender must send it again.
        """
        arrivals, refused, refusals = self._sort(items, how, limits, body_bytes, envelope)
        appended = await self._append(arrivals, refusals)
        self._tell(how, appended, arrivals, refused)
        return refused

    async def replay(self, quarantined: Quarantined) -> str:
        """Admit a quarantined event again, as of when it was received; gives what became of it."""
        refusal = quarantined.refusal
        if refusal.source not in self.settings.sources:
            return f"refused: no source is named {refusal.source!r} any more"
        webhook = refusal.channel == "webhook"
        secret = self.settings.sources[refusal.source].webhook_secret
        how = Reception(
            received_at=refusal.received_at,
            source=refusal.source,
            channel="client" if refusal.channel == "client" else "server",
            webhook=webhook,
            signed=webhook and secret is not None,
        )
        loaded = load(refusal.body)
        items = loaded if isinstance(loaded, list) else [loaded]
        limits = WEBHOOK if webhook else TRACKING
        arrivals, refused, _ = self._sort(items, how, limits, len(refusal.body), NO_ENVELOPE)
        if refused:  # one row, one verdict: what stands in the quarantine stays whole
            return f"refused: {refused[0].code}: {refused[0].message}"
        appended = await self._append(arrivals, [])
        self._tell(how, appended, arrivals, [])
        await self.journal.release_quarantined([quarantined.id])
        return "duplicate" if all(each.duplicate for each in appended) else "accepted"

    def _sort(
        self, items: Sequence[Any], how: Reception, limits: Limits, body_bytes: int, envelope: Envelope
    ) -> tuple[list[Arrival], list[Refused], list[Refusal]]:
        """Part what passes from what is refused, each event for itself."""
        source, received_at = how.source or "", how.received_at
        scope, shards = self._scopes.get(source), self.journal.shards
        if scope is None:  # gone by a reload while the body was read
            raise UnknownSource("no source has this name", "unknown_source")
        # A request no longer than one event may be holds none that is too long
        spare = limits.event_bytes - envelope.size_bytes if body_bytes > limits.event_bytes else None
        if envelope is not NO_ENVELOPE:
            _bound_envelope(envelope, items, limits)
        arrivals: list[Arrival] = []
        refused: list[Refused] = []
        refusals: list[Refusal] = []
        for index, item in enumerate(items[: limits.events]):
            try:
                body = _admit(item, how, envelope, spare)
            except InvalidEvent as error:
                refused.append(Refused(index, _message_id(item), error.code, error.message))
                refusals.append(_refusal(item, how, error))
                continue
            shard = shard_of(visitor_key(item), shards)
            arrival = Arrival(item["messageId"], source, scope, shard, item, body, received_at)
            if item["type"] == "delete":  # admitted only from a signed webhook
                arrival.erase = item["userId"]
            arrivals.append(arrival)
        if len(items) > limits.events:
            _refuse_surplus(items, how, limits, refused, refusals)
        return arrivals, refused, refusals

    async def _append(self, arrivals: list[Arrival], refusals: list[Refusal]) -> list[Appended]:
        if not arrivals and not refusals:
            return []
        try:
            appended = await self.journal.append(arrivals, refusals)
        except JournalError as error:
            if not self._refusing:
                log(Log.JOURNAL_REFUSING, reason=str(error))
            self._refusing = True
            raise
        if self._refusing:
            self._refusing = False
            log(Log.JOURNAL_RECOVERED)
        return appended

    def _tell(
        self, how: Reception, appended: list[Appended], arrivals: list[Arrival], refused: list[Refused]
    ) -> None:
        """Count and log what is durable now; no word of what an event holds."""
        source, metrics = how.source or "", self.metrics
        copies = [at for at, kept in enumerate(appended) if kept.duplicate]
        if len(appended) > len(copies):
            # by reference: a reload may have taken the source away meanwhile
            (self._accepted.get(source) or metrics.accepted.labels(source)).inc(len(appended) - len(copies))
        if copies:
            metrics.duplicates.labels(source).inc(len(copies))
        for at in copies[:LOGGED_EVENTS]:
            log(Log.EVENT_DUPLICATE, source=source, messageId=arrivals[at].message_id)
        for line in refused:
            count = 1 if line.through is None else line.through - line.position + 1
            metrics.refused.labels(source, line.code).inc(count)
        for line in refused[:LOGGED_EVENTS]:
            more = max(0, len(refused) - LOGGED_EVENTS)
            log(Log.EVENT_REFUSED, source=source, messageId=line.message_id, code=line.code, more=more)


def _admit(item: Any, how: Reception, envelope: Envelope, spare: int | None) -> bytes:
    if item.__class__ is not dict:
        raise InvalidEvent("an event must be a JSON object", "not_object")
    original = None if spare is None else item.copy()
    if envelope is not NO_ENVELOPE:
        _merge(item, envelope)
    body = admit(item, how)
    if (
        original is not None
        and spare is not None
        and len(body) > spare - FILLED_BYTES
        and len(_json(original)) > spare
    ):
        item.clear()
        item.update(original)  # the quarantine keeps it as it came, so that a replay admits it but once
        raise InvalidEvent("the event is over the limit for one event", "event_too_large")
    return body


def _merge(item: dict[str, Any], envelope: Envelope) -> None:
    """Lay a batch's own context, integrations and sentAt under an event's."""
    if envelope.sent_at is not None:
        item["sentAt"] = envelope.sent_at
    for key, common in (("context", envelope.context), ("integrations", envelope.integrations)):
        if not common:
            continue
        own = item.get(key)
        if own is None or own == []:
            item[key] = common
        elif isinstance(own, dict):
            item[key] = {**common, **own}


def _bound_envelope(envelope: Envelope, items: Sequence[Any], limits: Limits) -> None:
    """Refuse a context that, laid under each event, makes far more of a request than was sent."""
    if envelope.size_bytes * len(items) > 8 * limits.body_bytes:
        raise TooLarge("the batch's context is too large to be laid under each of its events", "too_large")


def _refuse_surplus(
    items: Sequence[Any], how: Reception, limits: Limits, refused: list[Refused], refusals: list[Refusal]
) -> None:
    """Refuse the events past the count: one by one, and what passes it twice over in one piece."""
    error = InvalidEvent(f"past the {limits.events:,} events a batch may hold", "batch_too_long")
    for index, item in enumerate(items[limits.events : 2 * limits.events], limits.events):
        refused.append(Refused(index, _message_id(item), error.code, error.message))
        refusals.append(_refusal(item, how, error))
    rest = list(items[2 * limits.events :])
    if rest:
        refused.append(Refused(2 * limits.events, None, error.code, error.message, len(items) - 1))
        refusals.append(_refusal(rest, how, error))


def _refusal(item: Any, how: Reception, error: InvalidEvent) -> Refusal:
    channel = "webhook" if how.webhook else how.channel
    if isinstance(item, dict) and "writeKey" in item:  # whose it is stands in `source`; keys are not kept
        item = {key: value for key, value in item.items() if key != "writeKey"}
    body = _json(item)
    if len(body) > TRACKING.body_bytes:  # the quarantine keeps what can be looked at
        body = _json({"messageId": _message_id(item), "omittedBytes": len(body)})
    message_id = _message_id(item)
    return Refusal(how.source or "", message_id, error.code, error.message, body, how.received_at, channel)


def _message_id(item: Any) -> str | None:
    """Read an event's id as it was sent, for the record of its refusal."""
    given = item.get("messageId") if isinstance(item, dict) else None
    return str(given)[:100] if isinstance(given, str | int | float) else None


def _json(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        # Pruned first: `clean` goes as deep as it is led
        return orjson.dumps(clean(_pruned(value, MAX_DEPTH)))


def _pruned(value: Any, levels: int) -> Any:
    """Copy a JSON value without what lies deeper than `levels`."""
    if isinstance(value, dict):
        return {key: _pruned(each, levels - 1) for key, each in value.items()} if levels else "…"
    if isinstance(value, list):
        return [_pruned(each, levels - 1) for each in value] if levels else "…"
    return value
