"""How often one visitor's pages may ask: a bucket of tokens each, and no more buckets than fit in memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

BUCKETS = 10_000


class Pace:
    """A rate limit by key: `burst` at once, then `per_second`; the keys longest unused are forgotten."""

    def __init__(self, burst: float, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._per_second = per_second
        self._clock = clock
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def wait_seconds(self, key: Hashable) -> float:
        """Take a token and give 0, or give how long to stay away until there is one."""
        now = self._clock()
        tokens, since = self._buckets.pop(key, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._per_second)
        if tokens < 1:
            self._buckets[key] = tokens, now
            return (1 - tokens) / self._per_second
        self._buckets[key] = tokens - 1, now
        if len(self._buckets) > BUCKETS:
            self._buckets.popitem(last=False)
        return 0.0
