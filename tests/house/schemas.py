"""
The JSON Schemas of mapping files and of `crossdock.yaml`, drawn from the models into `mappings/`.

``make docs`` writes them; `test_schemas` fails while a file is older than the code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from crossdock import destinations
from crossdock.mapping import mapping_schema
from crossdock.settings import Settings
from tests.house.source import ROOT, fields

FOLDER: Final = ROOT / "mappings"
_VARIABLE: Final = {"type": "string", "pattern": r"\$\{"}
_DURATION: Final = {"type": ["string", "number"], "description": "Such as 200ms, 10s, 5m, 2h or 7d."}
_SIZE: Final = {"type": ["string", "integer"], "description": "Such as 512KiB or 20GiB."}


def settings_schema() -> dict[str, Any]:
    """Give the JSON Schema of `crossdock.yaml`, vendor settings and preset overrides included."""
    schema = Settings.model_json_schema()
    definitions = schema["$defs"]
    models = {model.__name__: model for model in _models(Settings)}
    for name, definition in {**definitions, "Settings": schema}.items():
        _describe(definition, models.get(name))
    mapping = mapping_schema()["$defs"]
    definitions |= {
        name: mapping[name] for name in ("Value", "Directives", "Override", "Once", "PresetExample")
    }
    _destinations(definitions)
    definitions["SourceSettings"].pop("required", None)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Crossdock settings"
    return schema


def _destinations(definitions: dict[str, Any]) -> None:
    account = definitions["DestinationSettings"]
    account.pop("required", None)  # the vendor may be the name
    account["properties"]["vendor"]["enum"] = list(destinations.names())
    account["properties"]["presets"]["additionalProperties"] = {
        "anyOf": [{"type": "boolean"}, {"$ref": "#/$defs/Override"}]
    }
    account["allOf"] = []
    for name in destinations.names():
        model = destinations.load(name)
        vendor = model.model_json_schema()
        definitions |= vendor.pop("$defs", {})
        _describe(vendor, model)
        definitions[f"{name} settings"] = vendor
        account["allOf"].append(
            {
                "if": {"properties": {"vendor": {"const": name}}, "required": ["vendor"]},
                "then": {"properties": {"settings": {"$ref": f"#/$defs/{name} settings"}}},
            }
        )


def _models(model: type[BaseModel]) -> list[type[BaseModel]]:
    found = [model]
    for field in model.model_fields.values():
        inner = [field.annotation, *getattr(field.annotation, "__args__", ())]
        found += [
            one
            for kind in inner
            if isinstance(kind, type) and issubclass(kind, BaseModel)
            for one in _models(kind)
        ]
    return found


def _describe(definition: dict[str, Any], model: type[BaseModel] | None) -> None:
    """Give each field its docstring, and let a variable of the environment stand for anything but a text."""
    written = fields(model) if model else {}
    names = {(field.alias or name): name for name, field in model.model_fields.items()} if model else {}
    for key, field in definition.get("properties", {}).items():
        annotation = written[names[key]].annotation if key in names else ""
        if "Duration" in annotation or "Size" in annotation:
            kept = {part: field[part] for part in ("default",) if part in field}
            field.clear()
            field |= {**kept, **(_SIZE if "Size" in annotation else _DURATION)}
            if isinstance(field.get("default"), str) and field["default"].startswith("P"):
                del field["default"]
        elif field.get("type") in ("integer", "number", "boolean"):
            kind = {part: field.pop(part) for part in list(field) if part not in ("title", "default")}
            field["anyOf"] = [kind, _VARIABLE]
        if key in names and written[names[key]].docstring:
            field["description"] = written[names[key]].docstring.replace("`", "")


def drawn() -> dict[Path, str]:
    """Give each schema file and what stands in it."""
    found = {"mapping.schema.json": mapping_schema(), "crossdock.schema.json": settings_schema()}
    return {
        FOLDER / name: json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
        for name, schema in found.items()
    }


def main() -> None:
    """Write the files."""
    for path, text in drawn().items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
