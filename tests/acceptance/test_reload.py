"""A mapping file is edited while events come in: nothing is lost, and nothing is mapped by half a file."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.acceptance.harness import Gateway, RecordingTopsort, Sender, click, sender, until

VISITORS = 12

# The two marks are the first and the last field: half a file has the first alone, and is valid.
MAPPING = """\
destination: topsort
presets:
  - name: Click
    subscribe: type = "track" and event = "Product Clicked"
    action: click
    mapping:
      externalCampaignId: {version}
      id: $.messageId
      occurredAt: {{$first: [$.timestamp, $.receivedAt]}}
      opaqueUserId: $.anonymousId
      resolvedBidId: $.properties.resolvedBidId
      # half
      externalVendorId: {version}
"""


def text(version: str) -> str:
    """Give a whole mapping file that marks its payloads twice."""
    return MAPPING.format(version=version)


def replaced(path: Path, version: str) -> None:
    """Write a new file and move it into place, as most editors do."""
    new = path.with_suffix(".new")
    new.write_text(text(version), "utf-8")
    new.replace(path)


def truncated(path: Path, version: str) -> None:
    """Write over the file itself at one go."""
    path.write_text(text(version), "utf-8")


async def in_two_halves(path: Path, version: str) -> None:
    """Write over the file itself, slowly: for a while it is half a file, and a valid one."""
    first, second = text(version).split("      # half\n")
    with path.open("w", encoding="utf-8") as file:
        file.write(first)
        file.flush()
        for _ in range(10):  # while others may look
            await asyncio.sleep(0.02)
        file.write(second)


async def write(path: Path, version: str, way: str) -> None:
    """Write the mapping file in one of three ways."""
    if way == "in two halves":
        await in_two_halves(path, version)
    else:
        (replaced if way == "replaced" else truncated)(path, version)


@asynccontextmanager
async def load(client: Sender) -> AsyncIterator[list[str]]:
    """Send clicks of many visitors until the end; gives the ids that were accepted so far."""
    sent: list[str] = []
    ended = False

    async def send() -> None:
        while not ended:
            ids = [f"m-{len(sent) + n:06}" for n in range(VISITORS)]
            await client.insist([click(one, f"visitor-{n}") for n, one in enumerate(ids)])
            sent.extend(ids)
            await asyncio.sleep(0.005)

    sending = asyncio.create_task(send())
    try:
        yield sent
    finally:
        ended = True
        await sending


@pytest.fixture
async def mapping(idle: Gateway) -> Path:
    """The mapping file of a gateway that runs by its first version."""
    path = idle.folder / "mine.yaml"
    truncated(path, "v0")
    idle.settings["destinations"]["topsort"]["mapping"] = "mine.yaml"
    idle.settings["destinations"]["topsort"]["delivery"]["batch_wait"] = "5ms"
    await idle.start()
    return path


def marks(topsort: RecordingTopsort) -> list[tuple[str, str, str | None, str | None]]:
    """Give visitor, id and the two marks of every click that arrived."""
    return [
        (one["opaqueUserId"], one["id"], one.get("externalCampaignId"), one.get("externalVendorId"))
        for one in topsort.received("clicks")
    ]


def seen(topsort: RecordingTopsort, version: str) -> Callable[[], bool]:
    """Ask whether a click of a version has arrived lately."""
    return lambda: any(mark[2] == version for mark in marks(topsort)[-200:])


async def ready(client: Sender) -> dict[str, Any]:
    """Give what /readyz says."""
    async with client.session.get(f"{client.gateway.url}/readyz") as answer:
        assert 200 == answer.status
        found: dict[str, Any] = orjson.loads(await answer.read())
        return found


async def counted(client: Sender, metric: str) -> float:
    """Give a counter of /metrics."""
    async with client.session.get(f"{client.gateway.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{metric} "))


async def test_edits_under_load_lose_nothing_and_never_show_half(
    idle: Gateway, topsort: RecordingTopsort, mapping: Path
) -> None:
    """However a file is written, each event is mapped by a whole version, no older one after a newer."""
    ways = ["replaced", "truncated", "in two halves"] * 3
    async with sender(idle) as client:
        async with load(client) as sent:
            for number, way in enumerate(ways, 1):
                await write(mapping, f"v{number}", way)
                await until(seen(topsort, f"v{number}"), f"a click marked v{number}, {way}")
        await until(lambda: topsort.count("clicks") == len(sent), "every click that was accepted")
    found = marks(topsort)
    assert set(sent) == {id_ for _, id_, _, _ in found}
    assert len(sent) == len(found)
    assert [] == [mark for mark in found if mark[2] != mark[3]]
    for visitor in {mark[0] for mark in found}:
        versions = [int((mark[2] or "v")[1:]) for mark in found if mark[0] == visitor]
        assert sorted(versions) == versions
    assert [] == idle.logged("settings.refused")
    assert [] == topsort.violations


async def test_a_broken_edit_is_named_and_the_old_file_stays(
    idle: Gateway, topsort: RecordingTopsort, mapping: Path
) -> None:
    """Log, /readyz and metrics name the mistake with its place; events go on by the old one."""
    async with sender(idle) as client:
        async with load(client) as sent:
            before = (await ready(client))["destinations"]["topsort"]["mapping"]
            mapping.write_text(text("v1").replace("$first", "$frist"), "utf-8")
            await until(lambda: bool(idle.logged("settings.refused")), "the edit to be refused")
            refused = len(topsort.received("clicks"))
            (line,) = idle.logged("settings.refused")
            told = f"{mapping.name}:9:20: Click: $frist is not a directive; did you mean $first?"
            assert told in line["reason"]
            state = await ready(client)
            assert told in state["settings"]
            assert before == state["destinations"]["topsort"]["mapping"]
            assert 1 == await counted(client, "crossdock_reload_failures_total")
            await until(lambda: topsort.count("clicks") > refused + 50, "clicks by the old file")
            assert {"v0"} == {mark[2] for mark in marks(topsort)}

            replaced(mapping, "v2")
            await until(lambda: marks(topsort)[-1][2] == "v2", "clicks by the mended file")
            state = await ready(client)
            assert "in force" == state["settings"]
            assert before != state["destinations"]["topsort"]["mapping"]
        await until(lambda: topsort.count("clicks") == len(sent), "every click that was accepted")
    assert set(sent) == {mark[1] for mark in marks(topsort)}
    assert {"v0", "v2"} == {mark[2] for mark in marks(topsort)}


async def test_sighup_reloads_at_once(idle: Gateway, topsort: RecordingTopsort, mapping: Path) -> None:
    """SIGHUP reads the files again whether they changed or not; a file that is gone is refused."""
    async with sender(idle) as client:
        idle.signal(signal.SIGHUP)
        await until(lambda: len(idle.logged("settings.reloaded")) == 1, "the first reload")
        mapping.unlink()
        idle.signal(signal.SIGHUP)
        await until(lambda: bool(idle.logged("settings.refused")), "the missing file to be refused")
        await client.insist([click("m-1", "visitor")])
        await until(lambda: topsort.count("clicks") == 1, "the click by the old file")
    assert ["v0"] == [mark[2] for mark in marks(topsort)]
