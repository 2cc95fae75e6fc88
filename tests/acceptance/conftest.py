"""Fixtures of the acceptance tests: a running gateway and the Topsort it delivers to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.harness import API_KEY, Gateway, RecordingTopsort, Sender, sender, settings

_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Note whether a test failed, so that fixtures can show what the gateway wrote."""
    report = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report


@pytest.fixture
async def topsort() -> AsyncIterator[RecordingTopsort]:
    """Topsort, strict and recording, in this process."""
    async with RecordingTopsort(api_key=API_KEY) as simulator:
        yield simulator


@pytest.fixture
async def idle(
    tmp_path: Path, topsort: RecordingTopsort, request: pytest.FixtureRequest
) -> AsyncIterator[Gateway]:
    """A gateway that is set up but not started; it is killed in the end if it runs."""
    gateway = Gateway(tmp_path, settings(tmp_path, topsort.url))
    gateway.write()
    yield gateway
    if gateway.process is not None:
        await gateway.kill()
    if request.node.stash.get(_FAILED, False):
        print(f"\n--- end of {gateway.log} ---\n{gateway.tail()}")  # noqa: T201 - shown with the failure


@pytest.fixture
async def gateway(idle: Gateway) -> Gateway:
    """A gateway that is ready."""
    await idle.start()
    return idle


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[Sender]:
    """A plain client of the running gateway."""
    async with sender(gateway) as opened:
        yield opened
