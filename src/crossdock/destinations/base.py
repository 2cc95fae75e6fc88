"""
What a vendor is: pure functions from payloads to a request, and from a response to outcomes.

A vendor module holds one frozen pydantic model, named by ``DESTINATION``; its fields are the vendor's
settings. It does no I/O, holds no clock and never retries: `crossdock.delivery` does all three.
The folder is the registry: a file ``acme.py`` here, with ``mappings/acme.yaml``, is the vendor ``acme``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, ClassVar, Literal, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict

from crossdock.errors import ConfigError
from crossdock.settings import Duration


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold; the vendor module cites the source of each number."""

    payloads: int
    """Payloads in one request, all kinds together."""
    per_kind: int | None = None
    """Payloads of one kind (`Destination.kind`) in one request; ``None``: no limit of its own."""
    body_bytes: int = 1_000_000
    """Bytes of the request's body."""
    payload_overhead_bytes: int = 1
    """Bytes the body grows by for each payload beside the payload's own (a comma)."""


class Prepared(NamedTuple):
    """A payload that passed the vendor's schema, as the bytes that go into the request."""

    body: bytes
    dropped: tuple[str, ...] = ()
    """Optional fields left out because their value does not fit the schema; counted, never an error."""
    yields: bool = False
    """Under a preset's `once` it gives way to another payload, but stands in no other's way."""


class Skipped(NamedTuple):
    """The vendor has no use for this payload; counted by `reason`, never an error."""

    reason: str


@dataclass(slots=True)
class Payload:
    """One mapping result on its way: which event it came from, what it is, and its bytes."""

    # Not frozen: one is made per payload, and a frozen one takes three times as long to make.

    sequence: int
    index: int
    """The payload's place among all payloads of its event for this destination; stable over retries."""
    message_id: str
    action: str
    preset: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """Payloads of one request, in order. All share one `Destination.endpoint`."""

    payloads: tuple[Payload, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; `headers` and the query of `url` may hold secrets: ``repr`` does not show them."""

    method: str
    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        address, query, _ = self.url.partition("?")
        return f"Request({self.method} {address}{query and '?…'}, {len(self.body)} bytes)"


@dataclass(frozen=True)
class Response:
    """What the vendor answered; header names are lower case."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def json(self) -> Any:
        """The body as JSON, or ``None`` when it is not JSON."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None

    @property
    def head(self) -> str:
        """The first 500 characters of the body, for people."""
        return self.body[:2000].decode("utf-8", "replace")[:500]


class Posted(NamedTuple):
    """What a payload is in a mailbox: a command that only the visitor's own browser can carry out."""

    visitor: str
    command: bytes
    """The command as JSON."""
    precious: bool
    """Goes last where the mailbox is full."""


@dataclass(frozen=True, slots=True)
class MailboxTerms:
    """How a destination's mailboxes are kept."""

    capacity: int
    """Commands that may wait for one visitor; then the oldest go, those that are not precious first."""
    ttl: timedelta
    """How long a command waits."""
    token_secret: bytes | None = field(default=None, repr=False)
    """Set where a page must show a token made of it and the visitor's id."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The vendor has it; `note` is what an operator should know all the same, and is logged."""

    note: str | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    """Handed to a mailbox; nobody has seen it yet."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The same payload may pass later; the vendor's own wish when, where it has one."""

    reason: str
    after_seconds: float | None = None
    until_epoch_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The same payload would be refused again; `reason` holds the vendor's words."""

    reason: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """
    The batch was refused and the guilty payload is unknown: halve it.

    `cap_bytes` is set when the request was too large: later bodies stay below it. `cap_payloads` is set when
    it held too many payloads: later requests to that endpoint hold no more.
    """

    reason: str
    code: str | None = None
    cap_bytes: int | None = None
    cap_payloads: int | None = None


@dataclass(frozen=True, slots=True)
class Halt:
    """A credential or configuration fault: nothing will pass until an operator acts."""

    reason: str


class Checked(NamedTuple):
    """What an answer to a harmless call tells."""

    passed: bool | None
    """``None``: it cannot be told."""
    says: str


class Checkup(NamedTuple):
    """One harmless call that `crossdock doctor` makes, and how its answer is read."""

    what: str
    """What it is about: a setting, or what the vendor has seen."""
    request: Request
    read: Callable[[Response], Checked]


Outcome = Delivered | Queued | Retry | Rejected | Split | Halt


class Destination(BaseModel):
    """
    One vendor account. Subclasses add their settings as fields and override what differs.

    Every method is pure and may be called from any lane at any time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    limits: ClassVar[Limits]
    actions: ClassVar[tuple[str, ...]]
    """The actions a preset of this vendor may name."""
    segment_names: ClassVar[tuple[str, ...]] = ()
    """What Segment's catalogue calls the vendor: the names an integrations object may use."""
    order_all: ClassVar[bool] = False
    """True: one lane over the whole journal instead of one a shard."""
    requests_per_second: ClassVar[float] = 20.0
    """The shipped rate limit; `delivery.requests_per_second` overrides it."""

    transport: ClassVar[Literal["http", "mailbox"]] = "http"
    """``mailbox``: nothing is sent; commands wait for the visitor's browser (`posted`, `mailbox_terms`)."""
    caution: ClassVar[str] = ""
    """What an operator must know before relying on the vendor; logged at each start."""

    unchecked: ClassVar[tuple[str, ...]] = ()
    """What no harmless call can tell, each with where it shows instead; `crossdock doctor` says so."""

    max_event_age: Duration | None = None
    """What is older becomes a dead letter; for a vendor that dates events by their arrival."""

    def prepare(self, action: str, payload: Any) -> Prepared | Skipped | Rejected:
        """Validate one mapped payload against the vendor's schema and serialise it."""
        raise NotImplementedError

    def session_idle(self) -> timedelta | None:
        """Say how long a visitor may be idle within one session, where the vendor counts sessions."""
        return None

    def kind(self, action: str) -> str:
        """Give the kind that `Limits.per_kind` counts; by default the action itself."""
        return action

    def endpoint(self, action: str) -> str:  # noqa: ARG002 - vendors with several decide by it
        """Name the endpoint; payloads of different endpoints never share a request."""
        return ""

    def most_payloads(self, endpoint: str) -> int:  # noqa: ARG002  (for vendors whose endpoints differ)
        """Say how many payloads one request to *endpoint* may hold; at most `Limits.payloads`."""
        return self.limits.payloads

    def request(self, batch: Batch) -> Request:
        """Build the one request that carries the batch."""
        raise NotImplementedError

    def posted(self, payload: Payload) -> Posted:
        """Give a payload as it goes into a mailbox; only where `transport` is ``mailbox``."""
        raise NotImplementedError

    def mailbox_terms(self) -> MailboxTerms:
        """Say how the mailboxes are kept; only where `transport` is ``mailbox``."""
        raise NotImplementedError

    def outcomes(self, batch: Batch, response: Response) -> list[Outcome]:
        """
        Read the vendor's answer: one outcome per payload of the batch.

        `Retry`, `Split` and `Halt` are about the request as a whole: where one is given, all are alike.
        The default covers plain HTTP: 2xx delivered, 408, 429 and 5xx retried, 401, 403 and 404 halt,
        413 splits, and any other status splits a batch or rejects a single payload.
        """
        return [plain_outcome(batch, response)] * len(batch.payloads)

    def probe(self) -> Request | None:
        """Build a harmless request that tells whether key and URL are right, where the vendor has one."""
        return None

    def checkups(self) -> tuple[Checkup, ...]:
        """List the harmless calls that tell whether the account's settings are right; by default `probe`."""
        asked = self.probe()
        return () if asked is None else (Checkup("answer", asked, plainly_checked),)


def plainly_checked(response: Response) -> Checked:
    """Read a status as HTTP means it: success, a refused credential, or something that tells nothing."""
    if 200 <= response.status < 300:
        return Checked(passed=True, says=f"answers {response.status}")
    if response.status in (401, 403, 404, 405, 407) or 300 <= response.status < 400:
        return Checked(passed=False, says=f"{response.status}: {response.head or 'no body'}")
    return Checked(passed=None, says=f"{response.status}: {response.head or 'no body'}")


def plain_outcome(
    batch: Batch, response: Response, *, words: str | None = None, code: str | None = None
) -> Outcome:
    """
    Read a status as HTTP means it; `words` and `code` are the vendor's explanation where it gave one.

    A `Retry` carries what ``Retry-After`` or ``X-RateLimit-Reset`` asked for.
    """
    status = response.status
    reason = f"{status}: {words or response.head or 'no body'}"
    if 200 <= status < 300:
        return Delivered()
    if status in (408, 425, 429) or status >= 500:
        return Retry(reason, *retry_wait(response))
    if status in (401, 403, 404, 405, 407) or 300 <= status < 400:
        return Halt(reason)
    if len(batch.payloads) == 1:
        return Rejected(reason, code)
    size = sum(len(payload.body) for payload in batch.payloads)
    return Split(reason, code, cap_bytes=size // 2 if status == 413 else None)


def retry_wait(response: Response) -> tuple[float | None, float | None]:
    """
    Read ``Retry-After`` (seconds or HTTP date), else ``X-RateLimit-Reset``: (delta, epoch) in seconds.

    ``X-RateLimit-Reset`` has no agreed unit: above 10¹² it is epoch milliseconds, above 10⁹ epoch seconds,
    else a delta. An unreadable value counts as absent.
    """
    wished = response.headers.get("retry-after", "")
    if (seconds := _number(wished)) is not None:
        return seconds, None
    if wished:
        try:
            return None, parsedate_to_datetime(wished).timestamp()
        except ValueError:
            pass
    reset = _number(response.headers.get("x-ratelimit-reset", ""))
    if reset is None:
        return None, None
    if reset > 1e12:
        return None, reset / 1000
    return (None, reset) if reset > 1e9 else (reset, None)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None


def names() -> list[str]:
    """List the vendors that exist: every module of this folder but this one and private ones, sorted."""
    package = importlib.import_module("crossdock.destinations")
    found = (module.name for module in pkgutil.iter_modules(package.__path__))
    return sorted(name for name in found if name != "base" and name[0] != "_")


def load(name: str) -> type[Destination]:
    """
    Give a vendor's destination class.

    Raises:
        ConfigError: No vendor has that name.
    """
    if name not in names():
        raise ConfigError(f"unknown vendor {name!r}; choose one of: {', '.join(names())}", key="vendor")
    module = importlib.import_module(f"crossdock.destinations.{name}")
    vendor: type[Destination] = module.DESTINATION
    return vendor


__all__ = [
    "Batch",
    "Checked",
    "Checkup",
    "Delivered",
    "Destination",
    "Halt",
    "Limits",
    "MailboxTerms",
    "Outcome",
    "Payload",
    "Posted",
    "Prepared",
    "Queued",
    "Rejected",
    "Request",
    "Response",
    "Retry",
    "Skipped",
    "Split",
    "load",
    "names",
    "plain_outcome",
    "plainly_checked",
    "retry_wait",
]
