"""
Subscriptions: Segment's FQL, the documented dialect whole, compiled to one Python expression.

``and`` binds tighter than ``or``; comparisons are strict by type; a path that leads nowhere is null. Where
Segment's trigger engine reads an expression differently, `subscription_traps.warnings` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from lark import Tree

from crossdock.errors import MappingError
from crossdock.mapping.codegen import Root, Writer
from crossdock.mapping.compiler import Compiler
from crossdock.mapping.globs import compile_glob
from crossdock.mapping.subscription_functions import FUNCTIONS, quoted_number
from crossdock.mapping.subscription_syntax import (
    MAX_NESTING,
    SubscriptionError,
    keys_of,
    literal_value,
    offset_of,
    parse,
)

Pair = tuple[str | None, str | None]
"""A type and an event name; None stands for any."""

_MAX_PAIRS: Final = 200


def compile_subscription(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """
    Compile an FQL expression into a pure function: event → does it match.

    The function raises nothing, whatever the event.

    Raises:
        MappingError: It is not FQL; the message names the column and the fix.
    """
    return compile_condition(text)


def compile_condition(
    text: str, aliases: tuple[str, ...] = (), tree: Tree[Any] | None = None
) -> Callable[[Mapping[str, Any]], bool]:
    """Compile an expression, or one *tree* of it; *aliases* are further names for ``event = "…"``."""
    writer = Writer()
    writer.line("if event.__class__ is not dict: event = dict(event)")
    expression = _Expression(writer, aliases, None).write(tree or parse(text), 0)
    writer.line(f"return {expression}")
    return writer.function("event", "subscription")


def condition(compiler: Compiler, text: Any, root: Root) -> str:
    """
    Write an expression within a mapping, on what *root* holds.

    Raises:
        MappingError: It is no FQL.
    """
    if not isinstance(text, str):
        raise MappingError("a condition is a text such as: properties.total > 40")
    return _Expression(compiler.writer, (), root).write(parse(text), 0)


class _Expression:
    """Writes a tree as a Python expression over generated names."""

    def __init__(self, writer: Writer, aliases: tuple[str, ...], root: Root | None) -> None:
        self.writer = writer
        self.root = root
        self.aliases = aliases

    def write(self, node: Tree[Any], depth: int) -> str:
        """Write one condition, or several joined."""
        if depth > MAX_NESTING:
            raise SubscriptionError(f"this is nested more than {MAX_NESTING} deep", offset_of(node))
        if node.data in ("any_of", "all_of"):
            joint = " or " if node.data == "any_of" else " and "
            return "(" + joint.join(self.write(child, depth) for child in node.children) + ")"
        if node.data == "group":
            return self.write(node.children[0], depth + 1)
        if node.data == "negated":
            child = node.children[0]
            if child.data in ("contains", "match"):
                return self.text_test(child, negated=True)
            return f"(not {self.write(child, depth + 1)})"
        if node.data in ("contains", "match"):
            return self.text_test(node, negated=False)
        return str(
            {"compare": self.compare, "among": self.among, "holds": self.holds}.get(node.data, self.truth)(
                node
            )
        )

    def term(self, node: Tree[Any], depth: int = 0) -> str:
        """Write the value of a path or function; what leads nowhere is None."""
        if depth > MAX_NESTING:
            raise SubscriptionError("functions are nested too deeply", offset_of(node))
        if node.data == "call":
            name, inner = node.children
            return f"{self.writer.bind(FUNCTIONS[str(name)])}({self.term(inner, depth + 1)})"
        first, *rest = keys = keys_of(str(node.children[0]))
        if self.root is not None:
            return f"({self.root.get(keys, 'None')})"
        expression = f"event.get({self.writer.constant(first)})"
        if len(rest) > MAX_NESTING:
            raise SubscriptionError("this path is too long", offset_of(node))
        for key in rest:
            name = self.writer.name()
            held = f"({name} := {expression})"
            expression = f"({name}.get({self.writer.constant(key)}) if {held}.__class__ is dict else None)"
        return expression

    def compare(self, node: Tree[Any]) -> str:
        """Write ``path op literal``."""
        left, operator, right = node.children
        value, symbol = literal_value(right), str(operator)
        term = self.term(left)
        if isinstance(value, str) and symbol in ("=", "!="):
            if self.aliases and symbol == "=" and _is_event(left):
                return f"({term} in {self.writer.bind((value, *self.aliases))})"
            return f"({term} {'==' if symbol == '=' else '!='} {self.writer.constant(value)})"
        if value is None or isinstance(value, bool):
            if symbol not in ("=", "!="):
                raise SubscriptionError(f"{symbol} needs a number on its right", offset_of(operator))
            return f"({term} {'is' if symbol == '=' else 'is not'} {value})"
        number = quoted_number(value) if isinstance(value, str) else value
        if number is None:
            raise SubscriptionError(f"{symbol} needs a number on its right", offset_of(right))
        name = self.writer.name()
        kinds = f"(({name} := {term}).__class__ is int or {name}.__class__ is float)"
        return f"({kinds} and {name} {'==' if symbol == '=' else symbol} {self.writer.constant(number)})"

    def among(self, node: Tree[Any]) -> str:
        """Write ``path in [literals]``."""
        term, *literals = node.children
        values = tuple(literal_value(literal) for literal in literals)
        if _is_event(term):
            values = (*values, *self.aliases)
        if all(isinstance(value, str) for value in values):
            return f"({self.term(term)} in {self.writer.bind(values)})"
        return f"{self.writer.bind(_among(values))}({self.term(term)})"

    def holds(self, node: Tree[Any]) -> str:
        """Write ``literal in path``, for a path that is a list."""
        literal, path = node.children
        name = self.writer.name()
        test = self.writer.bind(_among((literal_value(literal),)))
        # A list of the event is short; any() cannot be had inside the generated expression.
        return (
            f"(({name} := {self.term(path)}).__class__ is list and {self.writer.bind(_any)}({test}, {name}))"
        )

    def text_test(self, node: Tree[Any], *, negated: bool) -> str:
        """Write contains and match; both they and their negation are false for what is no text."""
        term, literal = node.children
        pattern = literal_value(literal)
        if not isinstance(pattern, str):
            raise SubscriptionError(f"{node.data} needs a text as its second part", offset_of(literal))
        name = self.writer.name()
        is_text = f"({name} := {self.term(term)}).__class__ is str"
        if node.data == "contains":
            return f"({is_text} and {self.writer.constant(pattern)} {'not in' if negated else 'in'} {name})"
        try:
            glob = self.writer.bind(compile_glob(pattern))
        except MappingError as error:
            raise SubscriptionError(error.message, offset_of(literal)) from None
        return f"({is_text} and {'not ' if negated else ''}{glob}({name}))"

    def truth(self, node: Tree[Any]) -> str:
        """Write a bare path or function: it holds when the value is true."""
        return f"({self.term(node.children[0])} is True)"


def _among(values: tuple[Any, ...]) -> Callable[[Any], bool]:
    wanted = {(_kind(value), value) for value in values}

    def among(value: Any) -> bool:
        return value.__class__ not in (dict, list) and (_kind(value), value) in wanted

    return among


def _any(test: Callable[[Any], bool], values: list[Any]) -> bool:
    return any(test(value) for value in values)


def _kind(value: Any) -> str:
    return "number" if value.__class__ in (int, float) else value.__class__.__name__


def _is_event(node: Tree[Any]) -> bool:
    return node.data == "path" and str(node.children[0]) == "event"


class Dispatch(NamedTuple):
    """Which events an expression can match at all; *exact* when it matches each of those."""

    pairs: frozenset[Pair]
    exact: bool


_ANY: Final = Dispatch(frozenset({(None, None)}), exact=False)


def dispatch(text: str, aliases: tuple[str, ...] = ()) -> Dispatch:
    """Find the types and event names an expression needs, so that others are never tried."""
    return _dispatch(parse(text), aliases)


def has_event_name(text: str) -> bool:
    """Tell whether an expression compares ``event`` with a name, which is what aliases stand for."""
    return any(
        _is_event(node.children[0]) and (node.data == "among" or str(node.children[1]) == "=")
        for node in parse(text).iter_subtrees()
        if node.data in ("compare", "among")
    )


def _dispatch(node: Tree[Any], aliases: tuple[str, ...]) -> Dispatch:
    if node.data == "group":
        return _dispatch(node.children[0], aliases)
    if node.data in ("any_of", "all_of"):
        parts = [_dispatch(child, aliases) for child in node.children]
        return _either(parts) if node.data == "any_of" else _both(parts)
    if node.data == "compare":
        term, operator, literal = node.children
        if str(operator) == "=" and literal.data in ("string", "bare"):
            return _names(term, (literal_value(literal),), aliases)
    if node.data == "among" and all(child.data == "string" for child in node.children[1:]):
        return _names(node.children[0], tuple(map(literal_value, node.children[1:])), aliases)
    return _ANY


def _names(term: Tree[Any], values: tuple[str, ...], aliases: tuple[str, ...]) -> Dispatch:
    if _is_event(term):
        return Dispatch(frozenset((None, value) for value in (*values, *aliases)), exact=True)
    if term.data == "path" and str(term.children[0]) == "type":
        return Dispatch(frozenset((value, None) for value in values), exact=True)
    return _ANY


def _either(parts: list[Dispatch]) -> Dispatch:
    pairs = frozenset(pair for part in parts for pair in part.pairs)
    return Dispatch(pairs, all(part.exact for part in parts)) if len(pairs) <= _MAX_PAIRS else _ANY


def _both(parts: list[Dispatch]) -> Dispatch:
    pairs: frozenset[Pair] = frozenset({(None, None)})
    for part in parts:
        pairs = frozenset(
            (left[0] or right[0], left[1] if left[1] is not None else right[1])
            for left in pairs
            for right in part.pairs
            if _agree(left[0], right[0]) and _agree(left[1], right[1])
        )
        if len(pairs) > _MAX_PAIRS:
            return _ANY
    return Dispatch(pairs, all(part.exact for part in parts))


def _agree(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other
