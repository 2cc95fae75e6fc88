"""Which payloads go into the next request."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crossdock.delivery.batching import cut
from crossdock.delivery.plan import Owed
from crossdock.destinations.base import Limits, Payload

LIMITS = Limits(payloads=10, per_kind=4, body_bytes=100)


def owed(kind: str = "click", size: int = 5, endpoint: str = "") -> Owed:
    """Make one payload that is owed."""
    return Owed(Payload(1, 0, "m", kind, "p", b"x" * size), kind, endpoint, None)


def test_a_batch_is_a_prefix_up_to_the_count() -> None:
    """No more payloads than asked for, in order."""
    waiting = [owed(f"kind{i}") for i in range(5)]
    taken = cut(waiting, LIMITS, payloads=3, body_bytes=100)
    assert (tuple(waiting[:3]), True) == (taken.owed, taken.full)


def test_a_kind_has_its_own_limit() -> None:
    """The fifth click does not fit where four of a kind are allowed."""
    taken = cut([owed()] * 6, LIMITS, payloads=10, body_bytes=100)
    assert (4, True) == (len(taken.owed), taken.full)


def test_bytes_are_bounded() -> None:
    """The body stays within its limit, commas included."""
    taken = cut([owed(f"kind{i}", size=30) for i in range(4)], LIMITS, payloads=10, body_bytes=93)
    assert 3 == len(taken.owed)


def test_a_giant_goes_alone() -> None:
    """A payload that alone is too large is sent alone: the vendor has the last word."""
    taken = cut([owed(size=500), owed()], LIMITS, payloads=10, body_bytes=100)
    assert 1 == len(taken.owed)


def test_endpoints_never_share_a_request() -> None:
    """A change of endpoint ends the batch."""
    taken = cut([owed(endpoint="a"), owed(endpoint="b")], LIMITS, payloads=10, body_bytes=100)
    assert (1, True) == (len(taken.owed), taken.full)


def test_an_unfilled_batch_says_so() -> None:
    """What could still take more is not full, so the lane may wait for company."""
    assert not cut([owed()], LIMITS, payloads=10, body_bytes=100).full


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 60)), max_size=40), st.integers(1, 12))
def test_any_batch_is_a_prefix_within_limits(made: list[tuple[str, int]], count: int) -> None:
    """Whatever is owed, the batch is a non-empty prefix of it and breaks no limit, a lone giant aside."""
    waiting = [owed(kind, size) for kind, size in made]
    taken = cut(waiting, LIMITS, payloads=count, body_bytes=100).owed
    assert tuple(waiting[: len(taken)]) == taken
    assert bool(waiting) == bool(taken)
    if len(taken) > 1:
        assert len(taken) <= count
        assert sum(len(one.payload.body) + 1 for one in taken) <= 100
        assert all(sum(one.kind == kind for one in taken) <= 4 for kind in "abc")
