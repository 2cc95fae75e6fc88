"""When to try again: decisions only, nothing here sleeps."""

from __future__ import annotations

import random
import time

from crossdock.destinations.base import Retry

FIRST_SECONDS = 0.5
EARLY_CAP_SECONDS = 15.0
"""The longest wait in an outage's first five minutes."""
EARLY_SECONDS = 300.0
LATE_CAP_SECONDS = 60.0
WISH_CAP_SECONDS = 3600.0
"""The longest a vendor's own wish is obeyed without asking again."""
HALT_PROBE_SECONDS = 30.0
ASIDE_CAP_SECONDS = 900.0


def backoff(attempt: int, outage_seconds: float, *, draw: float | None = None) -> float:
    """
    Give the seconds to wait before attempt `attempt` + 1 (the first failed attempt is 1).

    Exponential and capped, with full jitter: lanes that failed together must not come back together.
    """
    cap = EARLY_CAP_SECONDS if outage_seconds < EARLY_SECONDS else LATE_CAP_SECONDS
    ceiling = min(cap, FIRST_SECONDS * 2.0 ** min(attempt - 1, 30))
    return ceiling * (random.random() if draw is None else draw)  # noqa: S311 - jitter is no secret


def aside_backoff(attempt: int, *, draw: float | None = None) -> float:
    """Give the seconds before payloads set aside are tried again: up to a quarter of an hour."""
    ceiling = min(ASIDE_CAP_SECONDS, 5.0 * 2.0 ** min(attempt - 1, 30))
    return ceiling * (0.5 + 0.5 * (random.random() if draw is None else draw))  # noqa: S311


def wished_wait(retry: Retry, *, now_epoch_seconds: float | None = None) -> float | None:
    """Give the seconds the vendor asked us to stay away, or ``None`` where it did not say."""
    if retry.after_seconds is not None:
        return min(retry.after_seconds, WISH_CAP_SECONDS)
    if retry.until_epoch_seconds is not None:
        now = time.time() if now_epoch_seconds is None else now_epoch_seconds
        return min(max(0.0, retry.until_epoch_seconds - now), WISH_CAP_SECONDS)
    return None
