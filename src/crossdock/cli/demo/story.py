"""The story as data: what shoppers do, and the messages that say so. Pure; `now` and ids are arguments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any, Literal, Self

import yaml

Via = Literal["library", "batch", "webhook"]
_CALLS = ("track", "page", "identify")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing shoppers do."""

    name: str
    says: str
    call: str
    """The Segment call; "" for a step that sends another's message again."""
    subject: Any = None
    """The event's or page's name, or the traits."""
    properties: dict[str, Any] = field(default_factory=dict)
    via: Via = "library"
    resend: str | None = None
    nobody: bool = False
    """The message carries no id of a person, which makes it invalid."""
    server: bool = False
    """The shop's server sends it: it knows the customer, and neither browser nor page."""
    signs_out: bool = False
    """From here on the shopper's library no longer knows the customer."""
    seconds_ago: int = 0
    clock_ahead_seconds: int = 0
    only: frozenset[str] | None = None

    @classmethod
    def read(cls, data: dict[str, Any]) -> Self:
        """Make a step of the story file's entry."""
        rest = {key: value for key, value in data.items() if key not in (*_CALLS, "step", "only")}
        call = next((name for name in _CALLS if name in data), "")
        only = frozenset(data["only"]) if "only" in data else None
        return cls(name=data["step"], call=call, subject=data.get(call), only=only, **rest)


@dataclass(frozen=True, slots=True)
class Message:
    """One message as a sender sends it, and what it is in the story."""

    step: Step
    shopper: str
    message_id: str
    happened_at: datetime
    """The true time of what it tells, which a vendor should be told."""
    document: dict[str, Any]

    @property
    def fate(self) -> Literal["accepted", "duplicate", "refused"]:
        """What the door should make of it."""
        if self.step.resend:
            return "duplicate"
        return "refused" if self.step.nobody else "accepted"


@dataclass(frozen=True, slots=True)
class Story:
    """Shoppers and steps."""

    shoppers: tuple[str, ...]
    steps: tuple[Step, ...]

    @classmethod
    def read(cls) -> Self:
        """Read the story that comes with Crossdock."""
        data = yaml.safe_load(_file("story.yaml"))
        return cls(tuple(data["shoppers"]), tuple(Step.read(step) for step in data["steps"]))

    def of(self, shopper: str) -> Iterator[Step]:
        """Give the steps of one shopper."""
        return (step for step in self.steps if step.only is None or shopper in step.only)

    @property
    def length(self) -> int:
        """How many messages it sends."""
        return sum(1 for shopper in self.shoppers for _ in self.of(shopper))


def compose(step: Step, shopper: str, run: str, now: datetime, *, signed_in: bool = False) -> Message:
    """
    Write the message of a step, as a sender whose clock may be wrong writes it.

    A library adds the customer's id to whatever a shopper does while *signed_in*.
    """
    message_id = f"{run}-{shopper}-{step.name}"
    happened_at = now - timedelta(seconds=step.seconds_ago)
    ahead = timedelta(seconds=step.clock_ahead_seconds)
    document: dict[str, Any] = {
        "type": step.call,
        "messageId": message_id,
        "timestamp": stamp(happened_at + ahead),
        "sentAt": stamp(now + ahead),
        "context": _context(shopper, step),
    }
    if not step.nobody and not step.server:
        document["anonymousId"] = f"anonymous-{shopper}"
    if step.server or step.call == "identify" or (signed_in and not step.nobody):
        document["userId"] = f"user-{shopper}"
    if step.call == "identify":
        document["traits"] = fill(step.subject, shopper=shopper)
    else:
        named = {"event" if step.call == "track" else "name": step.subject}
        document |= named | {"properties": fill(step.properties, shopper=shopper)}
    return Message(step, shopper, message_id, happened_at, document)


def fill(template: Any, **values: str) -> Any:
    """Replace ``{name}`` in every text of a template."""
    if isinstance(template, str):
        for name, value in values.items():
            template = template.replace(f"{{{name}}}", value)
        return template
    if isinstance(template, dict):
        return {key: fill(value, **values) for key, value in template.items()}
    return [fill(value, **values) for value in template] if isinstance(template, list) else template


def stamp(when: datetime) -> str:
    """Write a time as Segment's libraries do."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _context(shopper: str, step: Step) -> dict[str, Any]:
    context: dict[str, Any] = {"library": {"name": "crossdock-demo", "version": "1"}}
    if step.via == "library" and not step.server:
        path = step.properties.get("path", f"/{step.properties.get('product_id', 'shop')}")
        context["page"] = {"path": path, "url": f"https://shop.example{path}", "title": "Demo shop"}
        context["userAgent"] = _PHONE if len(shopper) > 3 else _DESKTOP
    return context


_DESKTOP = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)


def vendors() -> dict[str, dict[str, Any]]:
    """Read what the story owes to each vendor: by vendor, its settings and its list of what is owed."""
    folder = resources.files("crossdock.cli.demo").joinpath("vendors")
    files = sorted(file.name for file in folder.iterdir() if file.name.endswith(".yaml"))
    return {name.removesuffix(".yaml"): yaml.safe_load(_file("vendors", name)) for name in files}


def _file(*path: str) -> str:
    folder = resources.files("crossdock.cli.demo")
    for part in path:
        folder = folder.joinpath(part)
    return folder.read_text("utf-8")
