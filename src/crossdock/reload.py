"""When to reload: a watched file changed and has come to rest, or SIGHUP came."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final

from watchfiles import awatch

_LOOK_MILLISECONDS: Final = 1_000
"""How often is looked without being told: a change that falls between two watches tells nobody."""
_REST_SECONDS: Final = 0.5
_LONGEST_RESTS: Final = 20

Fingerprint = tuple[tuple[int, int, int] | None, ...]


def fingerprint(paths: Iterable[Path]) -> Fingerprint:
    """Give what tells two states of these files apart: which file it is, its size and when it was written."""
    return tuple(_of(path) for path in paths)


def _of(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


async def watch(reload: Callable[[], Awaitable[None]], paths: Callable[[], list[Path]]) -> None:
    """Call `reload` once per burst of changes until cancelled; what is watched is asked anew each time."""
    hangup = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hangup.set)
    seen = fingerprint(paths())
    while True:
        changed = asyncio.create_task(_changed(paths(), seen))
        hung_up = asyncio.create_task(hangup.wait())
        try:
            await asyncio.wait({changed, hung_up}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
            hung_up.cancel()
            await asyncio.gather(changed, hung_up, return_exceptions=True)
        hangup.clear()
        # Before the files are read: what changes from here on is seen in the next round.
        before = paths()
        seen = fingerprint(before)
        await reload()
        if paths() != before:
            seen = fingerprint(paths())


async def _changed(paths: list[Path], seen: Fingerprint) -> None:
    """Return when the files are not as seen and at rest; folders are watched, as files are replaced."""
    folders = {path.resolve().parent for path in paths} | {path.absolute().parent for path in paths}
    present = [folder for folder in folders if folder.is_dir()]
    watching = awatch(
        *present, recursive=False, debounce=200, rust_timeout=_LOOK_MILLISECONDS, yield_on_timeout=True
    )
    async for _ in watching:
        if fingerprint(paths) != seen:
            await _at_rest(paths)
            return


async def _at_rest(paths: list[Path]) -> None:
    """Wait until whoever writes has finished: one who writes in place shows half a file for a while."""
    seen = fingerprint(paths)
    for _ in range(_LONGEST_RESTS):
        await asyncio.sleep(_REST_SECONDS)
        now = fingerprint(paths)
        if now == seen:
            return
        seen = now
