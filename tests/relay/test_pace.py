"""How often one visitor's pages may ask."""

from __future__ import annotations

from crossdock.relay import pace
from crossdock.relay.pace import Pace


class Ticks:
    """A clock of seconds."""

    now = 0.0

    def __call__(self) -> float:
        """Give the time."""
        return self.now


def test_a_burst_then_a_steady_rate() -> None:
    """What is not used fills up again, up to the burst."""
    clock = Ticks()
    limit = Pace(burst=2, per_second=4, clock=clock)
    assert [0, 0, 0.25] == [limit.wait_seconds("a") for _ in range(3)]
    assert 0 == limit.wait_seconds("b")
    clock.now = 0.25
    assert [0, 0.25] == [limit.wait_seconds("a") for _ in range(2)]
    clock.now = 100
    assert [0, 0, 0.25] == [limit.wait_seconds("a") for _ in range(3)]


def test_buckets_are_bounded() -> None:
    """The key longest unused is forgotten."""
    limit = Pace(burst=1, per_second=1, clock=Ticks())
    for n in range(pace.BUCKETS + 1):
        limit.wait_seconds(n)
    assert pace.BUCKETS == len(limit._buckets)
    assert [0, 1] == [limit.wait_seconds(0), limit.wait_seconds(pace.BUCKETS)]
