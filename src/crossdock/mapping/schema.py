"""The JSON Schema of mapping files, by which editors complete and check keys, and directives in mappings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from crossdock.mapping.directive import Directive
from crossdock.mapping.directives import DIRECTIVES
from crossdock.mapping.operands import Part, operand_of
from crossdock.mapping.preset import MappingFileModel

_VALUE: Final[dict[str, Any]] = {"$ref": "#/$defs/Value"}
_DIRECTIVES: Final[dict[str, Any]] = {"$ref": "#/$defs/Directives"}
_KINDS: Final[dict[str, dict[str, Any]]] = {
    "value": _VALUE,
    "text": {"type": "string"},
    "boolean": {"type": "boolean"},
    "list": {"type": "array", "items": _VALUE},
    "table": {"type": "object", "minProperties": 1},
    "plain": {},
}


def mapping_schema() -> dict[str, Any]:
    """Give the JSON Schema of mapping files."""
    schema = MappingFileModel.model_json_schema()
    definitions = schema["$defs"]
    # A preset that changes a shipped one states its name and what differs only.
    preset = definitions["Preset"]
    schema["if"] = {"properties": {"extends": {"type": "string"}}, "required": ["extends"]}
    required = preset.pop("required")
    schema["else"] = {
        "required": ["destination"],
        "properties": {"presets": {"items": {"required": required}}},
    }
    preset["required"] = ["name"]
    preset["properties"]["mapping"] |= {"additionalProperties": _VALUE, "allOf": [_DIRECTIVES]}
    preset["properties"]["for_each"] |= _VALUE
    definitions["Once"]["properties"]["key"]["items"] = _VALUE
    definitions |= {"Value": _value(), "Directives": _directives()}
    override = {key: part for key, part in preset.items() if key != "required"}
    definitions["Override"] = {**override, "title": "Override", "description": "Parts laid over a preset."}
    schema.pop("required", None)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Crossdock mapping file"
    return schema


def _value() -> dict[str, Any]:
    return {
        "title": "Value",
        "description": "A literal, a path such as $.properties.total, a directive, or a list or object.",
        "type": ["string", "number", "boolean", "null", "array", "object"],
        "items": _VALUE,
        "additionalProperties": _VALUE,
        "allOf": [_DIRECTIVES],
    }


def _directives() -> dict[str, Any]:
    """Name every directive, refuse those there are not, and let none stand beside other keys."""
    named = {key: found for found in DIRECTIVES.values() for key in _keys(found)}
    names = "|".join(key[1:] for key in named if key[0] == "$")
    segment = "|".join(key[1:] for key in named if key[0] == "@")
    return {
        "properties": {key: _operand(one, key) for key, one in named.items()},
        "patternProperties": {rf"^\$(?!({names})$)": False, rf"^@(?!({segment})$)": False},
        "dependentSchemas": {key: {"propertyNames": {"enum": _alone(key)}} for key in named},
    }


def _keys(directive: Directive) -> list[str]:
    return [f"${directive.name}", *([f"@{directive.name}"] if directive.segment else [])]


def _alone(key: str) -> list[str]:
    return [key, "_metadata"] if key[0] == "@" else [key]


def _operand(directive: Directive, key: str) -> dict[str, Any]:
    takes, parts = operand_of(directive.name)
    shape: dict[str, Any] = {
        "value": _VALUE,
        "list": {"type": "array", "items": _VALUE},
        "text": {"type": ["string", "object"]},
        "pair": {"type": "array", "minItems": 1, "maxItems": 2, "items": _VALUE},
        "parts": _parts(parts, strict=key[0] == "$"),
        "value or parts": {"anyOf": [_parts(parts, strict=True), _VALUE]},
    }[takes]
    return {"description": directive.doc, **shape}


def _parts(parts: Mapping[str, Part], *, strict: bool) -> dict[str, Any]:
    properties = {name: _part(part) for name, part in parts.items()}
    shape: dict[str, Any] = {"type": "object", "properties": properties}
    if strict:
        # Segment ignores parts it does not know, and asks for some only when it runs.
        shape["required"] = [name for name, part in parts.items() if part.required]
        shape["additionalProperties"] = False
    return shape


def _part(part: Part) -> dict[str, Any]:
    choices = {"enum": list(part.choices)} if part.choices else _KINDS[part.kind]
    return {"description": part.doc, **choices}
