"""`crossdock try --last` and `--since`: what an edit would change, on stored events."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crossdock.cli.rehearsal import stored_events
from crossdock.journal import open_client, open_journal
from tests.cli.conftest import Running, Shell, eventually, fill

URL = "sqlite:///./journal.db"
SETTINGS = f"""
journal: {{url: "{URL}"}}
sources: {{web: {{write_key: wk}}}}
destinations:
  topsort:
    settings: {{api_key: key}}
"""


def click(number: int, **properties: Any) -> dict[str, Any]:
    """Write a click of a visitor of its own."""
    return {
        "type": "track",
        "event": "Product Clicked",
        "messageId": f"m-{number}",
        "anonymousId": f"ann-{number}",
        "timestamp": "2026-11-20T10:00:00Z",
        "properties": {"product_id": f"p-{number}", "position": 3, **properties},
    }


@pytest.fixture
def stored(shell: Shell) -> Shell:
    """Settings, and a journal with four clicks and a page call."""
    shell.write("crossdock.yaml", SETTINGS)
    page = {"type": "page", "name": "Home", "messageId": "m-0", "anonymousId": "ann"}
    fill(URL, page, *(click(number) for number in range(1, 5)))
    return shell


def mapping(shell: Shell, changes: str) -> str:
    """Write a mapping file that changes the shipped one."""
    shell.write("my.yaml", f"extends: topsort\npresets:\n  - name: Product Clicked\n    {changes}\n")
    return "my.yaml"


def test_nothing_would_change(stored: Shell) -> None:
    """The same mapping exits 0."""
    stored.write("my.yaml", "extends: topsort\n")
    assert "Nothing would change.\n" in stored("try", "--last", "10", "--mapping", "my.yaml").output


def test_changed_fields(stored: Shell) -> None:
    """A field mapped otherwise exits 3, is counted and shown with both values."""
    file = mapping(stored, "mapping: {entity: {type: vendor, id: $.properties.product_id}}")
    text = stored("try", "--last", "10", "--mapping", file, code=3).output
    assert "5 events, received " in text
    assert "topsort: fields that differ: entity.type 4" in text
    assert "topsort: changed: track Product Clicked → click  (messageId m-1)" in text
    assert '    entity.type: "product" → "vendor"' in text


@pytest.mark.parametrize(
    ("changes", "code", "expected"),
    [
        ("enabled: false", 3, {"vanished": 4}),
        ("action: impression", 3, {"vanished": 4, "new": 4}),
        ("mapping: {occurredAt: yesterday}", 1, {"newly invalid": 4}),
        ("once: {key: [$.messageId], within: 10s}", 3, {"changed": 4}),
        ("description: another", 0, {}),
    ],
)
def test_kinds_of_change(stored: Shell, changes: str, code: int, expected: dict[str, int]) -> None:
    """What vanishes, is new or becomes invalid is told apart, each with its exit code."""
    file = mapping(stored, changes)
    told = stored("try", "--last", "10", "--mapping", file, "--json", code=code)
    found = _json(told.stdout)["rehearsal"]["destinations"]["topsort"]
    assert expected == found["changes"]


def test_what_is_mended(stored: Shell) -> None:
    """A payload that is refused now and would be sent is no longer a loss."""
    stored.write("crossdock.yaml", SETTINGS + "    mapping: my.yaml\n")
    mapping(stored, "mapping: {occurredAt: yesterday}")
    stored.write("good.yaml", "extends: topsort\n")
    told = stored("try", "--last", "10", "--mapping", "good.yaml", "--json", code=3)
    assert {"mended": 4} == _json(told.stdout)["rehearsal"]["destinations"]["topsort"]["changes"]


def test_edited_settings(stored: Shell) -> None:
    """Settings as edited are tried whole: presets switched, a destination that comes or goes."""
    stored.write("edited.yaml", SETTINGS + "    presets: {Page Viewed: true, Product Clicked: false}\n")
    told = stored("try", "--last", "10", "--settings", "edited.yaml", "--json", code=3)
    found = _json(told.stdout)["rehearsal"]["destinations"]["topsort"]["changes"]
    assert {"new": 1, "vanished": 4} == found
    stored.write("edited.yaml", SETTINGS.replace("topsort:", "ads: \n    vendor: topsort"))
    text = stored("try", "--last", "10", "--settings", "edited.yaml", code=3).output
    assert "topsort: no longer a destination" in text
    assert "ads: a new destination" in text


def test_no_events(stored: Shell) -> None:
    """A time in which nothing came is said."""
    stored.write("my.yaml", "extends: topsort\n")
    text = stored("try", "--since", "0s", "--mapping", "my.yaml").output
    assert "The journal holds no such event." in text
    assert "5 events" in stored("try", "--since", "1h", "--mapping", "my.yaml").output


async def test_the_last_events(shell: Shell) -> None:
    """The last so many are read over pages, and no more."""
    journal = await open_journal(URL)
    await journal.close()
    reader = await open_client(URL)
    try:
        assert [] == [event async for event in stored_events(reader, 3, None)]
    finally:
        await reader.close()
    assert shell.folder.joinpath("journal.db").exists()


def test_the_last_of_many(shell: Shell) -> None:
    """Only so many are looked at, the newest."""
    shell.write("crossdock.yaml", SETTINGS)
    fill(URL, *(click(number) for number in range(1, 701)))
    file = mapping(shell, "enabled: false")
    told = _json(shell("try", "--last", "600", "--mapping", file, "--json", code=3).stdout)["rehearsal"]
    assert 600 == told["events"]
    assert {"vanished": 600} == told["destinations"]["topsort"]["changes"]
    samples = told["destinations"]["topsort"]["samples"]["vanished"]
    assert ["m-101", "m-102", "m-103"] == [one["message_id"] for one in samples]
    assert datetime.fromisoformat(told["newest"]) > datetime.now(UTC) - timedelta(minutes=5)


def test_beside_a_running_gateway(running: Running) -> None:
    """The journal is read while a gateway writes it."""
    running.send(click(1), click(2))
    eventually(lambda: running.shell.json("status")["destinations"]["topsort"]["passed"] == 2)
    file = mapping(running.shell, "mapping: {entity: {type: vendor, id: $.properties.product_id}}")
    assert "entity.type 2" in running.shell("try", "--last", "10", "--mapping", file, code=3).output


def _json(text: str) -> Any:
    return json.loads(text)
