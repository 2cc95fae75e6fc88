"""`crossdock try`: what would be sent where, and why not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import Running, Shell, eventually

KEY = "marketplace-key-that-must-not-be-shown"
SETTINGS = (
    "sources: {web: {write_key: wk}, app: {write_key: wk2}}\n"
    "destinations:\n"
    "  topsort:\n"
    "    sources: [web]\n"
    f"    settings: {{api_key: {KEY}}}\n"
)
EVENT: dict[str, Any] = {
    "type": "track",
    "event": "Product Clicked",
    "messageId": "m-1",
    "anonymousId": "ann",
    "properties": {"product_id": "p-1", "resolvedBidId": "bid-1", "position": "none"},
}


@pytest.fixture
def event(shell: Shell) -> str:
    """Write settings and an event; give the event's file."""
    shell.write("crossdock.yaml", SETTINGS)
    shell.write("event.json", json.dumps(EVENT))
    return "event.json"


def test_what_is_sent_and_why(shell: Shell, event: str) -> None:
    """Matching and failing presets, payload, guard and request stand there, and no secret."""
    text = shell("try", event).output
    assert "topsort: sends 1 (click)" in text
    assert "✓ Product Clicked → click" in text
    assert "✗ Product Viewed: event = \"Product Viewed\" fails: event is 'Product Clicked'" in text
    guard = (
        'guard: click:["ann","bid-1"] once within 10 s: passes unless this key has passed within that time'
    )
    assert guard in text
    assert "request: POST https://api.topsort.com/v2/events" in text
    assert "Authorization: Bearer •••" in text
    assert KEY not in text


def test_where_fields_come_from(shell: Shell, event: str) -> None:
    """Each field stands beside the path, of several the one that won; what has no value is named."""
    shell.write(event, json.dumps(EVENT | {"properties": {"sku": "s-1"}, "context": {"os": {"name": "iOS"}}}))
    lines = [" ".join(line.split()) for line in shell("try", event).output.splitlines()]
    assert 'id "m-1" ← $.messageId' in lines
    assert 'entity.id "s-1" ← $.properties.sku (3rd of 3)' in lines
    assert 'entity.type "product" ← literal (2nd of 2)' in lines
    assert 'deviceType "mobile" ← $.context.os.name by $lookup (2nd of 3)' in lines
    (missing,) = [line for line in lines if line.startswith("without a value:")]
    assert "resolvedBidId" in missing


def test_what_the_vendor_makes_of_it(shell: Shell, event: str) -> None:
    """The payload is shown as it is sent where that is not what the mapping made, and not otherwise."""
    assert "as it is sent" not in shell("try", event).output
    at = EVENT | {"properties": {"resolvedBidId": "b", "additionalAttribution": 7}}
    shell.write(event, json.dumps(at))
    assert "as it is sent" in shell("try", event).output


def test_json(shell: Shell, event: str) -> None:
    """Programs get the same."""
    told = shell.json("try", event)["destinations"][0]
    assert ["bid-1"] == [one["payload"]["resolvedBidId"] for one in told["payloads"]]
    assert ["POST"] == [one["method"] for one in told["requests"]]
    assert ["Product Clicked"] == [one["name"] for one in told["presets"] if one["takes"]]
    fields = {one["name"]: one["source"] for one in told["payloads"][0]["fields"] if one["given"]}
    assert "$.properties.resolvedBidId" == fields["resolvedBidId"]


def test_from_standard_input(shell: Shell, event: str) -> None:
    """A dash reads the event from a pipe."""
    assert "sends 1 (click)" in shell("try", "-", stdin=(shell.folder / event).read_text()).output


@pytest.mark.parametrize(
    ("change", "arguments", "expected"),
    [
        ({"integrations": {"All": False}}, [], "held back: integrations.All is false"),
        ({}, ["--source", "app"], "held back: source app does not feed it; web does"),
        ({"event": "Product Added"}, [], "✗ Product Added: would match, but is switched off"),
        ({"event": "Product Added"}, [], "topsort: no preset takes it"),
        ({"properties": {}}, [], "topsort: sends nothing (no_bid_or_entity)"),
    ],
)
def test_why_not(
    shell: Shell, event: str, change: dict[str, Any], arguments: list[str], expected: str
) -> None:
    """What holds an event back is said."""
    shell.write(event, json.dumps(EVENT | change))
    assert expected in shell("try", event, *arguments).output


def test_another_mapping(shell: Shell, event: str) -> None:
    """An unsaved mapping file can be tried in place of the one in force."""
    shell.write(
        "my.yaml",
        'destination: topsort\npresets:\n  - name: Mine\n    subscribe: event = "Product Clicked"\n'
        "    action: click\n"
        "    mapping: {id: mine, occurredAt: $.timestamp, opaqueUserId: a, resolvedBidId: b}\n",
    )
    told = shell.json("try", event, "--mapping", "my.yaml")["destinations"][0]
    assert ["mine"] == [one["payload"]["id"] for one in told["payloads"]]
    lines = shell("try", event, "--mapping", "my.yaml", "--diff").output.splitlines()
    assert {'-    "id": "m-1",', '+    "id": "mine",'} < set(lines)
    told = shell.json("try", event, "--mapping", "my.yaml", "--diff")
    assert [["m-1"], ["mine"]] == [
        [one["payload"]["id"] for one in told[side][0]["payloads"]] for side in ("in_force", "destinations")
    ]
    assert "--diff compares --mapping" in shell("try", event, "--diff", code=2).stderr


def test_no_difference(shell: Shell, event: str) -> None:
    """A mapping that changes nothing for the event says so."""
    shell.write("same.yaml", "extends: topsort\n")
    assert "topsort: no difference\n" == shell("try", event, "--mapping", "same.yaml", "--diff").output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["none.json"], "cannot read none.json: No such file or directory"),
        (["broken.json"], "broken.json:1:2: this is no JSON"),
        (["list.json"], "list.json must hold one event, a JSON object"),
        (["batch.json"], "batch.json holds a batch; take one event out of it"),
        (["nobody.json"], "the door refuses this event: an event needs a userId or an anonymousId"),
        (
            ["event.json", "--destination", "nowhere"],
            "destination 'nowhere' is not in the settings; there are: topsort",
        ),
    ],
)
def test_errors(shell: Shell, event: str, arguments: list[str], expected: str) -> None:
    """What cannot be tried is said in one line."""
    shell.write("broken.json", "{]")
    shell.write("list.json", "[]")
    shell.write("batch.json", '{"batch": []}')
    shell.write("nobody.json", json.dumps({"type": "track", "event": event}))
    assert expected in shell("try", *arguments, code=1).stderr


def test_wrong_use(shell: Shell) -> None:
    """An event is named once, by file or by message id."""
    assert "name an event's file" in shell("try", code=2).stderr
    assert "name an event's file" in shell("try", "a.json", "--message-id", "m", code=2).stderr
    assert "name an event's file" in shell("try", "a.json", "--last", "5", code=2).stderr
    assert "--last compares --mapping FILE" in shell("try", "--last", "5", code=2).stderr
    assert "--since compares --mapping FILE" in shell("try", "--since", "1h", code=2).stderr
    assert "soon is no duration" in shell("try", "--since", "soon", code=2).stderr.replace("'", "")
    both = ("--mapping", "a.yaml", "--settings", "b.yaml")
    assert "exclude each other" in shell("try", "a.json", *both, code=2).stderr


def test_an_event_of_the_journal(running: Running) -> None:
    """An accepted event is tried by its message id, a refused one says why."""
    running.send(EVENT, {"type": "track", "messageId": "m-2", "event": "X"})
    eventually(lambda: running.shell.json("status")["destinations"]["topsort"]["passed"])
    text = running.shell("try", "--message-id", "m-1").output
    assert "topsort: sends 1 (click)" in text
    assert "once within 10 s: passes, this event holds it" in text
    running.shell.write("again.json", json.dumps(EVENT | {"messageId": "m-9"}))
    text = running.shell("try", "again.json").output
    assert "topsort: holds back 1 (click)" in text
    assert "once within 10 s: held back, m-1 told of the same action" in text
    assert "request:" not in text
    running.shell.write("other.json", json.dumps(EVENT | {"messageId": "m-9", "anonymousId": "ben"}))
    assert "once within 10 s: passes, nobody holds it" in running.shell("try", "other.json").output
    assert "the door refuses this event" in running.shell("try", "--message-id", "m-2", code=1).stderr
    assert (
        "no event m-3 in the journal or the quarantine"
        in running.shell("try", "--message-id", "m-3", code=1).stderr
    )
