"""The page that lists all simulators that run together, each with what it received and what was wrong."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from types import TracebackType
from typing import TYPE_CHECKING, Self

from aiohttp import web

from crossdock.simulators._page import STYLE

if TYPE_CHECKING:
    from crossdock.simulators.base import Simulator


class Overview:
    """Serves the page on a port of its own: ``async with Overview(running, host, 0) as page: page.url``."""

    def __init__(self, simulators: Sequence[Simulator], host: str, port: int) -> None:
        self.simulators, self.host, self.port = simulators, host, port
        app = web.Application()
        app.router.add_get("/", self._show)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port, reuse_address=True).start()
        self.port = self._runner.addresses[-1][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _show(self, _: web.Request) -> web.Response:
        return web.Response(text=render(self.simulators), content_type="text/html")


def render(simulators: Sequence[Simulator]) -> str:
    """Write the page for what the simulators hold now."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="3">
<meta name="viewport" content="width=device-width"><title>simulators</title>
<style>{STYLE}</style></head><body>
<h1>Simulators</h1>
<p>Strict local doubles of the vendors. Each link opens what one received, event by event.</p>
<table><tr><th>Vendor</th><th>Received</th><th>Answers</th><th>Duplicates</th><th>Violations</th></tr>
{"".join(map(_row, simulators))}</table>
{"".join(map(_faults, simulators))}
</body></html>"""


def _row(simulator: Simulator) -> str:
    store = simulator.store
    received = ", ".join(f"{store.counts[kind]:,} {kind}" for kind in simulator.kinds if store.counts[kind])
    answers = ", ".join(f"{number:,} times {status}" for status, number in sorted(store.answers.items()))
    return (
        f'<tr><td><a href="{escape(simulator.url)}/">{escape(simulator.vendor)}</a></td>'
        f"<td>{escape(received) or 'nothing yet'}</td><td>{answers or 'none'}</td>"
        f"<td>{_bad(store.duplicates.total())}</td><td>{_bad(store.violation_count)}</td></tr>"
    )


def _bad(number: int) -> str:
    return f'<b class="{"bad" if number else "good"}">{number:,}</b>'


def _faults(simulator: Simulator) -> str:
    """List the reasons of a vendor's violations, each once."""
    reasons = dict.fromkeys(violation.reason for violation in simulator.store.violations)
    listed = "".join(f"<li>{escape(reason)}</li>" for reason in list(reasons)[:20])
    return f"<h2>{escape(simulator.vendor)}: violations</h2><ul>{listed}</ul>" if listed else ""
