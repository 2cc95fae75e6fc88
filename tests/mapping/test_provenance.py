"""Where a payload's fields come from."""

from __future__ import annotations

from typing import Any

import pytest

from crossdock.mapping import compile_mapping, load_mapping, shipped_mapping_path
from crossdock.mapping.directives import DIRECTIVES
from crossdock.mapping.provenance import Field, View, explain_fields
from crossdock.mapping.values import MISSING

EVENT: dict[str, Any] = {
    "userId": " ",
    "anonymousId": "a1",
    "properties": {"n": "7", "os": "iOS", "items": [{"id": "x"}, {"no": 1}, {"id": "y"}]},
}


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ("$.anonymousId", ("a1", "$.anonymousId")),
        ("$.groupId", (MISSING, "$.groupId")),
        ("plain", ("plain", "literal")),
        (None, (None, "literal")),
        ({"$literal": "$.x"}, ("$.x", "literal")),
        ({"@path": "$.anonymousId"}, ("a1", "$.anonymousId")),
        ({"$first": ["$.userId", "$.anonymousId"]}, ("a1", "$.anonymousId (2nd of 2)")),
        ({"$first": ["$.userId", "$.groupId", "x"]}, ("x", "literal (3rd of 3)")),
        ({"$first": ["$.userId", "$.groupId"]}, (MISSING, "$.userId, $.groupId")),
        ({"$default": {"value": "$.userId", "default": 1}}, (1, "literal by $default")),
        ({"$default": {"value": "$.anonymousId", "default": 1}}, ("a1", "$.anonymousId")),
        ({"$number": "$.properties.n"}, (7, "$.properties.n by $number")),
        (
            {"$lookup": {"value": {"$first": ["$.os", "$.properties.os"]}, "table": {"ios": "mobile"}}},
            ("mobile", "$.properties.os by $lookup"),
        ),
        (
            {"$if": {"exists": "$.groupId", "then": "$.groupId", "else": "$.anonymousId"}},
            ("a1", "$.anonymousId"),
        ),
        ({"$template": "{{ $.anonymousId }}!"}, ("a1!", "$.anonymousId by $template")),
    ],
)
def test_one_field(node: Any, expected: tuple[Any, str]) -> None:
    """A path, a literal, the choice that won, and the directive that made it."""
    assert [Field("f", *expected)] == explain_fields({"f": node}, View(EVENT))


def test_lists_and_objects() -> None:
    """Items kept by a loop are counted as in the payload, and objects are told field by field."""
    mapping = {
        "lines": {
            "$each": {
                "over": "$.properties.items",
                "require": ["id"],
                "value": {"id": "$item.id", "at": "$index"},
            }
        },
        "who": {"$require": {"value": {"id": "$.anonymousId", "kind": "visitor"}, "keys": ["id"]}},
        "both": ["$.anonymousId", "b"],
    }
    assert [
        Field("lines.0.id", "x", "$item.id"),
        Field("lines.0.at", 0, "$index"),
        Field("lines.1.id", "y", "$item.id"),
        Field("lines.1.at", 2, "$index"),
        Field("who.id", "a1", "$.anonymousId"),
        Field("who.kind", "visitor", "literal"),
        Field("both.0", "a1", "$.anonymousId"),
        Field("both.1", "b", "literal"),
    ] == explain_fields(mapping, View(EVENT))


@pytest.mark.parametrize("name", DIRECTIVES)
def test_every_directive_is_told(name: str) -> None:
    """Of every directive's examples, what is told agrees with what the mapping makes."""
    for example in DIRECTIVES[name].examples:
        fields = explain_fields({"f": example.mapping}, View(example.event))
        made = compile_mapping({"f": example.mapping})(example.event).get("f", MISSING)
        given = any(field.value is not MISSING for field in fields)
        assert made in ({}, []) or given == (made is not MISSING)


def _put_together(fields: list[Field]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for field in fields:
        if field.value is not MISSING:
            holder = made
            *above, last = field.name.split(".")
            for key in above:
                holder = holder.setdefault(key, {})
            holder[last] = field.value
    return made


def _as_objects(value: Any) -> Any:
    """Write lists of objects as objects by place, and leave out empty ones."""
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        value = {str(place): item for place, item in enumerate(value)}
    if not isinstance(value, dict):
        return value
    return {key: made for key, member in value.items() if (made := _as_objects(member)) not in ({}, [])}


@pytest.mark.parametrize("vendor", ["topsort", "segmentify", "blueshift", "vibetrace"])
def test_the_shipped_mappings_are_told_whole(vendor: str) -> None:
    """Put together again, the fields of every example are the payload that the preset makes."""
    for preset in load_mapping(shipped_mapping_path(vendor)).presets:
        for example in preset.examples:
            if preset.for_each is not None or not example.sends:
                continue
            event = {"visitor": {}, **example.event}
            made = compile_mapping(preset.mapping)(event)
            fields = explain_fields(preset.mapping, View(event))
            assert _as_objects(made) == _as_objects(_put_together(fields)), preset.name
