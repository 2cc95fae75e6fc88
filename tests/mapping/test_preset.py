"""Mapping files: presets, what extends and overrides them, and what is sent for an event."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crossdock.document import load
from crossdock.errors import ConfigError, ConfigErrors, MappingFailed
from crossdock.mapping import (
    Mapped,
    compile_file,
    load_mapping,
    mapping_schema,
    preset,
    run_examples,
    shipped_mapping_path,
)

FILE = """
destination: acme
presets:
  - name: Clicked
    subscribe: type = "track" and event = "Product Clicked"
    aliases: [Clicked Product]
    action: click
    mapping: {id: $.messageId, bid: $.properties.bid, entity: $.properties.sku}
    requires: [id, [bid, entity]]
    once: {key: [$.visitor.key, $.properties.bid], within: 10s}
    examples:
      - event: {type: track, event: Clicked Product, messageId: m, properties: {bid: b}}
        sends: [{id: m, bid: b}]
      - {event: {type: track, event: Other}, sends: []}
  - name: Listed
    subscribe: type = "track" and event = "Product List Viewed" and properties.products != null
    action: impression
    enabled: false
    for_each: $.properties.products
    mapping: {id: {$template: "{{ $.messageId }}:{{ $index }}"}, product: $item.id}
    once: {key: [$item.id], within: 1h}
  - name: Any page
    subscribe: type = "page"
    action: view
    mapping: {id: $.messageId}
"""


def track(event: str, **properties: Any) -> dict[str, Any]:
    """Make a track event."""
    return {"type": "track", "event": event, "messageId": "m", "properties": properties}


def names(found: Any) -> list[str]:
    """Give the names of presets."""
    return [one.name for one in found]


def test_a_preset_maps_the_events_its_subscription_takes() -> None:
    """An event finds its presets by type and name, aliases included, and is mapped with its guard's key."""
    compiled = compile_file(load_mapping(FILE))
    event = {**track("Clicked Product", bid="b"), "visitor": {"key": "v"}}
    assert ["Clicked"] == names(compiled.matching(event))
    (click,) = compiled.matching(event)
    assert ("click", False, timedelta(seconds=10)) == (click.action, click.for_each, click.once_within)
    assert [Mapped(0, {"id": "m", "bid": "b"}, '["v","b"]')] == click.payloads(event)


@pytest.mark.parametrize("event", [{}, {"type": ["x"]}, {"type": "track"}, {"type": "track", "event": {}}])
def test_an_event_nothing_subscribes_to_matches_nothing(event: dict[str, Any]) -> None:
    """Dispatch holds for events of any shape."""
    assert [] == list(compile_file(load_mapping(FILE)).matching(event))


def test_a_blank_part_of_the_key_means_no_guard() -> None:
    """Without a visitor's key there is nothing to guard by."""
    (click, _) = compile_file(load_mapping(FILE)).presets
    assert [None] == [one.once_key for one in click.payloads(track("Product Clicked", bid="b"))]


def test_a_payload_that_lacks_what_the_preset_requires_is_not_sent() -> None:
    """Neither a bid nor an entity: nothing is sent."""
    (click, _) = compile_file(load_mapping(FILE)).presets
    assert [] == click.payloads(track("Product Clicked"))


@pytest.mark.parametrize(
    ("products", "expected"),
    [
        ([{"id": "a"}, 5, {"id": "c"}], [(0, "m:0", '["a"]'), (1, "m:1", None), (2, "m:2", '["c"]')]),
        ({"id": "a"}, [(0, "m:0", '["a"]')]),
    ],
)
def test_for_each_gives_one_payload_per_item(products: Any, expected: list[Any]) -> None:
    """Every item is visited, objects or not; a single object is a list of one."""
    compiled = compile_file(load_mapping(FILE), {"Listed": True})
    event = track("Product List Viewed", products=products)
    (listed,) = compiled.matching(event)
    sent = [(one.index, one.payload["id"], one.once_key) for one in listed.payloads(event)]
    assert expected == sent


def test_for_each_without_its_list_sends_nothing_and_bounds_its_length() -> None:
    """A missing list is no payload; an absurd one fails the event."""
    (_, listed, _) = compile_file(load_mapping(FILE), {"Listed": True}).presets
    assert [] == listed.payloads(track("Product List Viewed"))
    with pytest.raises(MappingFailed):
        listed.payloads(track("Product List Viewed", products=[1] * 1001))


def test_a_subscription_beyond_names_is_still_evaluated() -> None:
    """Dispatch narrows; the rest of the condition decides."""
    compiled = compile_file(load_mapping(FILE), {"Listed": True})
    assert [] == list(compiled.matching(track("Product List Viewed")))


def test_settings_enable_disable_and_override_presets() -> None:
    """The settings' presets lay over the file's, field by field."""
    compiled = compile_file(
        load_mapping(FILE), {"Clicked": {"mapping": {"bid": "fixed"}, "once": None}, "Any page": False}
    )
    assert ["Clicked"] == names(compiled.presets)
    sent = compiled.presets[0].payloads(track("Product Clicked"))
    assert [Mapped(0, {"id": "m", "bid": "fixed"}, None)] == sent


def test_an_action_the_vendor_does_not_have_is_refused() -> None:
    """Where the vendor's actions are known, a preset cannot name another one; the nearest is suggested."""
    with pytest.raises(ConfigError) as refused:
        compile_file(load_mapping(FILE, "f.yaml"), actions=("clik", "impression", "view"))
    assert "f.yaml:7:13: Clicked: acme has no action 'click'; did you mean clik?" == str(refused.value)


def test_the_version_follows_what_is_in_effect() -> None:
    """Two files that do the same have one version; a change of a field makes another."""
    one = compile_file(load_mapping(FILE)).version
    assert one == compile_file(load_mapping(FILE + "# a comment\n")).version
    assert one != compile_file(load_mapping(FILE), {"Any page": False}).version


@pytest.mark.parametrize(
    ("overrides", "part"),
    [
        ({"Cliked": True}, "did you mean Clicked?"),
        ({"Clicked": {"enabled": "yes"}}, "write true or false"),
        ({"Clicked": {"acton": "x"}}, "did you mean action?"),
    ],
)
def test_wrong_overrides_are_refused(overrides: dict[str, Any], part: str) -> None:
    """A misspelt preset or field in the settings is named, with the nearest right one."""
    with pytest.raises(ConfigError) as refused:
        compile_file(load_mapping(FILE), overrides)
    assert True is (part in str(refused.value))


SETTINGS = """
acme:
  presets:
    Clicked:
      mapping: {bid: {$frist: [x]}}
    Listed: {subscribe: type == "track"}
    Any page: {acton: x}
    Oops: true
"""


def test_every_fault_of_an_override_is_placed_where_it_was_written() -> None:
    """The settings file is named with line and column: of the directive, the character, the key."""
    document = load(SETTINGS, "c.yaml")
    overrides = document.data["acme"]["presets"]
    with pytest.raises(ConfigErrors) as refused:
        compile_file(load_mapping(FILE, "f.yaml"), overrides, (document, ("acme", "presets")))
    places = [str(error.location) for error in refused.value.errors]
    assert ["c.yaml:5:23", "c.yaml:6:31", "c.yaml:7:16", "c.yaml:8:5"] == places


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, {"key"}),
        ({"mapping": {"email": "$.visitor.email"}}, {"email", "key"}),
        ({"mapping": {"email": {"@path": "$.visitor.email"}}}, {"email", "key"}),
        ({"mapping": {"text": {"@template": "{{visitor.userId}}"}}}, {"key", "userId"}),
        ({"mapping": {"if": {"$if": {"when": "visitor.basket != null", "then": 1}}}}, {"basket", "key"}),
        ({"mapping": {"all": {"@json": {"mode": "encode", "value": {"@path": "$.visitor"}}}}}, {"*"}),
        ({"mapping": {"any": "$..email"}}, {"*"}),
        ({"once": None}, set()),
        ({"enabled": False}, set()),
    ],
)
def test_a_mapping_names_the_visitor_facts_it_reads(change: dict[str, Any], expected: set[str]) -> None:
    """Only what an enabled preset reads has to be known; * is everything."""
    assert frozenset(expected) == compile_file(load_mapping(FILE), {"Clicked": change}).visitor_fields


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ship the file above as the vendor acme."""
    (tmp_path / "acme.yaml").write_text(FILE)
    monkeypatch.setattr(preset, "shipped_mapping_path", lambda vendor: tmp_path / f"{vendor}.yaml")
    return tmp_path


@pytest.mark.usefixtures("shipped")
def test_a_file_extends_a_shipped_one() -> None:
    """Single fields of a preset change, others stay, new presets come last, stale examples go."""
    own = """
extends: acme
presets:
  - {name: Clicked, mapping: {entity: x}}
  - {name: New, subscribe: type = "screen", action: view, mapping: {}}
"""
    file = load_mapping(own)
    assert "acme" == file.destination
    assert ["Clicked", "Listed", "Any page", "New"] == names(file.presets)
    assert {"id": "$.messageId", "bid": "$.properties.bid", "entity": "x"} == file.preset("Clicked").mapping
    assert [] == file.preset("Clicked").examples


@pytest.mark.usefixtures("shipped")
def test_a_fault_in_an_extending_file_is_placed_there() -> None:
    """The line is the one of the file that wrote the faulty part."""
    own = "extends: acme\npresets:\n  - name: Clicked\n    mapping:\n      entity: {$frist: []}\n"
    with pytest.raises(ConfigError) as refused:
        compile_file(load_mapping(own, "own.yaml"))
    assert True is str(refused.value).startswith("own.yaml:5:")


@pytest.mark.usefixtures("shipped")
def test_an_unknown_vendor_to_extend_is_refused_with_those_there_are() -> None:
    """The message lists what can be extended."""
    with pytest.raises(ConfigError) as refused:
        load_mapping("extends: acmee\n")
    assert True is ("acme" in str(refused.value))


def test_examples_that_no_longer_hold_are_named_with_place_and_difference() -> None:
    """A changed mapping shows which example it breaks, where, and how."""
    assert [] == run_examples(load_mapping(FILE))
    (problem,) = run_examples(load_mapping(FILE.replace("bid: $.properties.bid,", ""), "f.yaml"))
    assert "f.yaml:12:9" == str(problem.location)
    assert True is ("does not hold" in problem.message)


def test_the_schema_knows_every_key_and_is_json() -> None:
    """Editors complete and check mapping files by it."""
    schema = json.loads(json.dumps(mapping_schema()))
    assert {"destination", "extends", "presets"} == set(schema["properties"])
    assert False is schema["$defs"]["Preset"]["additionalProperties"]


def test_shipped_files_are_found() -> None:
    """The path leads into the package or the repository."""
    assert "topsort.yaml" == shipped_mapping_path("topsort").name
