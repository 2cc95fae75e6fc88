"""Directives that choose: $first, $default, $lookup, $require."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from crossdock.errors import MappingError
from crossdock.mapping.compiler import At, Compiler, Scope, Value
from crossdock.mapping.directive import Directive, Example, flag, kind_of, options, texts
from crossdock.mapping.values import MISSING, is_empty, text_of

_NESTED_ALTERNATIVES: Final = 8


def emptiness(value: Value, *, or_missing: bool = True) -> str:
    """Give the condition under which a value counts as empty: missing, null or a blank text."""
    name = value.name
    missing = f"{name} is M or " if value.missing and or_missing else ""
    return f"{missing}{name} is None or {name}.__class__ is str and (not {name} or {name}.isspace())"


def compile_first(compiler: Compiler, operand: Any, scope: Scope, at: At, absent: str) -> Value:
    """Give the first value of a list that is not missing, null or blank."""
    if not isinstance(operand, list | tuple):
        raise MappingError(f"takes a list of values, but this is {kind_of(operand)}")
    result = compiler.writer.name()
    compiler.writer.line(f"{result} = M")
    for start in range(0, len(operand), _NESTED_ALTERNATIVES):
        part = range(start, min(start + _NESTED_ALTERNATIVES, len(operand)))
        if start == 0:
            _alternatives(compiler, operand, part, result, scope, at)
        else:
            with compiler.writer.indented(f"if {result} is M:"):
                _alternatives(compiler, operand, part, result, scope, at)
    return Value(result)


def _alternatives(compiler: Compiler, operand: Any, part: range, result: str, scope: Scope, at: At) -> None:
    if not part:
        return
    index = part[0]
    value = compiler.value(operand[index], scope, (*at, index), "None")
    with compiler.writer.indented(f"if {emptiness(value)}:"):
        _alternatives(compiler, operand, part[1:], result, scope, at)
    compiler.writer.line(f"else: {result} = {value.name}")


def compile_default(compiler: Compiler, operand: Any, scope: Scope, at: At, absent: str) -> Value:
    """Give a value, or the default where it is missing, null or blank."""
    parts = options(operand, ("value", "default"), ("value", "default"))
    value = compiler.value(parts["value"], scope, (*at, "value"), "None")
    result = compiler.writer.assign(value.name)
    with compiler.writer.indented(f"if {emptiness(value)}:"):
        default = compiler.value(parts["default"], scope, (*at, "default"))
        compiler.writer.line(f"{result} = {default.name}")
    return Value(result, missing=default.missing)


def compile_lookup(compiler: Compiler, operand: Any, scope: Scope, at: At, absent: str) -> Value:
    """Translate a value by a table; casefold (true by default) lets upper and lower case match alike."""
    parts = options(operand, ("value", "table", "default", "casefold"), ("value", "table"))
    casefold = flag(parts, "casefold", default=True)
    table = _table(parts["table"], casefold=casefold)
    value = compiler.value(parts["value"], scope, (*at, "value"), "None")
    writer = compiler.writer
    name = writer.bind(table)
    other = writer.bind(_text_key(casefold=casefold))
    key = f"{value.name}.casefold()" if casefold else value.name
    result = writer.assign(
        f"{name}.get({key} if {value.name}.__class__ is str else {other}({value.name}), M)"
    )
    if "default" in parts:
        with writer.indented(f"if {result} is M:"):
            default = compiler.value(parts["default"], scope, (*at, "default"))
            writer.line(f"{result} = {default.name}")
        return Value(result, missing=default.missing)
    return Value(result)


def _table(node: Any, *, casefold: bool) -> dict[str | None, Any]:
    if not isinstance(node, Mapping) or not node:
        raise MappingError(f"table must be an object with at least one entry, but this is {kind_of(node)}")
    table: dict[str | None, Any] = {}
    for key, member in node.items():
        if isinstance(member, dict | list):
            raise MappingError(f"table: the value of {key!r} must be a text, number, boolean or null")
        text = text_of(key)
        text = text.casefold() if casefold else text
        if text in table and table[text] != member:
            raise MappingError(f"table: {key!r} stands there twice; casefold: false keeps the two apart")
        table[text] = member
    return table


def _text_key(*, casefold: bool) -> Any:
    def key_of(value: Any) -> str | None:
        if value is None or value is MISSING or value.__class__ in (dict, list):
            return None
        return text_of(value).casefold() if casefold else text_of(value)

    return key_of


def compile_require(compiler: Compiler, operand: Any, scope: Scope, at: At, absent: str) -> Value:
    """Give an object only when each of its keys named here has a value; a list of names means any of them."""
    parts = options(operand, ("value", "keys"), ("value", "keys"))
    keys = parts["keys"]
    if not isinstance(keys, list) or not keys:
        raise MappingError(f"keys must be a list of names, but this is {kind_of(keys)}")
    alternatives = tuple(texts(key, "keys") for key in keys)
    value = compiler.value(parts["value"], replace(scope, raw=False), (*at, "value"))
    return compiler.call(requirement(alternatives), value.name)


def requirement(alternatives: tuple[tuple[str, ...], ...]) -> Any:
    """Make the function that passes an object on only when it has one of each tuple of keys."""

    def required(value: Any) -> Any:
        if value.__class__ is not dict:
            return MISSING
        for names in alternatives:
            if all(is_empty(value.get(name)) for name in names):
                return MISSING
        return value

    return required


DIRECTIVES = (
    Directive(
        "first",
        compile_first,
        (
            Example({"$first": ["$.userId", "$.anonymousId"]}, {"userId": " ", "anonymousId": "a1"}, "a1"),
            Example({"$first": ["$.userId", "$.anonymousId"]}, {"userId": None}),
            Example({"$first": ["$.properties.n", 7]}, {"properties": {"n": 0}}, 0),
        ),
    ),
    Directive(
        "default",
        compile_default,
        (Example({"$default": {"value": "$.properties.currency", "default": "USD"}}, {}, "USD"),),
    ),
    Directive(
        "lookup",
        compile_lookup,
        (
            Example({"$lookup": {"value": "$.os", "table": {"ios": "mobile"}}}, {"os": "iOS"}, "mobile"),
            Example({"$lookup": {"value": "$.os", "table": {"ios": "mobile"}}}, {"os": "Plan 9"}),
            Example({"$lookup": {"value": "$.m", "table": {"true": "mobile"}}}, {"m": True}, "mobile"),
            Example({"$lookup": {"value": "$.os", "table": {"a": 1}, "default": 0}}, {}, 0),
        ),
    ),
    Directive(
        "require",
        compile_require,
        (
            Example({"$require": {"value": {"id": "$.id"}, "keys": ["id"]}}, {"id": "x"}, {"id": "x"}),
            Example({"$require": {"value": {"id": "$.id"}, "keys": ["id"]}}, {"id": " "}),
            Example(
                {"$require": {"value": {"a": "$.a", "b": "$.b"}, "keys": [["a", "b"]]}}, {"b": 1}, {"b": 1}
            ),
        ),
    ),
)
