"""Segment's directives on texts: @case, @json, @replace."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import orjson

from crossdock.errors import MappingError, MappingFailed
from crossdock.mapping.compiler import At, Compiler, Scope, Value
from crossdock.mapping.directive import Directive, Example, kind_of
from crossdock.mapping.segment_operand import EVENT, falsy, must_be, operand_object, text_or_directive
from crossdock.mapping.values import MISSING, bounded_text, json_text, number_text

_MAX_REPLACE: Final = 10


def compile_case(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Turn a text into lower or upper case; other values pass unchanged."""
    parts = operand_object(operand, ("operator", "value"), scope)
    must_be(parts, "operator", str)
    text_or_directive(parts, scope)
    operator, node = parts.get("operator"), parts.get("value", MISSING)
    if not operator:
        return compiler.faulty('@case requires a "operator" key', scope, at)
    if operator not in ("lower", "upper") and not scope.segment:
        raise MappingError(f"operator must be lower or upper, but this is {operator!r}")
    if falsy(node):
        return Value("M")
    value = compiler.value(node, scope, (*at, "value"))
    change = {"lower": str.lower, "upper": str.upper}.get(str(operator), _bad_operator)
    name = value.name
    bound = compiler.writer.bind(change)
    result = compiler.writer.assign(f"{bound}({name}) if {name}.__class__ is str else {name}")
    return Value(result, missing=value.missing)


def _bad_operator(_text: str) -> str:
    raise MappingFailed('@case: the operator should be "lower" or "upper"')


def compile_json(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Write a value as JSON text (mode encode) or read one (decode); what is no JSON passes unchanged."""
    parts = operand_object(operand, ("mode", "value"), scope)
    mode = parts.get("mode")
    if not isinstance(mode, str) or mode.lower() not in ("encode", "decode"):
        raise MappingError(f"mode should be encode or decode, but this is {mode!r}")
    if mode not in ("encode", "decode") and not scope.segment:
        raise MappingError(f"mode should be encode or decode in lower case, but this is {mode!r}")
    if falsy(parts.get("value", MISSING)):
        return compiler.faulty('@json requires a "value" key', scope, at)
    value = compiler.value(parts["value"], scope, (*at, "value"))
    if mode not in ("encode", "decode"):
        return Value("M")
    return compiler.call(_encode if mode == "encode" else _decode, value.name)


def _encode(value: Any) -> Any:
    return MISSING if value is MISSING else json_text(value)


def _decode(value: Any) -> Any:
    if value.__class__ is str:
        with suppress(orjson.JSONDecodeError):
            return orjson.loads(value)
    return value


def compile_replace(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Replace a text of at most ten characters by another; all of them unless global is false."""
    known = ("value", "pattern", "replacement", "pattern2", "replacement2", "global", "ignorecase")
    parts = operand_object(operand, known, scope)
    for name in ("pattern", "pattern2"):
        if name == "pattern" or not falsy(parts.get(name, MISSING)):
            _short(parts.get(name, MISSING), name, least=1)
    for name in ("replacement", "replacement2"):
        if parts.get(name) is not None:
            _short(parts[name], name, least=0)
    for name in ("global", "ignorecase"):
        if name in parts and not isinstance(parts[name], bool):
            raise MappingError(f"{name} should be a boolean, but this is {kind_of(parts[name])}")
    if "value" not in parts:
        raise MappingError("needs value")
    text_or_directive(parts, scope)
    if falsy(parts["value"]):
        return Value("M")
    value = compiler.value(parts["value"], scope, (*at, "value"))
    return compiler.call(_replacer(parts), value.name, missing=False)


def _replacer(parts: Mapping[str, Any]) -> Callable[[Any], str]:
    flags = re.IGNORECASE if parts.get("ignorecase") else 0
    count = 0 if parts.get("global", True) else 1
    steps = [(re.compile(re.escape(parts["pattern"]), flags), parts.get("replacement") or "")]
    if parts.get("pattern2"):
        steps.append((re.compile(re.escape(parts["pattern2"]), flags), parts.get("replacement2") or ""))

    def replaced(value: Any) -> str:
        if value.__class__ is bool:
            value = "true" if value else "false"
        elif value.__class__ in (int, float):
            value = number_text(value)
        if value.__class__ is not str:
            return ""
        for pattern, replacement in steps:
            value = bounded_text(pattern.sub(_dollars(replacement), value, count=count))
        return str(value)

    return replaced


def _dollars(replacement: str) -> Callable[[re.Match[str]], str]:
    """Expand ``$&``, ``$$``, ``$`` + backtick and ``$'`` in a replacement as JavaScript does."""

    def expand(found: re.Match[str]) -> str:
        if "$" not in replacement:
            return replacement
        known = {
            "$$": "$",
            "$&": found[0],
            "$`": found.string[: found.start()],
            "$'": found.string[found.end() :],
        }
        return re.sub(r"\$[$&`']", lambda mark: known[mark[0]], replacement)

    return expand


def _short(text: Any, name: str, *, least: int) -> None:
    if not isinstance(text, str):
        raise MappingError(f"{name} should be a text, but this is {kind_of(text)}")
    if not least <= len(text) <= _MAX_REPLACE:
        raise MappingError(f"{name} should be {least} to {_MAX_REPLACE} characters long")


DIRECTIVES = (
    Directive(
        "case",
        compile_case,
        (Example({"@case": {"operator": "upper", "value": {"@path": "$.userId"}}}, EVENT, "U7"),),
        segment=True,
    ),
    Directive(
        "json",
        compile_json,
        (
            Example(
                {"@json": {"mode": "encode", "value": {"@path": "$.properties.tags"}}}, EVENT, '["x","y"]'
            ),
            Example({"$json": {"mode": "decode", "value": "$.t"}}, {"t": "[1]"}, [1]),
        ),
        segment=True,
    ),
    Directive(
        "replace",
        compile_replace,
        (
            Example(
                {"@replace": {"value": {"@path": "$.properties.code"}, "pattern": "-", "replacement": "_"}},
                EVENT,
                "a_b",
            ),
        ),
        segment=True,
    ),
)
