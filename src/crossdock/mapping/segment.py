"""
Segment's own directives, with the semantics measured on its engine (docs/fql.md names the few differences).

Written with ``@`` they fail where Segment's engine fails: what its validation refuses fails at load, the rest
when an event comes. Written with ``$``, paths are JSONPaths and every mistake fails at load.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import orjson

from crossdock.errors import MappingError, MappingFailed
from crossdock.mapping.codegen import Root
from crossdock.mapping.compiler import At, Compiler, Scope, Value, is_path
from crossdock.mapping.directive import Directive, Example, is_directive, kind_of, options
from crossdock.mapping.paths import segment_get, segment_keys, segment_step
from crossdock.mapping.subscription import condition
from crossdock.mapping.values import MISSING, bounded, bounded_text, json_text, number_text, without_missing

_MAX_REPLACE: Final = 10
_MAX_LOOPS: Final = 3
_NOTHING: Final = (None, False, 0, "", MISSING)


def compile_path(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Read a value by its path; the path may come from another directive."""
    if is_directive(operand):
        value = compiler.value(operand, scope, at)
        return compiler.call(_dynamic_path, scope.root.variable, value.name)
    if not isinstance(operand, str):
        raise MappingError(f"should be a text or a directive, but this is {kind_of(operand)}")
    if not scope.segment and is_path(operand):
        return compiler.path(operand, scope, at)
    return segment_path(compiler, operand, scope, at)


def segment_path(compiler: Compiler, path: str, scope: Scope, at: At) -> Value:
    """Write the look-up of a Segment path: plain objects inline, the engine's oddities by a call."""
    keys = segment_keys(path)
    if keys is None:
        return compiler.faulty(f"{path!r} is no path", scope, at)
    if not keys:
        return Value(scope.root.variable, missing=False)
    writer = compiler.writer
    step = writer.bind(segment_step)
    name = scope.root.variable
    for key in keys:
        constant = writer.constant(key)
        name = writer.assign(
            f"{name}.get({constant}, M) if {name}.__class__ is dict else {step}({name}, {constant})"
        )
    return Value(name)


def _dynamic_path(root: Any, path: Any) -> Any:
    if path.__class__ is not str:
        raise MappingFailed(f"@path: expected a text, got {'nothing' if path is MISSING else kind_of(path)}")
    return segment_get(root, path)


def compile_if(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Choose by whether a value exists, is not blank, or (ours) whether a condition holds on the event."""
    if not isinstance(operand, Mapping) or is_directive(operand):
        raise MappingError(f"takes an object with exists, then and else, but this is {kind_of(operand)}")
    if not scope.segment:
        options(operand, ("exists", "blank", "when", "then", "else"))
    exists, blank = operand.get("exists", MISSING), operand.get("blank", MISSING)
    when = MISSING if scope.segment else operand.get("when", MISSING)
    if when is MISSING and _falsy(exists) and _falsy(blank):
        return compiler.faulty('@if requires an "exists" key or a "blank" key', scope, at)
    condition = _condition(compiler, operand, scope, at)
    writer = compiler.writer
    result = writer.assign("M")
    for branch, wanted in (("then", condition), ("else", f"not ({condition})")):
        node = operand.get(branch, MISSING)
        # The engine tests `else` for truth, so a falsy one is dropped; a falsy `then` is kept.
        if node is MISSING or (branch == "else" and _falsy(node)):
            continue
        with writer.indented(f"if {wanted}:"):
            value = compiler.value(node, scope, (*at, branch))
            writer.line(f"{result} = {value.name}")
    return Value(result)


def _condition(compiler: Compiler, operand: Mapping[str, Any], scope: Scope, at: At) -> str:
    writer = compiler.writer
    if operand.get("when", MISSING) is not MISSING and not scope.segment:
        return writer.assign(condition(compiler, operand["when"], scope.root))
    name = "exists" if operand.get("exists", MISSING) is not MISSING else "blank"
    value = compiler.value(operand[name], scope, (*at, name)).name
    if name == "blank":
        return writer.assign(f"{value} is not M and {writer.bind(_not_blank)}({value})")
    return writer.assign(f"{value} is not M and {value} is not None")


def _not_blank(value: Any) -> bool:
    """Tell whether JavaScript's ``value != ''`` holds for a value that exists."""
    if value.__class__ is str:
        return bool(value)
    if value.__class__ is list:
        return bool(value) and not (len(value) == 1 and (value[0] is None or not _not_blank_text(value[0])))
    return value.__class__ is dict or bool(value)


def _not_blank_text(value: Any) -> bool:
    return value not in ("", []) if value.__class__ in (str, list) else True


def _falsy(node: Any) -> bool:
    """Tell whether JavaScript takes *node* for false."""
    return node is None or node is MISSING or (node.__class__ in (bool, int, float, str) and not node)


def compile_case(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Turn a text into lower or upper case; other values pass unchanged."""
    parts = _object(operand, ("operator", "value"), scope)
    _is(parts, "operator", str)
    _text_or_directive(parts, scope)
    operator, node = parts.get("operator"), parts.get("value", MISSING)
    if not operator:
        return compiler.faulty('@case requires a "operator" key', scope, at)
    if operator not in ("lower", "upper") and not scope.segment:
        raise MappingError(f"operator must be lower or upper, but this is {operator!r}")
    if _falsy(node):
        return Value("M")
    value = compiler.value(node, scope, (*at, "value"))
    change = {"lower": str.lower, "upper": str.upper}.get(str(operator), _bad_operator)
    name = value.name
    bound = compiler.writer.bind(change)
    result = compiler.writer.assign(f"{bound}({name}) if {name}.__class__ is str else {name}")
    return Value(result, missing=value.missing)


def _bad_operator(_text: str) -> str:
    raise MappingFailed('@case: the operator should be "lower" or "upper"')


def compile_array_path(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Map each object of a list with a shape that sees the item only; $each sees the event as well."""
    if not isinstance(operand, list | tuple):
        raise MappingError(f"should be a list of a path and a shape, but this is {kind_of(operand)}")
    source, shape = (*operand, None, None)[:2]
    if is_directive(source):
        value = compiler.value(source, scope, (*at, 0))
    elif isinstance(source, str):
        value = compile_path(compiler, source, scope, (*at, 0))
    else:
        raise MappingError(f"its first part should be a path or a directive, but this is {kind_of(source)}")
    if not isinstance(shape, Mapping) or not shape:
        return value
    if scope.loops >= _MAX_LOOPS:
        raise MappingError(f"lists are mapped within lists more than {_MAX_LOOPS} deep")
    writer = compiler.writer
    result = writer.assign(value.name)
    with writer.indented(f"if {result}.__class__ is list or {result}.__class__ is dict:"):
        if is_directive(source):
            writer.line(f"{writer.bind(bounded)}({result})")
        items, item = writer.name(), writer.name()
        writer.line(f"{items} = {result} if {result}.__class__ is list else [{result}]")
        writer.line(f"{result} = []")
        if scope.loops:
            compiler.spend(items)
        with writer.indented(f"for {item} in {items}:"):
            inner = replace(scope, root=Root(writer, item), loops=scope.loops + 1, nesting=scope.nesting + 1)
            one = compiler.value(shape, inner, (*at, 1))
            # An undefined list item is null once the payload is JSON.
            kept = f"(None if {one.name} is M else {one.name})" if one.missing else one.name
            writer.line(f"{result}.append({kept})")
    return Value(result, missing=value.missing)


def compile_literal(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Give a value as it is, also a text that looks like a path; directives inside are still resolved."""
    raw = isinstance(operand, Mapping | list) and not is_directive(operand)
    inner = replace(scope, segment=True, validated=scope.validated and not (raw and scope.segment))
    return compiler.value(operand, inner, at)


def compile_json(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Write a value as JSON text (mode encode) or read one (decode); what is no JSON passes unchanged."""
    parts = _object(operand, ("mode", "value"), scope)
    mode = parts.get("mode")
    if not isinstance(mode, str) or mode.lower() not in ("encode", "decode"):
        raise MappingError(f"mode should be encode or decode, but this is {mode!r}")
    if mode not in ("encode", "decode") and not scope.segment:
        raise MappingError(f"mode should be encode or decode in lower case, but this is {mode!r}")
    if _falsy(parts.get("value", MISSING)):
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


def compile_flatten(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Make one flat object of a nested one, the names joined by separator; omitArrays keeps lists whole."""
    parts = _object(operand, ("separator", "value", "omitArrays"), scope)
    separator = parts.get("separator", MISSING)
    if _falsy(separator):
        return compiler.faulty('@flatten requires a "separator" key', scope, at)
    if not is_directive(separator) and not isinstance(separator, str):
        return compiler.faulty("@flatten requires a text as separator", scope, at)
    given = compiler.value(separator, scope, (*at, "separator"))
    value = compiler.value(parts.get("value", MISSING), replace(scope, raw=True), (*at, "value"))
    omit = compiler.writer.constant(not _falsy(parts.get("omitArrays", MISSING)))
    return compiler.call(_flatten, value.name, given.name, omit, missing=False)


def _flatten(value: Any, separator: Any, omit_arrays: bool) -> dict[str, Any]:
    if separator.__class__ is not str:
        raise MappingFailed("@flatten requires a text as separator")
    flat: dict[str, Any] = {}
    _flatten_into(flat, value, "", separator, omit_arrays=omit_arrays)
    return flat


def _flatten_into(
    flat: dict[str, Any], value: Any, prefix: str, separator: str, *, omit_arrays: bool
) -> None:
    if value.__class__ is dict:
        members = list(value.items())
    elif value.__class__ is list and not omit_arrays:
        members = [(str(index), member) for index, member in enumerate(value)]
    else:
        if value is not MISSING:
            flat[prefix] = without_missing(value)
        return
    for key, member in members:
        name = bounded_text(f"{prefix}{separator}{key}" if prefix else key)
        _flatten_into(flat, member, name, separator, omit_arrays=omit_arrays)


def compile_merge(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Make one object of several, shallowly; direction right lets the later win, left the earlier."""
    parts = _object(operand, ("direction", "objects"), scope)
    direction, objects = parts.get("direction", MISSING), parts.get("objects", MISSING)
    if isinstance(objects, list | tuple):
        for index, member in enumerate(objects):
            path = not scope.segment and isinstance(member, str) and is_path(member)
            if not isinstance(member, Mapping) and not path:
                raise MappingError(
                    f"objects.{index} should be an object or a directive, not {kind_of(member)}"
                )
    if _falsy(direction):
        return compiler.faulty('@merge requires a "direction" key', scope, at)
    if not isinstance(objects, list | tuple):
        return compiler.faulty('@merge requires a list as "objects"', scope, at)
    if isinstance(direction, str) and direction not in ("left", "right") and not scope.segment:
        raise MappingError(f"direction must be left or right, but this is {direction!r}")
    way = compiler.value(direction, scope, (*at, "direction"))
    inner = replace(scope, raw=True)
    names = [
        compiler.value(member, inner, (*at, "objects", index)).name for index, member in enumerate(objects)
    ]
    return compiler.call(_merge, way.name, compiler.writer.constant(scope.raw), *names, missing=False)


def _merge(direction: Any, raw: bool, *objects: Any) -> Any:
    merged: dict[str, Any] = {}
    for part in reversed(objects) if direction == "left" else objects:
        if part.__class__ is dict:
            merged.update(part)
        elif part.__class__ in (list, str):
            # Object.assign spreads texts and lists by index.
            merged.update({str(index): member for index, member in enumerate(part)})
    return merged if raw else without_missing(merged)


def compile_replace(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Replace a text of at most ten characters by another; all of them unless global is false."""
    known = ("value", "pattern", "replacement", "pattern2", "replacement2", "global", "ignorecase")
    parts = _object(operand, known, scope)
    for name in ("pattern", "pattern2"):
        if name == "pattern" or not _falsy(parts.get(name, MISSING)):
            _short(parts.get(name, MISSING), name, least=1)
    for name in ("replacement", "replacement2"):
        if parts.get(name) is not None:
            _short(parts[name], name, least=0)
    for name in ("global", "ignorecase"):
        if name in parts and not isinstance(parts[name], bool):
            raise MappingError(f"{name} should be a boolean, but this is {kind_of(parts[name])}")
    if "value" not in parts:
        raise MappingError("needs value")
    _text_or_directive(parts, scope)
    if _falsy(parts["value"]):
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


def compile_transform(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Build a new object by apply; mapping then sees only that object."""
    parts = _object(operand, ("apply", "mapping"), scope)
    apply, mapping = parts.get("apply", MISSING), parts.get("mapping", MISSING)
    if _falsy(mapping):
        return compiler.faulty('@transform requires a "mapping" key', scope, at)
    if not isinstance(apply, Mapping):
        return compiler.faulty('@transform requires an object as "apply"', scope, at)
    writer = compiler.writer
    built = compiler.value(apply, replace(scope, raw=False), (*at, "apply"))
    checked = compiler.call(_object_only, built.name, missing=False)
    root = Root(writer, checked.name)
    return compiler.value(mapping, replace(scope, root=root), (*at, "mapping"))


def _object_only(value: Any) -> Any:
    if value.__class__ is not dict:
        raise MappingFailed(f"@transform: apply gave {'nothing' if value is MISSING else kind_of(value)}")
    return bounded(value)


def compile_exclude_when_null(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Drop a null, and the null members of objects at every depth, but not those of lists."""
    value = compiler.value(operand, scope, at)
    return compiler.call(_without_null, value.name)


def _without_null(value: Any) -> Any:
    if value.__class__ is dict:
        return {
            key: _without_null(member)
            for key, member in value.items()
            if member is not None and member is not MISSING
        }
    return MISSING if value is None else value


def _object(operand: Any, known: tuple[str, ...], scope: Scope) -> Mapping[str, Any]:
    if not scope.segment:
        return options(operand, known)
    if not isinstance(operand, Mapping) or is_directive(operand):
        raise MappingError(f"should be an object with {', '.join(known)}, but this is {kind_of(operand)}")
    return operand


def _is(parts: Mapping[str, Any], name: str, kind: type) -> None:
    if name in parts and not isinstance(parts[name], kind):
        raise MappingError(f"{name} should be a {kind.__name__}, but this is {kind_of(parts[name])}")


def _text_or_directive(parts: Mapping[str, Any], scope: Scope) -> None:
    node = parts.get("value", "")
    if scope.segment and not isinstance(node, str) and not is_directive(node):
        raise MappingError(f"value should be a text or a directive, but this is {kind_of(node)}")


_EVENT: Final = {
    "event": "Order Completed",
    "userId": "u7",
    "anonymousId": None,
    "properties": {
        "total": 42.5,
        "code": "a-b",
        "products": [{"product_id": "p1", "qty": 2}, {"product_id": "p2"}],
        "tags": ["x", "y"],
    },
}

DIRECTIVES = (
    Directive(
        "path",
        compile_path,
        (
            Example({"@path": "$.properties.products[1].product_id"}, _EVENT, "p2"),
            Example({"$path": "$.properties.products[*].product_id"}, _EVENT, ["p1", "p2"]),
        ),
        segment=True,
    ),
    Directive(
        "if",
        compile_if,
        (
            Example({"@if": {"exists": {"@path": "$.anonymousId"}, "then": "a", "else": "b"}}, _EVENT, "b"),
            Example({"$if": {"exists": "$.userId", "then": "$.userId"}}, _EVENT, "u7"),
            Example(
                {"$if": {"when": "properties.total > 40", "then": "big", "else": "small"}}, _EVENT, "big"
            ),
        ),
        segment=True,
    ),
    Directive(
        "case",
        compile_case,
        (Example({"@case": {"operator": "upper", "value": {"@path": "$.userId"}}}, _EVENT, "U7"),),
        segment=True,
    ),
    Directive(
        "arrayPath",
        compile_array_path,
        (
            Example(
                {"@arrayPath": ["$.properties.products", {"id": {"@path": "$.product_id"}}]},
                _EVENT,
                [{"id": "p1"}, {"id": "p2"}],
            ),
        ),
        segment=True,
    ),
    Directive(
        "literal",
        compile_literal,
        (
            Example({"@literal": "{{x}}"}, _EVENT, "{{x}}"),
            Example({"$literal": "$.userId"}, _EVENT, "$.userId"),
        ),
        segment=True,
    ),
    Directive(
        "json",
        compile_json,
        (
            Example(
                {"@json": {"mode": "encode", "value": {"@path": "$.properties.tags"}}}, _EVENT, '["x","y"]'
            ),
            Example({"$json": {"mode": "decode", "value": "$.t"}}, {"t": "[1]"}, [1]),
        ),
        segment=True,
    ),
    Directive(
        "flatten",
        compile_flatten,
        (
            Example(
                {"@flatten": {"separator": "_", "value": {"@path": "$.properties.products"}}},
                _EVENT,
                {"0_product_id": "p1", "0_qty": 2, "1_product_id": "p2"},
            ),
        ),
        segment=True,
    ),
    Directive(
        "merge",
        compile_merge,
        (Example({"@merge": {"direction": "right", "objects": [{"a": 1}, {"a": 2}]}}, _EVENT, {"a": 2}),),
        segment=True,
    ),
    Directive(
        "replace",
        compile_replace,
        (
            Example(
                {"@replace": {"value": {"@path": "$.properties.code"}, "pattern": "-", "replacement": "_"}},
                _EVENT,
                "a_b",
            ),
        ),
        segment=True,
    ),
    Directive(
        "transform",
        compile_transform,
        (
            Example(
                {
                    "@transform": {
                        "apply": {"t": {"@path": "$.properties.total"}},
                        "mapping": {"out": {"@path": "$.t"}},
                    }
                },
                _EVENT,
                {"out": 42.5},
            ),
        ),
        segment=True,
    ),
    Directive(
        "excludeWhenNull",
        compile_exclude_when_null,
        (
            Example({"a": {"@excludeWhenNull": {"@path": "$.anonymousId"}}}, _EVENT, {}),
            Example({"$excludeWhenNull": "$.o"}, {"o": {"x": None, "y": 1}}, {"y": 1}),
        ),
        segment=True,
    ),
)
