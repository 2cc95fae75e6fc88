"""`crossdock simulate`: runs the doubles, and says how to point a gateway at them."""

from __future__ import annotations

import json
import socket
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from crossdock.cli.simulate import paste
from crossdock.settings import parse
from crossdock.simulators import load, names
from tests.cli.conftest import Shell, command


def test_it_prints_addresses_and_settings() -> None:
    """Each simulator's address is shown, and Ctrl-C ends it well."""
    with command("simulate", "topsort", "--port", "0") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("topsort          http://127.0.0.1:")


def test_one_page_lists_all() -> None:
    """Beside each simulator's own page there is one that links to all of them."""
    with command("simulate", "--port", "0") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().split() for _ in range(len(names()) + 1)]
        urls = {words[0]: words[-1] for words in lines}
        with urlopen(urls["all"], timeout=10) as answer:
            page = answer.read().decode()
        for name in names():
            assert f'<a href="{urls[name]}/">{name}</a>' in page
        try:
            urlopen(Request(f"{urls['topsort']}/v2/events", b"{}", method="POST"), timeout=10)
        except HTTPError as error:
            error.close()
        with urlopen(urls["all"], timeout=10) as answer:
            assert "topsort: violations" in answer.read().decode()


def test_the_settings_can_be_pasted() -> None:
    """What it prints loads, and points at the simulator."""
    simulator = load("topsort")(port=9100)
    settings = parse(paste([simulator]), "pasted")
    assert "http://127.0.0.1:9100" == settings.destinations["topsort"].settings["base_url"]


def test_errors(shell: Shell) -> None:
    """An unknown vendor and a taken port are said in one line."""
    assert "no simulator for 'topsrot'" in shell("simulate", "topsrot", code=1).stderr
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert "choose another --port" in shell("simulate", "topsort", "--port", port, code=1).stderr


def test_json() -> None:
    """Programs get the addresses by vendor."""
    with command("simulate", "topsort", "--port", "0", "--json") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        assert json.loads("".join(lines))["topsort"].startswith("http://127.0.0.1:")
