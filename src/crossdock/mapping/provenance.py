"""
Where each field of a payload came from: which path, which of several, a literal, a directive.

The mapping is walked beside the event, and every part that decides is compiled and run on its own. So what is
told is what the compiled mapping does, at a price only `crossdock try` pays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from crossdock.errors import MappingError
from crossdock.mapping.compiler import compile_value, is_path
from crossdock.mapping.directive import is_directive
from crossdock.mapping.values import MISSING

_IN_TEMPLATE: Final = re.compile(r"\$(?:\.[A-Za-z_]\w*|item\b)(?:\.\w+)*")
_LITERAL: Final = "literal"


class Field(NamedTuple):
    """One field of a mapping, on one event."""

    name: str
    """Its place in the payload: ``items.0.price``."""
    value: Any
    """MISSING where the event gives it none."""
    source: str
    """``$.messageId``, ``literal``, ``$item.price by $number``; of a missing one, where it was looked for."""


@dataclass(frozen=True, slots=True)
class View:
    """What the paths of a mapping start from: the event with its visitor facts, and an item of a list."""

    event: Mapping[str, Any]
    item: Any = None
    index: int = 0

    def value(self, node: Any) -> Any:
        """Run a part of a mapping; MISSING also where it fails."""
        try:
            return compile_value(node, items=True)(self.event, self.item, self.index)
        except (MappingError, RecursionError, OverflowError):
            return MISSING

    def give(self, node: Any) -> bool:
        """Tell whether a part of a mapping gives a value: neither missing nor null nor blank."""
        value = self.value(node)
        return (
            value is not MISSING and value is not None and not (isinstance(value, str) and not value.strip())
        )


def explain_fields(mapping: Any, view: View) -> list[Field]:
    """Say of every field of a mapping what an event makes of it and from what, in the mapping's order."""
    return list(_fields(mapping, view, ""))


def _fields(node: Any, view: View, name: str) -> Iterator[Field]:
    if is_directive(node):
        yield from _of_directive(node, view, name)
    elif isinstance(node, Mapping) and node:
        for key, member in node.items():
            yield from _fields(member, view, f"{name}.{key}" if name else str(key))
    elif isinstance(node, list) and node:
        for place, member in enumerate(node):
            yield from _fields(member, view, f"{name}.{place}" if name else str(place))
    else:
        yield _leaf(node, view, name)


def _of_directive(node: Mapping[str, Any], view: View, name: str) -> Iterator[Field]:
    ((key, operand),) = [(key, node[key]) for key in node if key[:1] in ("@", "$")][:1]
    chosen = _chosen(node, view)
    if view.value(node) is MISSING:
        yield _leaf(node, view, name)
    elif chosen is not None:
        part, how = chosen
        for field in _fields(part, view, name):
            # Of choices within choices the innermost says most; the others would only pile up behind it.
            yield field if field.source.endswith(")") else field._replace(source=f"{field.source}{how}")
    elif key == "$each":
        yield from _of_each(operand, view, name)
    elif key == "$merge" and isinstance(operand, list):
        merged = {field.name: field for part in operand for field in _fields(part, view, name)}
        yield from merged.values()
    else:
        yield _leaf(node, view, name)


def _of_each(operand: Mapping[str, Any], view: View, name: str) -> Iterator[Field]:
    over = view.value(operand["over"])
    kept = 0
    for index, item in enumerate(over if isinstance(over, list) else [over]):
        within = View(view.event, item, index)
        if within.value({"$each": {**operand, "over": "$item"}}) is not MISSING:
            yield from _fields(operand["value"], within, f"{name}.{kept}" if name else str(kept))
            kept += 1


def _leaf(node: Any, view: View, name: str) -> Field:
    value = view.value(node)
    if value is MISSING:
        return Field(
            name, MISSING, ", ".join(dict.fromkeys(_paths(node))) or "a directive that gives nothing"
        )
    return Field(name, value, _source(node, view))


def _source(node: Any, view: View) -> str:
    if isinstance(node, str) and is_path(node):
        return node
    if not is_directive(node):
        return _LITERAL
    (key,) = [key for key in node if key[:1] in ("@", "$")][:1]
    operand = node[key]
    if key in ("$literal", "@literal"):
        return _LITERAL
    if key == "@path":
        return str(operand)
    found = [text for text in dict.fromkeys(_read(operand, view)) if text != _LITERAL]
    return f"{', '.join(found) or _LITERAL} by {key}"


def _read(node: Any, view: View) -> Iterator[str]:
    """Give the paths within a directive that had a value, of alternatives those of the chosen one."""
    chosen = _chosen(node, view) if is_directive(node) else None
    if chosen is not None:
        yield from _read(chosen[0], view)
    elif isinstance(node, Mapping | list):
        for member in node.values() if isinstance(node, Mapping) else node:
            yield from _read(member, view)
    else:
        yield from (path for path in _paths(node) if path.startswith("$item") or view.give(path))


def _chosen(node: Mapping[str, Any], view: View) -> tuple[Any, str] | None:
    """Give the part of a directive that made its value, and what to say of the choice."""
    operand = next(node[key] for key in node if key[:1] in ("@", "$"))
    if "$first" in node and isinstance(operand, list):
        for place, part in enumerate(operand):
            if view.give(part):
                return part, f" ({_ordinal(place + 1)} of {len(operand)})" if place else ""
    if not isinstance(operand, Mapping):
        return None
    if "$require" in node:
        return operand["value"], ""
    if "$default" in node:
        return (operand["value"], "") if view.give(operand["value"]) else (operand["default"], " by $default")
    if "$if" in node or "@if" in node:
        made = view.value(node)
        for branch in ("then", "else"):
            if branch in operand and made is not MISSING and view.value(operand[branch]) == made:
                return operand[branch], ""
    return None


def _paths(node: Any) -> Iterator[str]:
    """Give every path a part of a mapping may read."""
    if isinstance(node, Mapping):
        for key, member in node.items():
            yield from [member] if key == "@path" and isinstance(member, str) else _paths(member)
    elif isinstance(node, list):
        for member in node:
            yield from _paths(member)
    elif isinstance(node, str):
        yield from [node] if is_path(node) else _IN_TEMPLATE.findall(node)


def _ordinal(number: int) -> str:
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number, 'th') }"
