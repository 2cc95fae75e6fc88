"""The YAML reader: core types, places of keys and values, bounds, and messages that know the traps."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.document import load
from crossdock.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NO", "NO"), ("yes", "yes"), ("on", "on"), ("true", True), ("False", False), ("~", None), ("", None),
        ("2026-01-02", "2026-01-02"), ("1:30", "1:30"), ("010", 10), ("0x1F", 31), ("0o17", 15), ("-5", -5),
        ("1e3", 1000.0), ("1.5", 1.5), (".5", 0.5), ("1_000", "1_000"), ('"5"', "5"), ("!!str 5", "5"),
    ],
)  # fmt: skip
def test_only_core_types_are_read(text: str, expected: Any) -> None:
    """A date, a yes or a base-60 number stays the text it is."""
    value = load(f"a: {text}\n", "f").data["a"]
    assert (type(expected), expected) == (type(value), value)


def test_json_is_read_as_well() -> None:
    """A JSON file needs no other reader, escaped surrogate pairs included."""
    assert {"a": [1, {"b": None}]} == load('{"a": [1,\n\t{"b": null}]}', "f").data
    assert {"a": "\U0001f600"} == load('{"a": "\\ud83d\\ude00"}', "f").data


def test_places_of_keys_and_values() -> None:
    """A value, its key, the nearest part around an unknown one, and a character within a text."""
    document = load("a:\n  - b: 1\n    'c': \"two\"\n", "f.yaml")
    assert "f.yaml:2:8" == str(document.location(("a", 0, "b")))
    assert "f.yaml:2:5" == str(document.location(("a", 0, "b"), key=True))
    assert "f.yaml:2:5" == str(document.location(("a", 0, "x", "y")))
    assert "f.yaml:3:13" == str(document.location_in(("a", 0, "c"), 2))


def test_merge_keys_and_anchors() -> None:
    """What stands in a mapping wins over what is merged into it."""
    text = "base: &base {x: 1, y: 1}\nown: {<<: *base, y: 2}\nmany: {<<: [*base, {z: 3}]}\n"
    data = load(text, "f").data
    assert {"x": 1, "y": 2} == data["own"]
    assert {"x": 1, "y": 1, "z": 3} == data["many"]


BOMB = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "place", "part"),
    [
        ("a: 1\n\tb: 2\n", "f:2:1", "tab"),
        ("a:\n\t- b\n", "f:2:1", "tab"),
        ("a: {@path: x}\n", "f:1:5", "@"),
        ("a: @x\n", "f:1:4", "@"),
        ('s: event = "Order #1"\n', "f:1:18", "#"),
        ('s: !contains(a, "y")\n', "f:1:4", "!"),
        ("s: !custom x\n", "f:1:4", "!"),
        ('s: "abc\nb: 2\n', "f:1:4", "closing quote"),
        ("a: 1\nb: 2\na: 3\n", "f:3:1", "second time"),
        ("? [a]\n: b\n", "f:1:3", "key"),
        ("a: *x\n", "f:1:4", "anchor"),
        ("a: &x [*x]\n", "f:1:8", "anchor"),
        ("a: 1\n---\nb: 2\n", "f:2:1", "second document"),
        ("[" * 200, "f:1:66", "64"),
        (BOMB, "f:5:38", "aliases"),
        ("a: " + "x" * 2**20, "f:1:1", "1 MiB"),
        ("a: [1, 2\n", "f:2:1", "not YAML"),
        ("a: \x00\n", "f:1:1", "NUL"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, place: str, part: str) -> None:
    """Each of YAML's traps gives a message with file, line, column and the fix."""
    with pytest.raises(ConfigError) as refused:
        load(text, "f")
    assert place == str(refused.value.location)
    assert True is (part in str(refused.value))


@given(st.text(max_size=200))
def test_no_text_raises_anything_but_a_config_error(text: str) -> None:
    """Whatever is in a file, it is data or a ConfigError."""
    with suppress(ConfigError):
        load(text, "f")
