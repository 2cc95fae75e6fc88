"""The demo's stage: a temporary folder with settings, the simulators, and a whole gateway on free ports."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from crossdock import settings, simulators
from crossdock.cli.demo.pages import ORIGIN
from crossdock.cli.demo.play import Door
from crossdock.gateway import Gateway
from crossdock.simulators import Overview, Simulator


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs."""

    gateway: Gateway
    door: Door
    simulators: dict[str, Simulator]
    overview: str
    """The address of the page that lists the simulators."""
    config: Path


@asynccontextmanager
async def build(vendors: dict[str, dict[str, Any]]) -> AsyncIterator[Stage]:
    """Start simulators and gateway; stop them and remove the folder on leaving."""
    folder = Path(tempfile.mkdtemp(prefix="crossdock-demo-"))
    try:
        async with AsyncExitStack() as stack:
            running = {name: await stack.enter_async_context(simulators.load(name)()) for name in vendors}
            document = _settings(folder, vendors, running)
            config = folder / "crossdock.yaml"
            config.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
            gateway = await Gateway.open(settings.load(config), config_path=config)
            stack.push_async_callback(gateway.stop)
            await gateway.start()
            web, webhook = document["sources"]["web"], document["sources"]["segment"]
            door = Door(gateway.url, web["write_key"], "segment", webhook["webhook_secret"])
            overview = await stack.enter_async_context(Overview(list(running.values()), "127.0.0.1", 0))
            yield Stage(gateway, door, running, overview.url, config)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _settings(
    folder: Path, vendors: dict[str, dict[str, Any]], running: dict[str, Simulator]
) -> dict[str, Any]:
    return {
        "server": {"port": 0},
        "journal": {"url": f"sqlite:///{folder / 'crossdock.db'}"},
        "sources": {
            "web": {"write_key": secrets.token_urlsafe(16), "allowed_origins": [ORIGIN]},
            "segment": {"webhook_secret": secrets.token_urlsafe(16)},
        },
        "destinations": {
            name: {"settings": {**told["settings"], "base_url": running[name].url}}
            for name, told in vendors.items()
        },
    }
