"""FQL: what conditions mean, what is refused, and how an event's decision is explained."""

from __future__ import annotations

from typing import Any

import pytest

from crossdock.errors import MappingError
from crossdock.mapping import compile_subscription, explain_subscription, warnings
from crossdock.mapping.subscription import dispatch
from crossdock.mapping.values import MISSING

EVENT: dict[str, Any] = {
    "type": "track",
    "event": "Product Added",
    "anonymousId": "a1",
    "properties": {
        "price": 20,
        "vip": True,
        "sku": "ABC-9",
        "tags": ["red", "blue"],
        "name": "Blue Mug",
        "count": "3",
        "umlaut": "ä",
        "nil": None,
        "o": {"k": 1},
    },
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("type = 'track'", True),
        ('anonymousId = "a1" and (((properties.price >= 20)))', True),
        ('event = "X" or event = "Product Added" and properties.price < 20', False),
        ('type = "track" or event = "X" and event = "Y"', True),
        ('event in ("X", "Product Added")', True),
        ("properties.price in [19, 20]", True),
        ('properties.price in ["20"]', False),
        ('"red" in properties.tags', True),
        ('"green" in properties.tags', False),
        ("not properties.vip", False),
        ("!properties.nil", True),
        ("properties.vip != true", False),
        ("properties.no != true", True),
        ("properties.no != 5", False),
        ('properties.no != "x"', True),
        ('properties.price > "10"', True),
        ("properties.vip = 1", False),
        ("length(properties.tags) = 2", True),
        ("length(properties.umlaut) = 2", True),
        ("length(properties.no) = 0", True),
        ('lowercase(properties.name) = "blue mug"', True),
        ('uppercase(properties.no) = "X"', False),
        ("lowercase(properties.no) = null", True),
        ('snakecase(event) = "product_added"', True),
        ('kebabcase(event) = "product-added"', True),
        ('titlecase(properties.name) = "Blue Mug"', True),
        ('typeof(properties.tags) = "list"', True),
        ('typeof(properties.no) = "null"', True),
        ("number(properties.count) = 3", True),
        ('string(properties.price) = "20"', True),
        ("bool(properties.vip)", True),
        ('contains(lowercase(event), "added")', True),
        ('match(properties.sku, "[A-C]*-?")', True),
        ('match(properties.sku, "[!A]*")', False),
        (r'match(properties.sku, "ABC\-9")', True),
        ('match(properties.sku, "ABC")', False),
        ('!match(properties.no, "x")', False),
        ('!(match(properties.no, "x"))', True),
        ("properties.o.k = 1 and properties.o != null", True),
        ("properties.in = null", True),
    ],
)  # fmt: skip
def test_conditions_mean_what_is_documented(text: str, expected: bool) -> None:
    """The documented dialect, with strict types and null for what is not there."""
    assert expected is compile_subscription(text)(EVENT)


@pytest.mark.parametrize(
    ("text", "column", "part"),
    [
        ("", 1, "empty"),
        ('type == "track"', 7, "write = once"),
        ('type = "a" && event = "b"', 12, "write and"),
        ('type = "a" OR event = "b"', 12, "lower case"),
        ('type = "track', 8, "never closed"),
        ('(type = "a"', 12, "parenthesis"),
        ('type = "a") junk', 11, ") is not expected"),
        ("type =", 7, "too early"),
        ('properties.tags[0] = "x"', 16, "index"),
        ("properties.x < true", 14, "number"),
        ('match(event, "[z-a]")', 14, "range"),
        ("contains(event, 5)", 17, "text"),
        ("(" * 60 + 'type = "a"' + ")" * 60, 42, "nested"),
        ('type = "' + "x" * 6000 + '"', 5121, "bytes"),
        ("type = “track”", 8, "straight quotes"),
    ],
)
def test_what_is_no_fql_is_refused_with_its_column(text: str, column: int, part: str) -> None:
    """A message names the column and the fix."""
    with pytest.raises(MappingError) as refused:
        compile_subscription(text)
    assert True is str(refused.value).startswith(f"column {column}: ")
    assert True is (part in str(refused.value))


def test_a_glob_takes_linear_time() -> None:
    """A pattern of many stars is matched without going back over the text."""
    holds = compile_subscription('match(event, "' + "*a" * 200 + '*b")')
    assert False is holds({"event": "a" * 20_000})


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("type = 'track'", 8),
        ('type = "a" and event = "b" or event = "c"', 1),
        ('type = "track" and !(event = "b")', 20),
        ("properties.vip != true", 1),
        ('match(event, "a")', 1),
        ("event = null", 1),
        ('messageId = "x"', 1),
        ("type = track", 8),
        ('type = "a"\r\nand event = "b"', 11),
    ],
)
def test_differences_from_segment_are_warned_of(text: str, column: int) -> None:
    """Each trap of Segment's trigger engine gives a warning at its column."""
    assert True is (column in {warned.column for warned in warnings(text)})


def test_an_explanation_names_the_condition_that_failed_and_its_value() -> None:
    """Why an event did not match is told condition by condition."""
    told = explain_subscription('type = "track" and (event = "X" or properties.no > 5)', EVENT)
    assert False is told.matches
    assert [True, False, False] == [condition.holds for condition in told.conditions]
    assert [("event", "Product Added"), ("properties.no", MISSING)] == [
        (condition.path, condition.value) for condition in told.failed
    ]


@pytest.mark.parametrize(
    ("text", "pairs", "exact"),
    [
        ('type = "track" and event = "A"', {("track", "A")}, True),
        ('type = "track" and event in ["A", "B"]', {("track", "A"), ("track", "B")}, True),
        ('type = "page" or type = "screen"', {("page", None), ("screen", None)}, True),
        ('type = "track" and properties.x = 1', {("track", None)}, False),
        ('type = "a" and type = "b"', set(), True),
        ('type != "a"', {(None, None)}, False),
    ],
)
def test_dispatch_finds_what_an_expression_needs(text: str, pairs: set[Any], exact: bool) -> None:
    """The types and names an expression can match are known before any event comes."""
    found = dispatch(text)
    assert pairs == set(found.pairs)
    assert exact is found.exact
