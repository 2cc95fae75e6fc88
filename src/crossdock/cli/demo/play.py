"""Plays the story over real HTTP, as a browser's library, a server's library and Segment's webhook would."""

from __future__ import annotations

import asyncio
import hmac
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import ClientSession

from crossdock.cli.demo.story import Message, Step, Story, compose, stamp


@dataclass(frozen=True, slots=True)
class Door:
    """Where the story is sent and with which credentials."""

    url: str
    write_key: str
    webhook: str
    """The source whose webhook is called."""
    webhook_secret: str


@dataclass(slots=True)
class Told:
    """What was sent so far and how it was answered."""

    messages: list[Message] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)

    def fates(self) -> Counter[str]:
        """Count what the door should have made of it."""
        return Counter(message.fate for message in self.messages)


@dataclass(slots=True)
class Player:
    """Sends the story: shoppers side by side, each shopper's steps one after the other."""

    door: Door
    run: str
    pace_seconds: float = 0.0
    told: Told = field(default_factory=Told)
    on_step: Callable[[str, Step], None] = lambda _shopper, _step: None

    async def play(self, story: Story) -> None:
        """Send every message of the story."""
        async with ClientSession(self.door.url) as http, asyncio.TaskGroup() as tasks:
            for number, shopper in enumerate(story.shoppers):
                tasks.create_task(self._shopper(http, story, shopper, number))

    async def _shopper(self, http: ClientSession, story: Story, shopper: str, number: int) -> None:
        sent: dict[str, Message] = {}
        signed_in = False
        await asyncio.sleep(self.pace_seconds * number / len(story.shoppers))
        for step in story.of(shopper):
            message = self._message(step, shopper, sent, signed_in=signed_in)
            signed_in = (signed_in or step.call == "identify") and not step.signs_out
            sent[step.name] = message
            self.told.answers[await self._send(http, message)] += 1
            self.told.messages.append(message)
            self.on_step(shopper, step)
            await asyncio.sleep(self.pace_seconds)

    def _message(self, step: Step, shopper: str, sent: dict[str, Message], *, signed_in: bool) -> Message:
        if step.resend is None:
            return compose(step, shopper, self.run, datetime.now(UTC), signed_in=signed_in)
        first = sent[step.resend]
        return Message(step, shopper, first.message_id, first.happened_at, first.document)

    async def _send(self, http: ClientSession, message: Message) -> int:
        path, body, headers = self._request(message)
        headers["Content-Type"] = "application/json"
        async with http.post(path, data=body, headers=headers) as answer:
            await answer.read()
            return answer.status

    def _request(self, message: Message) -> tuple[str, bytes, dict[str, str]]:
        """Give path, body and headers of a message's request."""
        document = message.document
        if message.step.via == "batch":
            envelope: dict[str, Any] = {"batch": [document], "sentAt": document["sentAt"]}
            return "/v1/batch", orjson.dumps(envelope), self._authorization()
        if message.step.via == "webhook":
            body = orjson.dumps({**document, "receivedAt": stamp(datetime.now(UTC)), "channel": "server"})
            return f"/webhook/{self.door.webhook}", body, {"X-Signature": self._signature(body)}
        return f"/v1/{document['type']}", orjson.dumps(document), self._authorization()

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": "Basic " + b64encode(f"{self.door.write_key}:".encode()).decode()}

    def _signature(self, body: bytes) -> str:
        # Segment's own choice of hash; it signs the raw body.
        return hmac.new(self.door.webhook_secret.encode(), body, "sha1").hexdigest()
