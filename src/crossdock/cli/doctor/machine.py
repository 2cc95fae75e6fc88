"""The machine looked at: the journal's folder, its disk, and the gateway if one runs."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from crossdock.cli import terminal
from crossdock.cli.doctor.finding import Section
from crossdock.journal.connection import path_of
from crossdock.settings import JournalSettings

SLOW_FSYNC_SECONDS: Final = 0.05
LITTLE_BYTES: Final = 512 << 20
_WRITES: Final = 5


def journal(settings: JournalSettings) -> Section:
    """Look at the folder the journal lies in, or will lie in."""
    section = Section("journal")
    path = path_of(settings.url)
    folder = _existing(path.absolute().parent)
    if folder != path.absolute().parent:
        section.add("folder", "ok", f"{path.parent} is not there yet; `crossdock serve` makes it")
    elif not os.access(folder, os.W_OK):
        section.add("folder", "failed", f"{folder} cannot be written")
        return section
    else:
        there = terminal.size(path.stat().st_size) if path.exists() else "no journal yet"
        section.add("folder", "ok", f"{path}, {there}")
    _space(section, folder, settings.max_size)
    _fsync(section, folder)
    return section


def _existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _space(section: Section, folder: Path, max_size: int) -> None:
    free = shutil.disk_usage(folder).free
    says = f"{terminal.size(free)} free"
    if free < LITTLE_BYTES:
        section.add("space", "failed", f"{says}; a full disk makes the door answer 503")
    elif free < max_size:
        limit = terminal.size(max_size)
        section.add(
            "space", "warning", f"{says}, less than journal.max_size {limit}: the disk would fill first"
        )
    else:
        section.add("space", "ok", says)


def _fsync(section: Section, folder: Path) -> None:
    """Write and sync as a commit does; senders are answered only after it."""
    took: list[float] = []
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".crossdock-doctor-") as file:
            for _ in range(_WRITES):
                file.write(os.urandom(4096))
                file.flush()
                began = time.monotonic()
                os.fsync(file.fileno())
                took.append(time.monotonic() - began)
    except OSError as error:
        section.add("fsync", "failed", f"cannot write there: {error.strerror}")
        return
    middle = statistics.median(took)
    says = f"{middle * 1000:.1f} ms; every answer to a sender waits for one"
    section.add("fsync", "ok" if middle < SLOW_FSYNC_SECONDS else "warning", says)


def gateway(url: str, readiness: dict[str, Any] | None) -> Section:
    """Say what the running gateway says of itself."""
    section = Section("gateway")
    if readiness is None:
        section.add("readiness", "unchecked", f"no gateway answers at {url}")
        return section
    status = str(readiness.get("status", "unknown"))
    section.add("readiness", "ok" if status == "ready" else "warning", f"{status} at {url}")
    fault = readiness.get("settings", "in force")
    if fault != "in force":
        section.add("settings", "failed", f"the changed file is refused, the old one stays: {fault}")
    return section


def health(section: Section, readiness: dict[str, Any] | None, name: str) -> None:
    """Add what the running gateway says of one destination."""
    said = (readiness or {}).get("destinations", {}).get(name)
    if isinstance(said, dict) and isinstance(said.get("state"), str):
        state = said["state"]
        section.add("delivery", "ok" if state == "well" else "failed", f"the gateway says: {state}")
