"""Whatever is written and whatever is sent: only the declared errors, and no hanging."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.errors import ConfigError, MappingError, MappingFailed
from crossdock.mapping import compile_file, compile_mapping, compile_subscription, load_mapping, warnings
from crossdock.mapping.directives import DIRECTIVES

KEYS = st.sampled_from(["type", "event", "properties", "products", "a", "id", "name", "t", "length", "0", ""])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["track", "2026-01-02T03:04:05.678Z", "12", " ", "https://a/b", "[1]", "{", "%Y"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
EVENTS = st.dictionaries(KEYS, VALUES, max_size=6)
PATHS = st.sampled_from(
    [
        "$.a",
        "$.properties.a",
        "$.properties.products[0].id",
        "$.properties.products[*].id",
        "$.",
        "$..id",
        "$item.id",
    ]
)
DIRECTIVE_NAMES = st.sampled_from([f"{mark}{name}" for name in DIRECTIVES for mark in "@$"] + ["$nope", "@"])
PART_NAMES = """
    value over exists blank then else when objects direction separator mode pattern replacement apply
    mapping table keys of times default operator part where require on_error min format zone values normalise
"""
PARTS = st.sampled_from(PART_NAMES.split())
WORDS = st.sampled_from(
    ["lower", "right", "encode", "decode", "drop", "-", "os.family", "epoch", "UTC", "a = 1"]
)
MAPPINGS = st.recursive(
    SCALARS | PATHS | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.builds(lambda name, operand: {name: operand}, DIRECTIVE_NAMES, inner)
        | st.builds(
            lambda name, operand: {name: operand}, DIRECTIVE_NAMES, st.dictionaries(PARTS, inner, max_size=4)
        )
    ),
    max_leaves=15,
)
FQL_TOKENS = """
    "x" 'track' type event properties.a = != < > and or not ! ( ) in [ ] , contains(event, match(type, length(
    5 null true * \\
"""
TOKENS = st.lists(st.sampled_from(FQL_TOKENS.split()), max_size=14).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(MAPPINGS, st.lists(EVENTS, min_size=1, max_size=3))
def test_mappings_raise_only_what_they_declare(mapping: Any, events: list[dict[str, Any]]) -> None:
    """Compiling raises MappingError, mapping raises MappingFailed, and the result is JSON."""
    try:
        made = compile_mapping(mapping)
    except MappingError:
        return
    for event in events:
        with suppress(MappingFailed):
            orjson.dumps(made(event))


@settings(max_examples=150, deadline=None)
@given(TOKENS | st.text(max_size=40), st.lists(EVENTS, min_size=1, max_size=3))
def test_subscriptions_raise_only_what_they_declare(text: str, events: list[dict[str, Any]]) -> None:
    """Compiling raises MappingError; deciding raises nothing and gives a boolean."""
    try:
        holds = compile_subscription(text)
        warnings(text)
    except MappingError:
        return
    for event in events:
        assert bool is type(holds(event))


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["destination", "presets", "extends", "x"]), VALUES, max_size=3) | VALUES
)
def test_mapping_files_raise_only_what_they_declare(data: Any) -> None:
    """Any JSON as a mapping file is compiled or refused with a ConfigError."""
    with suppress(ConfigError):
        compile_file(load_mapping(orjson.dumps(data).decode()))


@settings(max_examples=150, deadline=None)
@given(MAPPINGS, TOKENS, VALUES, EVENTS)
def test_presets_raise_only_what_they_declare(
    mapping: Any, subscribe: str, for_each: Any, event: dict[str, Any]
) -> None:
    """A preset of anything is refused, or maps any event or fails with MappingFailed."""
    one = {"name": "n", "subscribe": subscribe, "action": "a", "mapping": mapping, "for_each": for_each}
    one["once"] = {"key": [mapping], "within": "1s"}
    try:
        compiled = compile_file(load_mapping(orjson.dumps({"destination": "d", "presets": [one]}).decode()))
    except ConfigError:
        return
    for preset in compiled.presets:
        compiled.matching(event)
        with suppress(MappingFailed):
            preset.payloads(event)
