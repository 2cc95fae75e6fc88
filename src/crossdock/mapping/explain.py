"""Why an event met a subscription or did not: each condition, the value it saw, and whether it held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lark import Tree

from crossdock.mapping.preset import Preset
from crossdock.mapping.subscription import compile_condition
from crossdock.mapping.subscription_syntax import keys_of, offset_of, parse
from crossdock.mapping.values import MISSING

_JOINTS = ("any_of", "all_of", "group", "negated")


class Condition(NamedTuple):
    """One condition of an expression, on one event."""

    text: str
    column: int
    holds: bool
    path: str
    value: Any
    """What the event has at the path; MISSING when nothing."""

    def __str__(self) -> str:
        seen = "missing" if self.value is MISSING else repr(self.value)[:80]
        return f"{self.text} {'holds' if self.holds else 'fails'}: {self.path} is {seen}"


class Explanation(NamedTuple):
    """Whether an event meets an expression, and what each condition of it said."""

    matches: bool
    conditions: tuple[Condition, ...]

    @property
    def failed(self) -> tuple[Condition, ...]:
        """The conditions that did not hold."""
        return tuple(condition for condition in self.conditions if not condition.holds)


def explain_subscription(text: str, event: Mapping[str, Any], aliases: tuple[str, ...] = ()) -> Explanation:
    """
    Evaluate an expression on *event* condition by condition.

    Raises:
        MappingError: The expression is not FQL.
    """
    tree = parse(text)
    conditions = tuple(_condition(text, leaf, event, aliases) for leaf in _leaves(tree))
    return Explanation(compile_condition(text, aliases)(event), conditions)


def explain_preset(preset: Preset, event: Mapping[str, Any]) -> Explanation:
    """Say why *preset* takes an event or not; whether it is enabled is the caller's to show."""
    return explain_subscription(preset.subscribe, event, tuple(preset.aliases))


def _leaves(node: Tree[Any]) -> Iterator[Tree[Any]]:
    plain_negation = node.data == "negated" and node.children[0].data in ("contains", "match")
    if node.data in _JOINTS and not plain_negation:
        for child in node.children:
            yield from _leaves(child)
    else:
        yield node


def _condition(text: str, leaf: Tree[Any], event: Mapping[str, Any], aliases: tuple[str, ...]) -> Condition:
    path = next((str(node.children[0]) for node in leaf.iter_subtrees() if node.data == "path"), "")
    start = offset_of(leaf)
    written = text[start : getattr(leaf.meta, "end_pos", len(text))]
    holds = compile_condition(text, aliases, leaf)(event)
    return Condition(written, start + 1, holds, path, _value(event, path))


def _value(event: Mapping[str, Any], path: str) -> Any:
    value: Any = event
    for key in keys_of(path):
        if not isinstance(value, Mapping) or key not in value:
            return MISSING
        value = value[key]
    return value
