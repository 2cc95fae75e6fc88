"""An operator's day against a gateway that runs: status, why, dead letters, quarantine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import API_KEY, Running, Shell, command, eventually, gateway_url, ready


def clicked(message_id: str, **properties: Any) -> dict[str, Any]:
    """Give a click on a promoted product."""
    return {
        "type": "track",
        "event": "Product Clicked",
        "messageId": message_id,
        "anonymousId": "ann",
        "properties": {"product_id": "p-1", "resolvedBidId": "bid-1", **properties},
    }


def verdict_of(shell: Shell, message_id: str) -> str:
    """Ask `why` what became of an event."""
    return str(shell.json("why", message_id)["stories"][0]["deliveries"][0]["verdict"])


def settled(shell: Shell) -> bool:
    """Tell whether nothing waits and nothing is set aside."""
    topsort = shell.json("status")["destinations"]["topsort"]
    return topsort["passed"] > 0 and not topsort["waiting"] and not topsort["set_aside"]


def test_a_delivered_event(running: Running) -> None:
    """`status` counts it and `why` tells its way to the vendor's answer."""
    running.send(clicked("m-1"), clicked("m-2"), clicked("m-1"), {"type": "track", "event": "Nobody"})
    eventually(lambda: settled(running.shell))
    status = running.shell.json("status")
    assert {"accepted": 2, "duplicates": 1, "refused": 1} == status["sources"]["web"]
    assert {"delivered.click": 1, "suppressed.click": 1} == status["destinations"]["topsort"]["totals"]
    assert "ready" == status["gateway"]["status"]
    text = running.shell("status").output
    assert "1 in the quarantine" in text
    told = running.shell("why", "m-1").output
    assert "topsort: delivered" in told
    assert "→ 204 delivered" in told
    assert "this event holds the claim, and held back m-2" in told
    assert "held back: m-1 told of the same action" == verdict_of(running.shell, "m-2")
    copy = running.shell("why", "m-2").output
    assert "held back: m-1 holds the claim" in copy
    assert "  sent " not in copy
    assert API_KEY not in told + text


def test_a_dead_letter_from_list_to_replay(running: Running) -> None:
    """A refused payload is listed, shown with the vendor's words, replayed and gone."""
    running.switch(refuse=["bid-1", "p-1", "m-1"])
    running.send(clicked("m-1"))
    eventually(lambda: running.shell.json("dead-letters", "list"))
    listed = running.shell("dead-letters", "list").output
    assert "m-1" in listed
    assert "bad_request" in running.shell("dead-letters", "show", "1").output
    assert "dead letter 1" == verdict_of(running.shell, "m-1")
    running.switch(refuse=[])
    assert "1 set aside to be sent again\n" == running.shell("dead-letters", "replay", "1").output
    eventually(lambda: not running.shell.json("dead-letters", "list"))
    assert "No dead letters.\n" == running.shell("dead-letters", "list").output
    eventually(lambda: verdict_of(running.shell, "m-1") == "delivered")


def test_discard_asks_first(running: Running) -> None:
    """Dropping every dead letter needs a yes; ids do not."""
    running.switch(refuse=["p-1", "p-2", "m-1", "m-2", "bid-1", "bid-2"])
    running.send(clicked("m-1"), clicked("m-2", product_id="p-2", resolvedBidId="bid-2"))
    eventually(lambda: len(running.shell.json("dead-letters", "list")) == 2)
    assert "Aborted" in running.shell("dead-letters", "discard", "--all", code=1, stdin="n\n").output
    assert "1 discarded" in running.shell("dead-letters", "discard", "1").output
    done = running.shell.json("dead-letters", "discard", "--destination", "topsort", "--yes")
    assert {"state": "done", "result": "1 discarded"} == done


def test_the_quarantine(running: Running) -> None:
    """A refused event is listed and shown; what is still invalid stays."""
    running.send({"type": "track", "event": "Product Clicked", "messageId": "m-9"})
    assert "m-9" in running.shell("quarantine", "list").output
    assert "an event needs a userId or an anonymousId" in running.shell("quarantine", "show", "1").output
    assert running.shell("quarantine", "replay", "--all").output.startswith("1: ")
    assert 1 == len(running.shell.json("quarantine", "list"))
    assert "Refused at the door" in running.shell("why", "m-9").output


def test_a_hostile_event_cannot_steer_the_terminal(running: Running) -> None:
    """Escape sequences and markup of a sender are shown as they are, everywhere."""
    running.send({"type": "track", "event": "x", "messageId": "\x1b[2J[red]evil[/red]"})
    for arguments in (["quarantine", "list"], ["quarantine", "show", "1"]):
        text = running.shell(*arguments).output
        assert "\\x1b[2J[red]evil[/red]" in text
        assert "\x1b" not in text


def test_nothing_there_yet(shell: Shell, settings_file: Callable[[str], Path]) -> None:
    """Before the first `serve` there is no journal, and the error says what makes it."""
    settings_file("http://127.0.0.1:9")
    for arguments in (["status"], ["why", "m"], ["dead-letters", "list"], ["quarantine", "list"]):
        assert "`crossdock serve` makes it" in shell(*arguments, code=1).stderr


def test_a_command_waits_for_a_gateway(running: Running) -> None:
    """Ids that are not there and wrong use are told apart."""
    shell = running.shell
    assert (
        "no dead letter 7; `crossdock dead-letters list`"
        in shell("dead-letters", "replay", "7", code=1).stderr
    )
    assert "no quarantined event 7" in shell("quarantine", "show", "7", code=1).stderr
    assert "name ids, or --destination NAME, or --all" in shell("dead-letters", "replay", code=2).stderr
    assert "name ids, or --all" in shell("quarantine", "replay", "1", "--all", code=2).stderr
    assert "The journal knows no event m-0" in shell("why", "m-0", code=1).output


def test_without_a_gateway_commands_queue(
    shell: Shell, settings_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no gateway running a replay is kept, and the command says so."""
    url = gateway_url(settings_file("http://127.0.0.1:9"))
    monkeypatch.setattr("crossdock.cli.connection.WAIT_SECONDS", 0.2)
    with command("serve", "--log-level", "error"):
        eventually(lambda: ready(url))
        assert "gateway   ready" in shell("status").output
    assert "Queued: no gateway answered" in shell("dead-letters", "replay", "--all").output
    assert "gateway   not running" in shell("status").output
