"""When a lane tries again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crossdock.delivery.retry import aside_backoff, backoff, wished_wait
from crossdock.destinations.base import Response, Retry, retry_wait


@given(st.integers(1, 10_000), st.floats(0, 299), st.floats(0, 1))
def test_backoff_stays_short_in_the_first_five_minutes(attempt: int, outage: float, draw: float) -> None:
    """A vendor that comes back early is noticed within 15 s."""
    assert 0 <= backoff(attempt, outage, draw=draw) <= 15


def test_backoff_grows_and_is_capped() -> None:
    """Exponential to 15 s, and to a minute once the outage is long."""
    assert [0.5, 1.0, 2.0, 4.0, 8.0, 15.0] == [backoff(n, 0, draw=1) for n in range(1, 7)]
    assert 60.0 == backoff(50, 301, draw=1)


def test_what_is_set_aside_waits_longer() -> None:
    """From seconds to a quarter of an hour."""
    assert (5.0, 900.0) == (aside_backoff(1, draw=1), aside_backoff(99, draw=1))


def test_the_vendors_wish_is_read_in_all_its_units() -> None:
    """Seconds, an HTTP date, epoch seconds and epoch milliseconds; nonsense counts as absent."""
    read = [
        retry_wait(Response(429, headers=headers))
        for headers in (
            {"retry-after": "7"},
            {"retry-after": "Sat, 21 Nov 2026 10:00:00 GMT"},
            {"x-ratelimit-reset": "3"},
            {"x-ratelimit-reset": "1795255200"},
            {"x-ratelimit-reset": "1795255200000"},
            {"retry-after": "soon", "x-ratelimit-reset": "nan"},
        )
    ]
    epoch = 1795255200.0
    assert [(7.0, None), (None, epoch), (3.0, None), (None, epoch), (None, epoch), (None, None)] == read


def test_a_wish_is_a_wait_from_now() -> None:
    """A moment in the past asks for no wait; a wish of days is asked again after an hour."""
    assert 5.0 == wished_wait(Retry("", until_epoch_seconds=105), now_epoch_seconds=100)
    assert 0.0 == wished_wait(Retry("", until_epoch_seconds=90), now_epoch_seconds=100)
    assert 3600.0 == wished_wait(Retry("", after_seconds=86400))
    assert wished_wait(Retry("")) is None
