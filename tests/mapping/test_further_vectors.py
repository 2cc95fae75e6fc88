"""
Further cases of the kinds of the conformance vectors, with the answers that the engines' rules give.

They were not measured: each follows from a measured rule, on the very events of the measured vectors.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crossdock.errors import MappingError
from crossdock.mapping import compile_mapping, compile_subscription, warnings

VECTORS = Path(__file__).parent / "vectors"
FURTHER = json.loads((VECTORS / "further.json").read_text("utf-8"))
EVENT = {
    name: json.loads((VECTORS / f"{name}.json").read_text("utf-8"))["event"] for name in ("fql", "mapping")
}


@pytest.mark.parametrize(("text", "matches"), FURTHER["fql"], ids=[text for text, _ in FURTHER["fql"]])
def test_conditions_are_decided_by_the_rules(text: str, matches: bool) -> None:
    """What cannot be read matches nothing."""
    try:
        found = compile_subscription(text)(EVENT["fql"])
    except MappingError:
        found = False
    assert matches is found


@pytest.mark.parametrize("case", FURTHER["mapping"], ids=lambda case: json.dumps(case["mapping"]))
def test_mappings_follow_the_rules(case: dict[str, Any]) -> None:
    """A case without an output leaves its key out; one that fails does so when loaded or when run."""
    if case.get("fails"):
        with pytest.raises(MappingError):
            compile_mapping({"a": case["mapping"]})(EVENT["mapping"])
        return
    expected = {"a": case["output"]} if "output" in case else {}
    found = compile_mapping({"a": case["mapping"]})(EVENT["mapping"])
    assert json.dumps(expected) == json.dumps(found)


@pytest.mark.parametrize(
    ("text", "column"),
    [('and type = "track"', 1), ('type = "AND" AND event = "x"', 14), (' or type = "a"', 2)],
)
def test_what_segment_passes_over_is_told(text: str, column: int) -> None:
    """A condition cut off in front, or AND in capitals, means what it means to Segment, with a warning."""
    assert [column] == [warned.column for warned in warnings(text)]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ 0.1 | plus: 0.2 }}", "0.30000000000000004"),
        ("{{ 7 | divided_by: 0 }} {{ 0 | divided_by: 0 }} {{ -7 | modulo: 3 }}", "Infinity NaN -1"),
        ("{{ whole }} {{ whole | divided_by: 4 }} {{ big | times: big }}", "42 10.5 1e+40"),
        (
            "{{ -2.5 | round }} {{ 2.345 | round: 2 }} {{ 'x' | plus: 1 }} {{ nothing | minus: 1 }}",
            "-2 2.35 1 -1",
        ),
        ("{{ object.blank }}{{ object.nil | default: 'none' }}{{ ' .nil' }}", "b none .nil"),
        (
            "{{ list | json }} {{ list }} {{ object | json }}",
            '[1,{"a":true}] 1[object Object] {"blank":"b "}',
        ),
    ],
)
def test_liquid_counts_and_prints_as_javascript_does(template: str, expected: str) -> None:
    """Numbers, objects, lists and fields with Liquid's own words for names."""
    event = {"whole": 42.0, "big": 1e20, "object": {"blank": "b "}, "list": [1, {"a": True}]}
    assert expected == compile_mapping({"@liquid": template})(event)
