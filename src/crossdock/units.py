"""Durations and sizes as people write them in YAML: ``10s``, ``7d``, ``512KiB``."""

from __future__ import annotations

import re
from datetime import timedelta

from crossdock.errors import ConfigError

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)")
_BYTES = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}


def parse_duration(text: object) -> timedelta:
    """
    Read ``200ms``, ``10s``, ``5m``, ``2h`` or ``7d``.

    Raises:
        ConfigError: It is none of these; the message shows the form.
    """
    found = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ConfigError(f"{_shown(text)} is no duration; write a number with ms, s, m, h or d, such as 10s")
    try:
        return timedelta(seconds=float(found[1]) * _SECONDS[found[2]])
    except OverflowError:
        raise ConfigError(f"{_shown(text)} is too long a duration") from None


def parse_size(text: object) -> int:
    """
    Read a size in bytes: ``512KiB``, ``20GiB``, ``1MB``.

    Raises:
        ConfigError: It is not one; the message shows the form.
    """
    found = _SIZE.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ConfigError(f"{_shown(text)} is no size; write a number with KiB, MiB or GiB, such as 512KiB")
    return int(float(found[1]) * _BYTES[found[2]])


def _shown(value: object) -> str:
    return repr(value)[:60]
