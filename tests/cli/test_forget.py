"""``crossdock forget``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Running, Shell, eventually, fill

SETTINGS = "sources: {web: {write_key: k}}\njournal: {url: 'sqlite:///./journal.db'}\n"


def _viewed(message_id: str, **ids: str) -> dict[str, object]:
    return {
        "type": "track",
        "event": "Product Viewed",
        "messageId": message_id,
        "properties": {"product_id": "p"},
        **ids,
    }


def test_the_running_gateway_erases(running: Running) -> None:
    """Everything of the user goes, others' stays, and the counts are told."""
    running.send(_viewed("m1", anonymousId="a", userId="u"), _viewed("m2", anonymousId="a"))
    running.send(_viewed("m3", anonymousId="b"))
    eventually(lambda: running.shell.json("status")["journal"]["events"] == 3)
    told = running.shell.json("forget", "u")
    assert "done" == told["state"]
    assert (2, 1) == (told["erased"]["events"], told["erased"]["users"])
    assert 1 == running.shell.json("status")["journal"]["events"]
    running.shell("why", "m1", code=1)
    running.shell("why", "m3")
    assert "nothing was known" in running.shell("forget", "nobody").output


def test_without_a_gateway_it_waits(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command stays in the journal for the next `serve`."""
    monkeypatch.setattr("crossdock.cli.connection.WAIT_SECONDS", 0.0)
    shell.write("crossdock.yaml", SETTINGS)
    fill("sqlite:///./journal.db", _viewed("m1", userId="u"))
    assert {"state": "queued", "erased": None} == json.loads(shell("forget", "u", "--json").stdout)
    assert "as soon as `crossdock serve` runs" in shell("forget", "u").output


def test_without_a_journal_it_says_so(shell: Shell) -> None:
    """There is nothing to erase where no gateway ever ran."""
    shell.write("crossdock.yaml", SETTINGS)
    assert "there is no journal" in shell("forget", "u", code=1).output
    shell("forget", "", code=2)
