"""Every directive does what its examples say, and says what it does."""

from __future__ import annotations

from typing import Any

import pytest

from crossdock.errors import MappingError, MappingFailed
from crossdock.mapping import MappingErrors, compile_mapping
from crossdock.mapping.directive import Directive, Example
from crossdock.mapping.directives import DIRECTIVES
from crossdock.mapping.values import MISSING, number_text

EXAMPLES = [(name, example) for name, found in DIRECTIVES.items() for example in found.examples]


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_examples_hold(name: str, example: Example) -> None:
    """Each example of a directive gives what it says."""
    expected = {} if example.result is MISSING else {"result": example.result}
    assert expected == compile_mapping({"result": example.mapping})(example.event)


@pytest.mark.parametrize("directive", DIRECTIVES.values(), ids=DIRECTIVES)
def test_every_directive_is_documented(directive: Directive) -> None:
    """A directive has a line that says what it does, and at least one example."""
    assert True is directive.doc.endswith(".")
    assert True is bool(directive.examples)


@pytest.mark.parametrize(
    ("mapping", "event", "expected"),
    [
        ({"a": "$.x.y"}, {"x": {"y": None}}, {"a": None}),
        ({"a": "$.x.y"}, {"x": "text"}, {}),
        ({"a": "$.x[1]"}, {"x": [1, 2]}, {"a": 2}),
        ({"a": "$.x[-1]"}, {"x": [1, 2]}, {"a": 2}),
        ({"a": "$.x[5]"}, {"x": [1, 2]}, {}),
        ({"a": "$.x['odd key']"}, {"x": {"odd key": 1}}, {"a": 1}),
        ({"a": "$.x[*].id"}, {"x": [{"id": 1}, {}, {"id": 2}]}, {"a": [1, 2]}),
        ({"a": "$.x[?(@.n > 1)].id"}, {"x": [{"id": 1, "n": 1}, {"id": 2, "n": 2}]}, {"a": [2]}),
        ({"a": "$.x[0:1]"}, {"x": [1, 2, 3]}, {"a": [1]}),
        ({"a": "$.x[*].id"}, {}, {}),
        ({"a": "$5.00", "b": "$"}, {}, {"a": "$5.00", "b": "$"}),
        ({"a": ["$.no", "$.x"]}, {"x": 1}, {"a": [None, 1]}),
        ({"a": {"b": {"c": "$.no"}}}, {}, {"a": {"b": {}}}),
        ({"a": "$.visitor.email"}, {"visitor": {"email": "e"}}, {"a": "e"}),
    ],
)
def test_paths_and_literals(mapping: Any, event: dict[str, Any], expected: Any) -> None:
    """A text that starts with $. is a JSONPath; what it does not find is left out; all else is literal."""
    assert expected == compile_mapping(mapping)(event)


def test_liquid_filters_work_as_usual() -> None:
    """The filters that are watched over still do what they do."""
    template = "{{ t | date: '%Y-%m' }} {{ x | times: 2 }} "
    template += "{{ y | replace: 'a', 'b' | append: '!' }} {{ z | join: ',' }}"
    event = {"t": "2026-01-02T03:04:05Z", "x": 21, "y": "aa", "z": [1, 2]}
    assert "2026-01 42 bb! 1,2" == compile_mapping({"$liquid": template})(event)


def test_undefined_members_of_a_merge_delete_what_was_there() -> None:
    """As in Segment, a member that comes to nothing takes the earlier one away."""
    mapping = {"@merge": {"direction": "right", "objects": [{"x": 1, "y": 2}, {"x": {"@path": "$.no"}}]}}
    assert {"y": 2} == compile_mapping(mapping)({})


def test_each_sees_the_event_and_nests() -> None:
    """Within $each the event, the item and its index are in sight, also in loops within loops."""
    mapping = {
        "$each": {
            "over": "$.groups",
            "value": {
                "group": "$item.name",
                "shop": "$.shop",
                "ids": {"$each": {"over": "$item.products", "value": "$item.id"}},
            },
        }
    }
    event = {"shop": "s", "groups": [{"name": "g", "products": [{"id": 1}, {"no": 2}]}]}
    assert [{"group": "g", "shop": "s", "ids": [1]}] == compile_mapping(mapping)(event)


@pytest.mark.parametrize(
    ("mapping", "part"),
    [
        ({"a": {"$frist": []}}, "did you mean $first?"),
        ({"a": {"@pathh": "x"}}, "did you mean @path?"),
        ({"a": {"$first": "$.a"}}, "takes a list"),
        ({"a": {"$first": ["$.a"], "b": 1}}, "must be the only key"),
        ({"a": {"$lookup": {"value": "$.a", "tabel": {}}}}, "did you mean table?"),
        ({"a": "$.a[?(@.b"}, "no JSONPath"),
        ({"a": "$.a[?(@.b =~ '(a+)+$')]"}, "=~"),
        ({"a": "$..a..b"}, "one '..'"),
        ({"a": "$item.id"}, "for_each"),
        ({"a": {"$date": {"value": "$.t", "format": "YYYY"}}}, "%Y-%m-%d"),
        ({"a": {"$date": {"value": "$.t", "zone": "Mars/Base"}}}, "Europe/Berlin"),
        ({"a": {"$number": {"value": "$.n", "on_error": "boom"}}}, "on_error must be"),
        ({"a": {"$number": {"value": "$.n", "min": "1"}}}, "min must be a number"),
        ({"a": {"$if": {"when": "event == 1", "then": 1}}}, "write = once"),
        ({"a": {"$liquid": "{% for x in y %}{% endfor %}"}}, "for"),
        ({"a": {"$liquid": "{{ x | map: 'y' }}"}}, "map"),
        ({"a": {"$liquid": "it's {{ (1..99999999) | join: 'x' }} it's"}}, "a range"),
        ({"a": {"$case": {"operator": "title", "value": "$.x"}}}, "lower or upper"),
    ],
)
def test_mistakes_are_refused_when_compiled(mapping: Any, part: str) -> None:
    """A mapping that cannot work is refused at once, with the fix."""
    with pytest.raises(MappingError) as refused:
        compile_mapping(mapping)
    assert True is (part in str(refused.value))


def test_all_mistakes_are_reported_together() -> None:
    """One compilation shows everything there is to mend."""
    with pytest.raises(MappingErrors) as refused:
        compile_mapping({"a": {"$frist": []}, "b": {"$hsah": "x"}, "c": "$.x["})
    assert 3 == len(refused.value.errors)


@pytest.mark.parametrize(
    "mapping",
    [
        {"a": {"$number": {"value": "$.x", "on_error": "error"}}},
        {"a": {"@path": {"@path": "$.n"}}},
        {"a": {"@case": {"operator": "title", "value": {"@path": "$.x"}}}},
        {"@template": "{{x}}" * 2000},
        {"@liquid": "{{ 'now' | date: '%Y' }}"},
        {"@liquid": "{% assign y = x %}" + "{% assign y = y | append: y %}" * 25 + "{{ y }}"},
    ],
)
def test_what_an_event_makes_fail_is_a_mapping_failure(mapping: Any) -> None:
    """A mapping fails on an event with MappingFailed only."""
    with pytest.raises(MappingFailed):
        compile_mapping(mapping)({"x": "long text " * 20, "n": 1})


def test_nested_transforms_cannot_multiply_without_end() -> None:
    """A mapping of thirty doublings is stopped, not computed."""
    mapping: Any = {"out": {"@path": "$."}}
    for _ in range(28):
        mapping = {"@transform": {"apply": {"a": {"@path": "$."}, "b": {"@path": "$."}}, "mapping": mapping}}
    with pytest.raises(MappingError):
        compile_mapping(mapping)({"x": 1})


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (42.0, "42"), (0.1, "0.1"), (1e21, "1e+21"), (1.5e-7, "1.5e-7"), (0.00001, "0.00001"),
        (-3, "-3"), (1e20, "100000000000000000000"), (-0.0, "0"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_javascript_writes_them(number: float, text: str) -> None:
    """Text made of a number looks as Segment's engine would make it."""
    assert text == number_text(number)


def test_the_generated_source_holds_no_user_text() -> None:
    """Names, texts and numbers of a mapping enter the code as bound constants only."""
    made = compile_mapping({"evil_key\n": "evil'); import os #", "b": "$.evil_path", "n": 123456})
    source = made.__doc__ or ""
    assert "evil" not in source
    assert "123456" not in source
    assert {"evil_key\n": "evil'); import os #", "b": 1, "n": 123456} == made({"evil_path": 1})
