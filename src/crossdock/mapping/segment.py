"""
Segment's directives that read and choose: @path, @if, @arrayPath, @literal.

Their semantics were measured on its engine (docs/fql.md names the few differences).
Written with ``@`` they fail where Segment's engine fails: what its validation refuses fails at load, the rest
when an event comes. Written with ``$``, paths are JSONPaths and every mistake fails at load.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from crossdock.errors import MappingError, MappingFailed
from crossdock.mapping.codegen import Root
from crossdock.mapping.compiler import At, Compiler, Scope, Value, is_path
from crossdock.mapping.directive import Directive, Example, is_directive, kind_of, options
from crossdock.mapping.paths import segment_get, segment_keys, segment_step
from crossdock.mapping.segment_operand import EVENT, falsy
from crossdock.mapping.subscription import condition
from crossdock.mapping.values import MISSING, bounded

_MAX_LOOPS: Final = 3


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
    name = scope.root.start(keys)
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
    if when is MISSING and falsy(exists) and falsy(blank):
        return compiler.faulty('@if requires an "exists" key or a "blank" key', scope, at)
    condition = _condition(compiler, operand, scope, at)
    writer = compiler.writer
    result = writer.assign("M")
    for branch, wanted in (("then", condition), ("else", f"not ({condition})")):
        node = operand.get(branch, MISSING)
        # The engine tests `else` for truth, so a falsy one is dropped; a falsy `then` is kept.
        if node is MISSING or (branch == "else" and falsy(node)):
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


DIRECTIVES = (
    Directive(
        "path",
        compile_path,
        (
            Example({"@path": "$.properties.products[1].product_id"}, EVENT, "p2"),
            Example({"$path": "$.properties.products[*].product_id"}, EVENT, ["p1", "p2"]),
        ),
        segment=True,
    ),
    Directive(
        "if",
        compile_if,
        (
            Example({"@if": {"exists": {"@path": "$.anonymousId"}, "then": "a", "else": "b"}}, EVENT, "b"),
            Example({"$if": {"exists": "$.userId", "then": "$.userId"}}, EVENT, "u7"),
            Example({"$if": {"when": "properties.total > 40", "then": "big", "else": "small"}}, EVENT, "big"),
        ),
        segment=True,
    ),
    Directive(
        "arrayPath",
        compile_array_path,
        (
            Example(
                {"@arrayPath": ["$.properties.products", {"id": {"@path": "$.product_id"}}]},
                EVENT,
                [{"id": "p1"}, {"id": "p2"}],
            ),
        ),
        segment=True,
    ),
    Directive(
        "literal",
        compile_literal,
        (
            Example({"@literal": "{{x}}"}, EVENT, "{{x}}"),
            Example({"$literal": "$.userId"}, EVENT, "$.userId"),
        ),
        segment=True,
    ),
)
