"""The gate before one vendor account."""

from __future__ import annotations

import asyncio

from crossdock.delivery.gate import FAILURES_TO_OPEN, REFUSALS_TO_HALT, Gate
from crossdock.telemetry import Metrics


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.at


def gate(clock: Clock | None = None, rate: float = 1e9) -> Gate:
    """Make a gate that does not pace, unless asked to."""
    return Gate("topsort", rate, Metrics(), clock or Clock())


async def granted(one: Gate) -> bool:
    """Tell whether leave is given at once."""

    async def ask() -> None:
        async with one.permit():
            return

    try:
        await asyncio.wait_for(ask(), 0.02)
    except TimeoutError:
        return False
    return True


async def test_requests_are_paced_without_bursts() -> None:
    """After a long rest two requests still do not follow each other at once."""
    clock = Clock()
    paced = gate(clock, rate=10)
    first = await granted(paced)
    clock.at += 50
    assert (True, True, False) == (first, await granted(paced), await granted(paced))


async def test_failures_open_the_breaker_and_one_success_closes_it() -> None:
    """An outage lets single probes through; the first success ends it."""
    clock = Clock()
    one = gate(clock)
    for _ in range(FAILURES_TO_OPEN):
        one.failed("503", None)
    assert "down" == str(one.state)
    clock.at += 15
    async with one.permit():
        assert not await granted(one), "a second probe while the first is under way"
        one.passed()
    assert "well" == str(one.state)
    assert await granted(one)


async def test_a_vendors_wish_holds_every_lane() -> None:
    """After `Retry-After: 7` nobody sends for seven seconds, though the breaker is closed."""
    clock = Clock()
    one = gate(clock)
    one.failed("429", 7.0)
    clock.at += 6
    assert not await granted(one)
    clock.at += 1
    assert await granted(one)


async def test_a_halt_is_probed_every_half_minute_or_when_told() -> None:
    """Nothing goes through a halted gate until a probe is due, or an operator changed something."""
    clock = Clock()
    one = gate(clock)
    one.halt("401: bad key")
    assert not await granted(one)
    one.retry_now()
    assert await granted(one)
    one.halt("401: bad key")
    clock.at += 30
    assert await granted(one)


async def test_many_refusals_in_a_row_halt() -> None:
    """Twenty refusals with no success between are no heap of dead letters; a success counts anew."""
    one = gate()
    one.refused(REFUSALS_TO_HALT - 1, "bad")
    one.passed()
    one.refused(REFUSALS_TO_HALT - 1, "bad")
    assert "well" == str(one.state)
    one.refused(1, "bad")
    assert "halted" == str(one.state)


async def test_a_refusal_ends_a_halt_for_a_wrong_key_but_not_one_for_refusals() -> None:
    """A vendor that reads payloads again has accepted the key; one that refuses them all still does."""
    one = gate()
    one.halt("401: bad key")
    one.answered()
    one.refused(1, "bad")
    assert "well" == str(one.state)
    one.refused(REFUSALS_TO_HALT, "bad")
    one.answered()
    one.refused(1, "bad")
    assert (True, "halted") == (one.doubting, str(one.state))
