"""Segment's directives that make objects: @flatten, @merge, @transform, @excludeWhenNull."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from crossdock.errors import MappingError, MappingFailed
from crossdock.mapping.codegen import Root
from crossdock.mapping.compiler import At, Compiler, Scope, Value, is_path
from crossdock.mapping.directive import Directive, Example, is_directive, kind_of
from crossdock.mapping.segment_operand import EVENT, falsy, operand_object
from crossdock.mapping.values import MISSING, bounded, bounded_text, without_missing


def compile_flatten(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Make one flat object of a nested one, the names joined by separator; omitArrays keeps lists whole."""
    parts = operand_object(operand, ("separator", "value", "omitArrays"), scope)
    separator = parts.get("separator", MISSING)
    if falsy(separator):
        return compiler.faulty('@flatten requires a "separator" key', scope, at)
    if not is_directive(separator) and not isinstance(separator, str):
        return compiler.faulty("@flatten requires a text as separator", scope, at)
    given = compiler.value(separator, scope, (*at, "separator"))
    value = compiler.value(parts.get("value", MISSING), replace(scope, raw=True), (*at, "value"))
    omit = compiler.writer.constant(not falsy(parts.get("omitArrays", MISSING)))
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
    parts = operand_object(operand, ("objects", "direction"), scope)
    direction, objects = parts.get("direction", MISSING), parts.get("objects", MISSING)
    if isinstance(objects, list | tuple):
        for index, member in enumerate(objects):
            path = not scope.segment and isinstance(member, str) and is_path(member)
            if not isinstance(member, Mapping) and not path:
                raise MappingError(
                    f"objects.{index} should be an object or a directive, not {kind_of(member)}"
                )
    if falsy(direction):
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


def compile_transform(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Build a new object by apply; mapping then sees only that object."""
    parts = operand_object(operand, ("apply", "mapping"), scope)
    apply, mapping = parts.get("apply", MISSING), parts.get("mapping", MISSING)
    if falsy(mapping):
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


DIRECTIVES = (
    Directive(
        "flatten",
        compile_flatten,
        (
            Example(
                {"@flatten": {"separator": "_", "value": {"@path": "$.properties.products"}}},
                EVENT,
                {"0_product_id": "p1", "0_qty": 2, "1_product_id": "p2"},
            ),
        ),
        segment=True,
    ),
    Directive(
        "merge",
        compile_merge,
        (Example({"@merge": {"direction": "right", "objects": [{"a": 1}, {"a": 2}]}}, EVENT, {"a": 2}),),
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
                EVENT,
                {"out": 42.5},
            ),
        ),
        segment=True,
    ),
    Directive(
        "excludeWhenNull",
        compile_exclude_when_null,
        (
            Example({"a": {"@excludeWhenNull": {"@path": "$.anonymousId"}}}, EVENT, {}),
            Example({"$excludeWhenNull": "$.o"}, {"o": {"x": None, "y": 1}}, {"y": 1}),
        ),
        segment=True,
    ),
)
