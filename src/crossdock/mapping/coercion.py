"""Directives that make a value the type a vendor wants: $number, $integer, $string, $boolean."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from crossdock.errors import MappingError, MappingFailed
from crossdock.mapping.compiler import At, Compiler, Scope, Value
from crossdock.mapping.directive import Compile, Directive, Example, kind_of, value_and_options, value_at
from crossdock.mapping.values import MISSING, is_empty, number_text

_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,3})?", re.ASCII)
_INT64: Final = 2**63
"""JSON writers and vendors take no whole number beyond it."""
_WORDS: Final = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False}
_WORDS["off"] = False


def to_number(value: Any) -> float | None:
    """Read a number, or a text that holds one; None for anything else, NaN and infinity included."""
    if value.__class__ in (int, float):
        return value if math.isfinite(value) else None
    if value.__class__ is not str or not _NUMBER.fullmatch(value.strip()):
        return None
    text = value.strip()
    try:
        number: float = int(text) if text.lstrip("+-").isdigit() else float(text)
    except ValueError:
        return None
    if number.__class__ is int and abs(number) >= _INT64:
        number = float(number)
    return number if math.isfinite(number) else None


def to_integer(value: Any) -> int | None:
    """Read a whole number; None for 12.5 as for anything else."""
    number = to_number(value)
    if number is None or abs(number) >= _INT64 or number != int(number):
        return None
    return int(number)


def to_text(value: Any) -> str | None:
    """Read a text, number or boolean as text; None for objects and lists."""
    if value.__class__ is str:
        return str(value)
    if value.__class__ is bool:
        return "true" if value else "false"
    return number_text(value) if value.__class__ in (int, float) else None


def to_boolean(value: Any) -> bool | None:
    """Read a boolean, 0, 1, or one of the usual words; None for anything else."""
    if value.__class__ is bool:
        return bool(value)
    text = to_text(value)
    return _WORDS.get(text.strip().lower()) if text is not None else None


def _coercion(name: str, convert: Callable[[Any], Any], same: tuple[str, ...], doc: str) -> Compile:
    def compile_coercion(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
        bounds = () if name == "boolean" else ("min", "max")
        parts = value_and_options(operand, ("on_error", *bounds))
        low, high = _bounds(parts)
        fallback = _policy(parts, name)
        value = compiler.value(parts["value"], scope, value_at(operand, at), "None")
        writer = compiler.writer
        slow = writer.bind(_checked(convert, low, high, fallback, text=name == "string"))
        conditions = [" or ".join(f"{value.name}.__class__ is {kind}" for kind in same)]
        measured = f"len({value.name})" if name == "string" else value.name
        conditions += [f"{measured} >= {writer.constant(low)}"] if low is not None else []
        conditions += [f"{measured} <= {writer.constant(high)}"] if high is not None else []
        fast = " and ".join(f"({condition})" for condition in conditions)
        if name == "string":
            # Texts below "!" are empty or begin with a blank; all others are plainly not blank.
            fast += f" and {value.name} >= {writer.constant('!')}"
        nothing = f"{value.name} is None or {value.name} is M" if value.missing else f"{value.name} is None"
        result = writer.assign(f"M if {nothing} else {value.name} if {fast} else {slow}({value.name})")
        return Value(result)

    compile_coercion.__doc__ = doc
    return compile_coercion


def _bounds(parts: Mapping[str, Any]) -> tuple[Any, Any]:
    for key in ("min", "max"):
        bound = parts.get(key)
        if key not in parts:
            continue
        if bound.__class__ not in (int, float):
            raise MappingError(f"{key} must be a number, but this is {kind_of(bound)}")
    return parts.get("min"), parts.get("max")


def _policy(parts: Mapping[str, Any], name: str) -> Callable[[Any], Any]:
    policy = parts.get("on_error", "drop")
    if isinstance(policy, Mapping) and list(policy) == ["default"]:
        default = policy["default"]
        if isinstance(default, dict | list):
            raise MappingError("on_error: the default must be a text, number, boolean or null")
        return lambda _value: default
    if policy == "error":

        def fail(value: Any) -> Any:
            raise MappingFailed(f"${name}: {kind_of(value)} cannot be used here: {value!r:.60}")

        return fail
    if policy not in ("drop", "null"):
        raise MappingError(f"on_error must be drop, null, error or {{default: …}}, but this is {policy!r}")
    replacement = None if policy == "null" else MISSING
    return lambda _value: replacement


def _checked(
    convert: Callable[[Any], Any], low: Any, high: Any, fallback: Callable[[Any], Any], *, text: bool
) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        if is_empty(value):
            return MISSING
        converted = convert(value)
        if converted is None:
            return fallback(value)
        measured = len(converted) if text else converted
        if (low is not None and measured < low) or (high is not None and measured > high):
            return fallback(value)
        return converted

    return checked


DIRECTIVES = (
    Directive(
        "number",
        _coercion(
            "number",
            to_number,
            ("float", "int"),
            "Give a number; a text that holds one is read, min and max bound it, on_error says what else.",
        ),
        (
            Example({"$number": "$.p"}, {"p": "19.90"}, 19.9),
            Example({"$number": "$.p"}, {"p": "free"}),
            Example({"$number": {"value": "$.p", "on_error": "null"}}, {"p": "free"}, None),
            Example({"$number": {"value": "$.p", "min": 0, "on_error": {"default": 0}}}, {"p": -4}, 0),
        ),
    ),
    Directive(
        "integer",
        _coercion(
            "integer", to_integer, ("int",), "Give a whole number; 12.0 and '12' are 12, 12.5 is an error."
        ),
        (
            Example({"$integer": "$.q"}, {"q": "12"}, 12),
            Example({"$integer": {"value": "$.q", "min": 1}}, {"q": 0}),
            Example({"$integer": "$.q"}, {"q": 12.5}),
        ),
    ),
    Directive(
        "string",
        _coercion(
            "string",
            to_text,
            ("str",),
            "Give a text; numbers and booleans are written out, blank is dropped, min and max bound it.",
        ),
        (
            Example({"$string": "$.id"}, {"id": 42.0}, "42"),
            Example({"$string": "$.id"}, {"id": {"a": 1}}),
            Example({"$string": {"value": "$.id", "max": 3}}, {"id": "long"}),
        ),
    ),
    Directive(
        "boolean",
        _coercion(
            "boolean", to_boolean, ("bool",), "Give true or false; 1, 0, yes, no, on, off count as well."
        ),
        (
            Example({"$boolean": "$.b"}, {"b": "yes"}, True),
            Example({"$boolean": {"value": "$.b", "on_error": {"default": False}}}, {"b": "maybe"}, False),
        ),
    ),
)
