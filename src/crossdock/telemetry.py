"""
Every log event and every metric, named and described once.

Log with ``log(Log.EVENT_REFUSED, source=…)``: structlog underneath, JSON lines when standard error is no
terminal and readable text when it is. Nothing here takes an event's body, a person's data or a secret.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from enum import Enum
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Log(Enum):
    """What the gateway logs: name, level, and what it means to the operator."""

    GATEWAY_READY = ("gateway.ready", "info", "Listening, and every cursor is stored: `/readyz` says yes.")
    GATEWAY_DRAINING = ("gateway.draining", "info", "Stopping: no new events, requests in flight finish.")
    GATEWAY_STOPPED = ("gateway.stopped", "info", "Everything settled is durable; the journal is closed.")
    SETTINGS_RELOADED = ("settings.reloaded", "info", "A changed file took effect between two batches.")
    SETTINGS_REFUSED = ("settings.refused", "error", "A changed file is wrong; the old one stays in force.")
    REQUEST_REFUSED = ("request.refused", "warning", "A whole request was answered 4xx; nothing was kept.")
    REQUEST_FAILED = ("request.failed", "error", "A fault of ours while answering; the sender will retry.")
    EVENT_REFUSED = ("event.refused", "warning", "One event is invalid; it stands in the quarantine.")
    EVENT_DUPLICATE = ("event.duplicate", "debug", "A messageId seen within the window; dropped.")
    JOURNAL_REFUSING = ("journal.refusing", "error", "The journal cannot take events: answering 503.")
    JOURNAL_RECOVERED = ("journal.recovered", "info", "The journal takes events again.")
    JOURNAL_WAITING_FOR_LOCK = (
        "journal.waiting_for_lock",
        "warning",
        "Another gateway holds the journal; waiting for it to end.",
    )
    JOURNAL_REFUSED = ("journal.refused", "debug", "The journal refused a write; the reason is the store's.")
    JOURNAL_ROLLBACK_FAILED = (
        "journal.rollback_failed",
        "error",
        "A write that failed could not be undone at once; nothing of it counts.",
    )
    JOURNAL_UPKEEP_FAILED = (
        "journal.upkeep_failed",
        "error",
        "The journal's own upkeep failed; tried again.",
    )
    JOURNAL_LOG_HELD = (
        "journal.log_held",
        "warning",
        "A long reader keeps the write-ahead log from shrinking.",
    )
    JOURNAL_CHECKPOINTED = ("journal.checkpointed", "debug", "The write-ahead log was copied into the file.")
    JOURNAL_LOOP_GONE = ("journal.loop_gone", "debug", "The gateway ended before it heard of a last write.")
    QUARANTINE_DROPPED = ("quarantine.dropped", "warning", "The quarantine is full; its oldest events went.")
    CLAIM_HEIR_LOST = (
        "claim.heir_lost",
        "warning",
        "A claim's owner was refused, and the event that would inherit is no longer kept.",
    )
    VISITOR_FAULT = ("visitor.fault", "error", "A bug of ours: an event was stored without visitor facts.")
    VISITORS_FORGOTTEN = (
        "visitors.forgotten",
        "info",
        "Users were erased on request; how many, and how many rows of each kind.",
    )
    JOURNAL_RETAINED = ("journal.retained", "info", "Events past retention and every cursor were deleted.")
    DELIVERY_ATTEMPTED = ("delivery.attempted", "info", "One request to a vendor and what came of it.")
    DELIVERY_NOTED = ("delivery.noted", "warning", "A vendor took a request, and something about it is odd.")
    DELIVERY_DEAD_LETTER = ("delivery.dead_letter", "error", "A vendor refused a payload for good.")
    DELIVERY_SUPPRESSED = ("delivery.suppressed", "debug", "The guard held back a second copy of an action.")
    DELIVERY_SPLIT = (
        "delivery.split",
        "warning",
        "A batch was refused; it is halved to find the guilty one.",
    )
    DELIVERY_SET_ASIDE = ("delivery.set_aside", "warning", "A visitor's payload keeps failing; others go on.")
    DELIVERY_UNSETTLED = ("delivery.unsettled", "error", "A sent batch cannot be noted yet; trying again.")
    DELIVERY_WAITS = ("delivery.waits", "warning", "A lane cannot read or claim just now; it tries again.")
    DELIVERY_FAULT = ("delivery.fault", "error", "A bug of ours with one payload; it is a dead letter.")
    DESTINATION_DOWN = ("destination.down", "warning", "The breaker opened: one probe at a time.")
    DESTINATION_UP = ("destination.up", "info", "The destination answers again.")
    DESTINATION_HALTED = (
        "destination.halted",
        "error",
        "A key or setting is wrong; events are kept, we probe.",
    )
    DESTINATION_RESUMED = ("destination.resumed", "info", "A halted destination takes events again.")
    DESTINATION_CAUTION = (
        "destination.caution",
        "warning",
        "What to know about a vendor before relying on it; said at each start.",
    )
    MAIL_EXPIRED = (
        "mail.expired",
        "info",
        "Commands nobody picked up in time: the visitor did not come back, or the page has no tag.",
    )
    COMMAND_DONE = ("command.done", "info", "A command line's request was carried out.")

    def __init__(self, event: str, level: str, meaning: str) -> None:
        self.event = event
        self.level = level
        self.meaning = meaning


def configure(*, level: str = "info", pretty: bool | None = None) -> None:
    """Set up logging to standard error; `pretty` defaults to whether that is a terminal."""
    pretty = sys.stderr.isatty() if pretty is None else pretty
    # It prints pieces of requests that are no HTTP; they may hold anything.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_addresses,
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


_ADDRESS = re.compile(r"[^\s\"'<>,;:]+@[^\s\"'<>,;:]+")


def _without_addresses(
    _logger: Any, _method: str, fields: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Vendors quote what they refuse: e-mail addresses in their words do not reach the log."""
    for name in ("answer", "reason"):
        words = fields.get(name)
        if isinstance(words, str):
            fields[name] = without_addresses(words)
    return fields


def without_addresses(words: str) -> str:
    """Blot out e-mail addresses in a vendor's words."""
    return _ADDRESS.sub("…@…", words) if "@" in words else words


def log(what: Log, **fields: Any) -> None:
    """Write one log event; `fields` are scalars that name things, never bodies or secrets."""
    getattr(structlog.get_logger(), what.level)(what.event, **fields)


def log_by_name(event: str, /, **fields: Any) -> None:
    """Write a log event named by its text, as the journal names its own affairs; from any thread."""
    log(_BY_NAME[event], **fields)


_BY_NAME = {what.event: what for what in Log}


class Metrics:
    """The gateway's metrics, on a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=self.registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name, text, labels, registry=self.registry)

        def histogram(name: str, text: str, *labels: str) -> Histogram:
            return Histogram(name, text, labels, registry=self.registry, buckets=_SECONDS)

        self.accepted = counter("crossdock_events_accepted", "Events stored.", "source")
        self.duplicates = counter("crossdock_events_duplicate", "Copies dropped at the door.", "source")
        self.refused = counter("crossdock_events_refused", "Events quarantined.", "source", "code")
        self.requests_refused = counter("crossdock_requests_refused", "Requests answered 4xx or 5xx.", "code")
        self.accept_seconds = histogram("crossdock_accept_seconds", "From request to durable answer.")
        self.payloads = counter("crossdock_payloads", "Payloads settled.", "destination", "action", "outcome")
        self.skipped = counter(
            "crossdock_events_skipped", "Events without a payload.", "destination", "reason"
        )
        self.dropped_fields = counter(
            "crossdock_dropped_fields", "Optional fields left out as invalid.", "destination", "field"
        )
        self.attempts = counter("crossdock_attempts", "Requests to vendors.", "destination", "outcome")
        self.attempt_seconds = histogram("crossdock_attempt_seconds", "A request to a vendor.", "destination")
        self.delivery_seconds = histogram(
            "crossdock_delivery_seconds", "From accepted to delivered.", "destination"
        )
        self.lag = gauge("crossdock_lag_events", "Events that wait.", "destination")
        self.halted = gauge("crossdock_destination_halted", "1 while halted.", "destination")
        self.down = gauge("crossdock_destination_down", "1 while the breaker is open.", "destination")
        self.dead_letters = gauge("crossdock_dead_letters", "Dead letters that stand.", "destination")
        self.set_aside = gauge("crossdock_set_aside", "Events set aside.", "destination")
        self.quarantined = gauge("crossdock_quarantined", "Events in the quarantine.")
        self.journal_bytes = gauge("crossdock_journal_bytes", "Size of the journal.")
        self.reload_failures = counter("crossdock_reload_failures", "Changed files refused.")

    def count_settled(self, destination: str, totals: Mapping[str, int]) -> None:
        """Count what one write settled, keyed ``outcome.action`` or ``skipped.reason``."""
        for key, times in totals.items():
            outcome, _, what = key.partition(".")
            if outcome == "skipped":
                self.skipped.labels(destination, what).inc(times)
            else:
                self.payloads.labels(destination, what, outcome).inc(times)

    def render(self) -> bytes:
        """Give the Prometheus text format."""
        return generate_latest(self.registry)


_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600, 86400)
