"""What is drawn from the code in `docs/mapping.md`: keys, directives with their examples, limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from crossdock.document import MAX_BYTES, MAX_DEPTH, MAX_NODES
from crossdock.mapping import compiled, compiler, jsonpath, lists, segment_texts, templates
from crossdock.mapping.directive import Directive, Example
from crossdock.mapping.directives import DIRECTIVES
from crossdock.mapping.operands import Operand, operand_of
from crossdock.mapping.preset import MappingFileModel, Once, Preset, PresetExample
from crossdock.mapping.subscription_syntax import MAX_LENGTH
from crossdock.mapping.values import MAX_NODES as MAX_VALUES
from crossdock.mapping.values import MAX_TEXT, MISSING

_KINDS = {str: "text", bool: "true or false", list: "list", dict: "mapping", Any: "value"}
_TAKES = {
    "value": "Takes a value.",
    "list": "Takes a list of values.",
    "text": "Takes a text.",
    "pair": "Takes a list of a path and a shape.",
    "parts": "Takes an object:",
    "value or parts": "Takes a value, or an object:",
}


def keys() -> str:
    """Give the keys of a mapping file, of a preset and of its parts."""
    tables: dict[str, type[BaseModel]] = {
        "A mapping file": MappingFileModel,
        "A preset": Preset,
        "`once`": Once,
        "One of `examples`": PresetExample,
    }
    return "\n\n".join(f"**{name}**\n\n{_keys(model)}" for name, model in tables.items())


def _keys(model: type[BaseModel]) -> str:
    rows = []
    for name, field in model.model_fields.items():
        required = ", required" if field.is_required() else ""
        rows.append(f"| `{name}` | {_kind(field.annotation)}{required} | {_cell(field.description or '')} |")
    return "\n".join(["| Key | Kind | Meaning |", "|---|---|---|", *rows])


def _kind(annotation: Any) -> str:
    kinds = [one for one in get_args(annotation) if one is not type(None)]
    if get_origin(annotation) not in (list, dict) and kinds:
        return _kind(kinds[0])
    return _KINDS.get(get_origin(annotation) or annotation, "mapping")


def directives() -> str:
    """Give every directive: what it does, what it takes, and its examples."""
    return "\n\n".join(
        "\n\n".join(_directive(DIRECTIVES[name])) for name in sorted(DIRECTIVES, key=str.lower)
    )


def _directive(directive: Directive) -> Iterator[str]:
    segment = f" and `@{directive.name}`" if directive.segment else ""
    yield f"### `${directive.name}`{segment}"
    operand = operand_of(directive.name)
    yield f"{directive.doc} {_TAKES[operand.takes]}"
    if operand.parts:
        yield _parts(operand)
    rows = [_example(example) for example in directive.examples]
    yield "\n".join(["| Mapping | Event | Result |", "|---|---|---|", *rows])


def _parts(operand: Operand) -> str:
    lines = []
    for name, part in operand.parts.items():
        choices = f" One of {', '.join(f'`{choice}`' for choice in part.choices)}." if part.choices else ""
        lines.append(f"- `{name}`{' (required)' if part.required else ''}: {part.doc}{choices}")
    return "\n".join(lines)


def _example(example: Example) -> str:
    result = "*(left out)*" if example.result is MISSING else _code(example.result)
    event = _relevant(example.event, json.dumps(example.mapping))
    return f"| {_code(example.mapping)} | {_code(event)} | {result} |"


def _relevant(event: dict[str, Any], mapping: str) -> dict[str, Any]:
    """Leave out of an event what a mapping does not name, that the table can be read."""
    return {
        key: _relevant(value, mapping) if isinstance(value, dict) and key == "properties" else value
        for key, value in event.items()
        if key in mapping
    }


def _code(value: Any) -> str:
    return f"`{_cell(json.dumps(value, ensure_ascii=False))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def limits() -> str:
    """Give every bound of the language."""
    rows = {
        "A mapping file": f"{MAX_BYTES // 1024:,} KiB, {MAX_NODES:,} values, {MAX_DEPTH} deep",
        "A condition": f"{MAX_LENGTH:,} bytes",
        "A mapping": f"{compiler._MAX_NESTING} deep",
        "A JSONPath": f"{jsonpath._MAX_LISTS} wildcards, filters or slices and one `..`; "
        f"{jsonpath._MAX_MATCHES:,} matches",
        "`for_each`": f"{compiled._MAX_PAYLOADS:,} payloads of one event",
        "Loops within loops": f"{lists._MAX_LOOPS} deep, {compiler._MAX_ITEMS:,} items in all",
        "A text that a directive makes": f"{MAX_TEXT:,} characters",
        "What one directive hands on": f"{MAX_VALUES:,} values",
        "`$template`": f"{templates._MAX_TEMPLATE:,} characters",
        "`$liquid`": f"{templates._MAX_LIQUID:,} characters; no loops, no list filters, no clock",
        "`$replace`": f"{segment_texts._MAX_REPLACE} characters in a pattern or replacement",
    }
    lines = [f"| {what} | {bound} |" for what, bound in rows.items()]
    return "\n".join(["| What | At most |", "|---|---|", *lines])
