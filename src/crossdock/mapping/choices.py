"""Directives that choose: $first, $default, $lookup, $require."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from crossdock.errors import MappingError
from crossdock.mapping.compiler import At, Compiler, Scope, Value, emptiness
from crossdock.mapping.directive import Directive, Example, flag, kind_of, options, texts
from crossdock.mapping.values import MISSING, text_of

_NESTED_ALTERNATIVES: Final = 8


def compile_first(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Give the first value of a list that is not missing, null or blank."""
    if not isinstance(operand, list | tuple):
        raise MappingError(f"takes a list of values, but this is {kind_of(operand)}; put it in [ ]")
    result = compiler.writer.name()
    compiler.writer.line(f"{result} = M")
    nodes = [(node, (*at, index)) for index, node in enumerate(operand)]
    for start in range(0, len(nodes), _NESTED_ALTERNATIVES):
        part = nodes[start : start + _NESTED_ALTERNATIVES]
        if start == 0:
            _alternatives(compiler, part, result, scope)
        else:
            with compiler.writer.indented(f"if {result} is M:"):
                _alternatives(compiler, part, result, scope)
    return Value(result)


def _alternatives(compiler: Compiler, nodes: list[tuple[Any, At]], result: str, scope: Scope) -> None:
    if not nodes:
        return
    node, at = nodes[0]
    value = compiler.value(node, scope, at, "None")
    with compiler.writer.indented(f"if {emptiness(value)}:"):
        _alternatives(compiler, nodes[1:], result, scope)
    compiler.writer.line(f"else: {result} = {value.name}")


def compile_default(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Give a value, or the default where it is missing, null or blank."""
    parts = options(operand, ("value", "default"), ("value", "default"))
    value = compiler.value(parts["value"], scope, (*at, "value"), "None")
    result = compiler.writer.assign(value.name)
    with compiler.writer.indented(f"if {emptiness(value)}:"):
        default = compiler.value(parts["default"], scope, (*at, "default"))
        compiler.writer.line(f"{result} = {default.name}")
    return Value(result, missing=default.missing)


def compile_lookup(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Translate a value by a table; casefold (true by default) lets upper and lower case match alike."""
    parts = options(operand, ("value", "table", "default", "casefold"), ("value", "table"))
    casefold = flag(parts, "casefold", default=True)
    table = _table(parts["table"], casefold=casefold)
    value = compiler.value(parts["value"], scope, (*at, "value"), "None")
    writer = compiler.writer
    name = writer.bind(table)
    other = writer.bind(_text_key(casefold=casefold))
    given = value.name
    key = f"{given}.casefold()" if casefold else given
    nothing = f"{given} is None or {given} is M" if value.missing else f"{given} is None"
    result = writer.assign(
        f"M if {nothing} else {name}.get({key} if {given}.__class__ is str else {other}({given}), M)"
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


def compile_require(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Give an object only when each of its keys named here has a value; a list of names means any of them."""
    parts = options(operand, ("value", "keys"), ("value", "keys"))
    keys = parts["keys"]
    if not isinstance(keys, list) or not keys:
        raise MappingError(f"keys must be a list of names, but this is {kind_of(keys)}")
    value = compiler.value(parts["value"], replace(scope, raw=False), (*at, "value"))
    return required(compiler, value, [texts(key, "keys") for key in keys])


def required(compiler: Compiler, value: Value, alternatives: list[tuple[str, ...]]) -> Value:
    """Write the check that an object has, of each tuple of keys, one with a value; else MISSING."""
    writer = compiler.writer
    result = writer.assign(f"{value.name} if {value.name}.__class__ is dict else M")
    for names in alternatives:
        with writer.indented(f"if {result} is not M:"):
            _any_of(compiler, result, names)
    return Value(result)


def _any_of(compiler: Compiler, result: str, names: tuple[str, ...]) -> None:
    if not names:
        compiler.writer.line(f"{result} = M")
        return
    found = Value(
        compiler.writer.assign(f"{result}.get({compiler.writer.constant(names[0])})"), missing=False
    )
    with compiler.writer.indented(f"if {emptiness(found)}:"):
        _any_of(compiler, result, names[1:])


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
