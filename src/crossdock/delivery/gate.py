"""
The gate before one vendor account: rate limit, the vendor's own wishes, breaker and halt.

All lanes of a destination pass through one gate. While the vendor is well the gate only paces. When it is
down, or halted, one request at a time goes through, as a probe, so an outage is cursors that stand still
and not a storm.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

from crossdock.delivery.retry import HALT_PROBE_SECONDS, backoff
from crossdock.telemetry import Log, Metrics, log

FAILURES_TO_OPEN = 5
REFUSALS_TO_HALT = 20
"""So many refusals in a row, with no success between, are a fault of ours or of the account's settings."""

State = Literal["well", "down", "halted"]


class Gate:
    """Paces and, in trouble, holds back the requests to one destination."""

    def __init__(
        self,
        destination: str,
        requests_per_second: float,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.destination = destination
        self.state: State = "well"
        self.reason = ""
        self._interval = 1.0 / requests_per_second
        self._metrics = metrics
        self._clock = clock
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._recovered = asyncio.Event()
        self._slot_at = 0.0
        self._not_before = 0.0
        self._failures = 0
        self._failing_since = 0.0
        self._refusals = 0
        self._doubting = False
        metrics.halted.labels(destination).set(0)
        metrics.down.labels(destination).set(0)

    @property
    def troubled(self) -> bool:
        """Whether only probes go through."""
        return self.state != "well"

    @property
    def doubting(self) -> bool:
        """Whether it is halted for payload after payload refused: one more refusal proves nothing."""
        return self.state == "halted" and self._doubting

    @property
    def waits_seconds(self) -> float:
        """How long nothing will be sent: the vendor asked for it, or the next probe is not due."""
        return max(0.0, self._not_before - self._clock())

    def pace(self, requests_per_second: float) -> None:
        """Change the rate limit."""
        self._interval = 1.0 / requests_per_second

    @asynccontextmanager
    async def permit(self) -> AsyncIterator[None]:
        """
        Wait for leave to send one request; lanes are served in the order they came.

        In trouble the next lane waits until this one's answer has been told to the gate.
        """
        await self._turn.acquire()
        held = True
        try:
            await self._until_granted()
            if not self.troubled:
                self._turn.release()
                held = False
            yield
        finally:
            if held:
                self._turn.release()

    async def _until_granted(self) -> None:
        while True:
            wait = max(self._slot_at, self._not_before) - self._clock()
            # The event loop's timers are no finer than a millisecond; the slots themselves do not drift.
            if wait < 0.001:
                self._slot_at = max(self._clock(), self._slot_at) + self._interval
                return
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), wait)
            except TimeoutError:
                continue

    async def rest(self, seconds: float) -> None:
        """Wait, but no longer than until a destination in trouble is well again."""
        try:
            await asyncio.wait_for(self._recovered.wait(), seconds)
        except TimeoutError:
            return

    def passed(self) -> None:
        """Note that the vendor took something."""
        self._failures = 0
        self._refusals = 0
        if self.state == "well":
            return
        log(
            Log.DESTINATION_UP if self.state == "down" else Log.DESTINATION_RESUMED,
            destination=self.destination,
            after_seconds=round(self._clock() - self._failing_since, 1),
        )
        self._enter("well", "")

    def answered(self) -> None:
        """Note that the vendor answered about a payload, though it took none: it is not down."""
        self._failures = 0
        if self.state == "down" or (self.state == "halted" and not self._doubting):
            self.passed()

    def failed(self, reason: str, wish_seconds: float | None) -> float:
        """Note a request that may pass later; gives the seconds its lane should wait."""
        now = self._clock()
        if self._failures == 0 and self.state == "well":
            self._failing_since = now
        self._failures += 1
        if wish_seconds is not None:
            self._not_before = max(self._not_before, now + wish_seconds)
        wait = backoff(self._failures, now - self._failing_since)
        if self.state == "well" and self._failures >= FAILURES_TO_OPEN:
            log(Log.DESTINATION_DOWN, destination=self.destination, reason=reason, failures=self._failures)
            self._enter("down", reason)
        if self.state == "down":
            self._not_before = max(self._not_before, now + wait)
        elif self.state == "halted":
            self._not_before = max(self._not_before, now + HALT_PROBE_SECONDS)
        return wait

    def refused(self, payloads: int, reason: str) -> None:
        """Note payloads the vendor refused for good; too many in a row halt the destination."""
        self._refusals += payloads
        if self.state == "halted":
            self._not_before = self._clock() + HALT_PROBE_SECONDS
        elif self._refusals >= REFUSALS_TO_HALT:
            self.halt(f"{self._refusals} payloads refused in a row; the last: {reason}", doubting=True)

    def halt(self, reason: str, *, doubting: bool = False) -> None:
        """Stop the destination, keep its events, probe every so often."""
        now = self._clock()
        self._doubting = doubting
        if self.state != "halted":
            self._failing_since = now
            log(Log.DESTINATION_HALTED, destination=self.destination, reason=reason)
        self._not_before = now + HALT_PROBE_SECONDS
        self._enter("halted", reason)

    def retry_now(self) -> None:
        """Probe at once: an operator changed something."""
        self._not_before = 0.0
        self._refusals = 0
        self._changed.set()

    def _enter(self, state: State, reason: str) -> None:
        self.state, self.reason = state, reason
        if state == "well":
            self._not_before = 0.0
            # A bell, rung for who rests now; the next to rest waits for the next recovery.
            self._recovered.set()
            self._recovered = asyncio.Event()
        self._metrics.halted.labels(self.destination).set(state == "halted")
        self._metrics.down.labels(self.destination).set(state == "down")
        self._changed.set()
