"""`crossdock doctor`: what is wrong is found before events are, and what cannot be checked is said."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from crossdock import destinations
from crossdock.assembly import assemble
from crossdock.cli.demo.story import vendors
from crossdock.cli.doctor import machine, vendor
from crossdock.cli.doctor.finding import Section
from crossdock.cli.simulate import paste
from crossdock.delivery.sender import Sender
from crossdock.destinations.base import Response
from crossdock.settings import JournalSettings, parse
from crossdock.simulators import load, names
from tests.cli.conftest import Running, Shell, command, free_port, get, post, read_object


@contextmanager
def simulated(shell: Shell) -> Iterator[dict[str, str]]:
    """Run every simulator, and write settings that point at them."""
    with command("simulate", "--port", "0", "--json") as process:
        urls = {vendor: url for vendor, url in json.loads(read_object(process)).items() if vendor in names()}
        simulators = []
        for name, url in urls.items():
            simulator = load(name)(port=int(url.rpartition(":")[2]))
            simulators.append(simulator)
        server = f"server: {{port: {free_port()}}}\n"
        shell.write("crossdock.yaml", server + "sources: {web: {write_key: wk}}\n" + paste(simulators))
        yield urls


def states(told: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Give what was found by section and subject."""
    return {(s["name"], one["what"]): one["state"] for s in told["sections"] for one in s["findings"]}


def test_all_vendors_are_checked_by_their_harmless_calls(shell: Shell) -> None:
    """Against the simulators everything passes, what no call can tell is said, and nothing is counted."""
    with simulated(shell) as urls:
        found = states(shell.json("doctor"))
        assert "failed" not in found.values()
        assert "ok" == found["vibetrace", "api_key"]
        assert "ok" == found["blueshift", "event_api_key and region"]
        assert "ok" == found["segmentify", "base_url"]
        assert "unchecked" == found["segmentify", "api_key and origin"]
        assert "unchecked" == found["topsort", "api_key"]
        assert {"ok"} == {state for (_, what), state in found.items() if what in ("connection", "clock")}
        text = shell("doctor").output
        assert "? api_key" in text
        assert "no call tells without an event" in text
        for url in urls.values():
            assert 0 == get(f"{url}/_simulator/violations")["count"]
        assert "topsort\n" not in shell("doctor", "vibetrace").output


def test_a_refused_key(shell: Shell) -> None:
    """A wrong key fails with the vendor's words, is not shown, and exits 1."""
    with simulated(shell) as urls:
        text = (shell.folder / "crossdock.yaml").read_text()
        key = parse(text, "x").destinations["vibetrace"].settings["api_key"]
        post(f"{urls['vibetrace']}/_simulator/switches", {"next_statuses": [401]})
        told = shell("doctor", "vibetrace", code=1).output
        assert "✗ api_key" in told
        assert "1 failure" in told
        assert key not in told


def test_nobody_listens(shell: Shell) -> None:
    """An address where nobody is fails plainly, and its calls are not tried."""
    port = free_port()
    shell.write(
        "crossdock.yaml",
        "sources: {web: {write_key: wk}}\ndestinations:\n  topsort:\n"
        f"    settings: {{api_key: key, base_url: 'http://127.0.0.1:{port}'}}\n",
    )
    found = json.loads(shell("doctor", "topsort", "--json", code=1).stdout)
    (connection,) = [one for one in found["sections"][1]["findings"] if one["what"] == "connection"]
    assert "failed" == connection["state"]
    assert f"127.0.0.1:{port}: Connect" in connection["says"]
    assert ("topsort", "clock") not in states(found)


def test_wrong_settings(shell: Shell) -> None:
    """Errors of the files are findings with their places, all of them."""
    shell.write("crossdock.yaml", "sources: {}\ndestinations: {topsort: {settings: {api_kee: x}}}\n")
    text = shell("doctor", code=1).output
    assert "crossdock.yaml:2:" in text
    assert "did you mean 'api_key'?" in text


def test_no_such_destination(shell: Shell) -> None:
    """A name that is none is said in one line."""
    shell.write("crossdock.yaml", "sources: {web: {write_key: wk}}\ndestinations: {}\n")
    assert "destination 'x' is not in the settings" in shell("doctor", "x", code=1).stderr
    assert "! destinations" in shell("doctor").output


def test_beside_a_running_gateway(running: Running) -> None:
    """The gateway's own word on itself and its destinations is there."""
    found = states(running.shell.json("doctor"))
    assert "ok" == found["gateway", "readiness"]
    assert "ok" == found["topsort", "delivery"]
    assert "ok" == found["journal", "folder"]


def test_the_journal_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Free space and the time of a sync are told, with a warning where they are little or long."""

    def look(**settings: Any) -> dict[str, str]:
        url = f"sqlite:///{tmp_path}/data/journal.db"
        return {one.what: one.state for one in machine.journal(JournalSettings(url=url, **settings)).findings}

    assert {"folder": "ok", "space": "ok", "fsync": "ok"} == look(max_size=4 * 1024**2)
    assert [] == list(tmp_path.iterdir())
    assert "warning" == look(max_size=10**18)["space"]
    monkeypatch.setattr(machine, "SLOW_FSYNC_SECONDS", 0.0)
    monkeypatch.setattr(machine, "LITTLE_BYTES", 10**18)
    assert {"folder": "ok", "space": "failed", "fsync": "warning"} == look(max_size=4 * 1024**2)


def test_what_the_gateway_says() -> None:
    """A refused settings file and a destination in trouble are failures."""
    said = {
        "status": "draining",
        "settings": "crossdock.yaml:1:1: wrong",
        "destinations": {"topsort": {"state": "halted"}},
    }
    section = machine.gateway("http://here", said)
    assert ["warning", "failed"] == [one.state for one in section.findings]
    about = Section("topsort")
    machine.health(about, said, "topsort")
    assert ["the gateway says: halted"] == [one.says for one in about.findings]


@pytest.mark.parametrize(
    ("ahead", "state", "says"),
    [
        (0, "ok", "within 1 s of the vendor's"),
        (3600, "failed", "60 min behind"),
        (-90, "failed", r"(89|90|91) s ahead"),
    ],
)
async def test_a_wrong_clock(ahead: int, state: str, says: str) -> None:
    """Our clock is held against the vendor's Date, which knows whole seconds only."""

    async def answer(_: web.Request) -> web.Response:
        date = datetime.now(UTC) + timedelta(seconds=ahead)
        return web.Response(headers={"Date": format_datetime(date, usegmt=True)})

    async with _serving(answer) as url:
        found = await _looked_at(url)
    assert state == found["clock"].state
    assert re.match(says, found["clock"].says)


async def test_tls_to_who_speaks_none() -> None:
    """An https address where no TLS is spoken fails at the connection."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response()

    async with _serving(answer) as url:
        found = await _looked_at(url.replace("http://", "https://"))
    assert "failed" == found["connection"].state


def _serving(answer: Any) -> Any:
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)

    class Serving:
        async def __aenter__(self) -> str:
            self.server = TestServer(app)
            await self.server.start_server()
            return str(self.server.make_url("")).rstrip("/")

        async def __aexit__(self, *_: object) -> None:
            await self.server.close()

    return Serving()


async def _looked_at(url: str) -> dict[str, Any]:
    settings = parse(
        "sources: {web: {write_key: wk}}\n"
        f"destinations: {{topsort: {{settings: {{api_key: key, base_url: '{url}'}}}}}}\n",
        "x",
    )
    sender = Sender()
    try:
        section = await vendor.look(assemble(settings)["topsort"], sender)
    finally:
        await sender.close()
    return {one.what: one for one in section.findings}


EVENTS = [{"event": "view", "timestamp": "2026-11-23T10:00:00Z"}, {"event": "purchase"}]
STATS = {"stats": {"view": {"count": 1200}}, "events_chart_stats": {"error": {"missing_identifier": [2]}}}


@pytest.mark.parametrize(
    ("name", "place", "answer", "passed", "says"),
    [
        ("blueshift", 0, Response(200, json.dumps(EVENTS).encode()), True, "accepted; last seen: view 2026-"),
        ("blueshift", 0, Response(200, b"[]"), True, "accepted; no event was seen yet"),
        (
            "blueshift",
            0,
            Response(401, b'{"message": "Not authorized"}'),
            False,
            "401: Not authorized; the",
        ),
        ("blueshift", 0, Response(500, b""), None, "500: not an answer of Blueshift's"),
        (
            "blueshift",
            1,
            Response(200, json.dumps(STATS).encode()),
            None,
            "counted in the last 7 days: view",
        ),
        ("blueshift", 1, Response(403, b"{}"), False, "403: not an answer of Blueshift's; the user_api_key"),
        ("segmentify", 0, Response(200, b'["a-key"]'), True, "it is a data centre"),
        ("segmentify", 0, Response(404, b"no"), False, "404: no"),
        ("segmentify", 0, Response(503, b"busy"), None, "503: busy"),
        (
            "vibetrace",
            0,
            Response(404, b'{"errors": [{"message": "User not found"}]}'),
            True,
            "the key is acc",
        ),
        ("vibetrace", 0, Response(401, b"{}"), False, "401: the key is refused"),
        ("sharpspring_ads", 0, Response(200, b"(function"), True, "answers 200"),
        ("sharpspring_ads", 0, Response(404, b"gone"), False, "404: gone"),
        ("sharpspring_ads", 0, Response(500, b"oops"), None, "500: oops"),
    ],
)
def test_what_an_answer_tells(
    name: str, place: int, answer: Response, passed: bool | None, says: str
) -> None:
    """Each vendor's harmless call tells right from wrong, and neither where it cannot be told."""
    settings = vendors()[name]["settings"]
    account = destinations.load(name).model_validate({**settings, "base_url": "https://vendor.example"})
    found = account.checkups()[place].read(answer)
    assert (passed, says) == (found.passed, found.says[: len(says)])
