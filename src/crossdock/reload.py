"""When to reload: a watched file changed, or SIGHUP came."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from watchfiles import awatch


async def watch(reload: Callable[[], Awaitable[None]], paths: Callable[[], list[Path]]) -> None:
    """Call `reload` once per burst of changes until cancelled; what is watched is asked anew each time."""
    hangup = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hangup.set)
    while True:
        changed = asyncio.create_task(_changed([path.resolve() for path in paths()]))
        hung_up = asyncio.create_task(hangup.wait())
        try:
            await asyncio.wait({changed, hung_up}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
            hung_up.cancel()
            await asyncio.gather(changed, hung_up, return_exceptions=True)
        hangup.clear()
        await reload()


async def _changed(paths: list[Path]) -> None:
    """Return when one of the files changes; folders are watched, as editors and mounts replace files."""
    folders = {path.parent for path in paths if path.parent.is_dir()}
    wanted = {str(path) for path in paths}
    async for changes in awatch(*folders, recursive=False, debounce=200, rust_timeout=1000):
        # Kubernetes swaps a `..data` link in the folder: the file itself is not named.
        if any(name in wanted or Path(name).name == "..data" for _, name in changes):
            return
