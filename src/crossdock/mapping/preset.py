"""
Mapping files: a vendor's presets, each one subscription, one action and one mapping.

A file may extend a shipped one: its presets then override those of the same name, field by field, and their
mappings key by key. Everything wrong with a file is reported at once, each with its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from crossdock.document import Document, load
from crossdock.errors import ConfigError, ConfigErrors, Location
from crossdock.units import parse_duration

At = tuple[str | int, ...]

_STRICT: Final = ConfigDict(extra="forbid", strict=True, frozen=True)


class Once(BaseModel):
    """Lets one action through once per key, within a time measured between the events' timestamps."""

    model_config = _STRICT

    key: list[Any] = Field(min_length=1, description="Mapping values; a null or blank one means no guard.")
    within: str = Field(description="A duration such as 10s or 7d.")

    @field_validator("within")
    @classmethod
    def _duration(cls, text: str) -> str:
        try:
            parse_duration(text)
        except ConfigError as error:
            raise ValueError(error.message) from None
        return text


class PresetExample(BaseModel):
    """An event and the payloads the preset makes of it; run by `check` and by tests."""

    model_config = _STRICT

    event: dict[str, Any] = Field(description="A Segment event; visitor holds facts, where it needs any.")
    sends: list[Any] = Field(description="The payloads; an empty list when nothing is sent.")
    name: str | None = Field(default=None, description="What it shows.")


class Preset(BaseModel):
    """One subscription, one action, one mapping."""

    model_config = _STRICT

    name: str = Field(min_length=1, description="Unique within the file.")
    subscribe: str = Field(description='A condition on the event, such as: type = "track"')
    aliases: list[str] = Field(default=[], description='Further names for event = "…" in the condition.')
    enabled: bool = Field(default=True, description="False: it takes no event until the settings say so.")
    action: str = Field(min_length=1, description="What the vendor is asked to do.")
    mapping: dict[str, Any] = Field(description="How the payload's fields are built.")
    for_each: Any = Field(
        default=None, description="A list of the event: one payload per item, $item and $index."
    )
    fallback: bool = Field(
        default=False, description="Takes only events that no other enabled preset of the file takes."
    )
    requires: list[str | list[str]] = Field(
        default=[], description="Fields a payload must have to be sent; a list of names means any of them."
    )
    once: Once | None = Field(default=None, description="Lets one action through once; see below.")
    examples: list[PresetExample] = Field(
        default=[], description="Events and what is sent; `check` runs them."
    )
    description: str | None = Field(default=None, description="For the reader.")


class MappingFileModel(BaseModel):
    """What stands in a mapping file."""

    model_config = _STRICT

    destination: str = Field(min_length=1, description="The vendor's name.")
    extends: str | None = Field(
        default=None, description="A shipped vendor's name whose presets this file changes."
    )
    presets: list[Preset] = Field(default=[], description="What is sent for which events.")


@dataclass(frozen=True)
class Origin:
    """Where a preset's parts were written: the changing file first, the one it extends after it."""

    places: tuple[tuple[Document, At], ...] = ()

    def locate(self, at: At, key: bool = False) -> Location | None:
        """Give the place of a preset's part, in the file that last wrote it."""
        for document, base in self.places:
            if document.knows((*base, *at)):
                return document.location((*base, *at), key)
        return self.places[0][0].location((*self.places[0][1], *at), key) if self.places else None

    def locate_in(self, at: At, offset: int) -> Location | None:
        """Give the place of a character within a preset's text."""
        for document, base in self.places:
            if document.knows((*base, *at)):
                return document.location_in((*base, *at), offset)
        return self.locate(at)


@dataclass(frozen=True)
class MappingFile:
    """A mapping file with what it extends, checked but not yet compiled."""

    destination: str
    presets: tuple[Preset, ...]
    origins: tuple[Origin, ...] = field(default=(), repr=False)
    doubts: tuple[ConfigError, ...] = field(default=(), repr=False)
    """What the file itself says that may be meant otherwise."""

    def preset(self, name: str) -> Preset:
        """Give the preset of that name; KeyError when there is none."""
        for preset in self.presets:
            if preset.name == name:
                return preset
        raise KeyError(name)


def shipped_mapping_path(vendor: str) -> Path:
    """Give the path of a shipped vendor's mapping file, in the installed package or the repository."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_mappings" / f"{vendor}.yaml"
    return installed if installed.exists() else package.parent.parent / "mappings" / f"{vendor}.yaml"


def load_mapping(source: str | Path, file: str = "<mapping>") -> MappingFile:
    """
    Read a mapping file from a path, or from its text (*file* then names it in messages).

    Raises:
        ConfigError: It is wrong; `ConfigErrors` holds them all when there are several.
    """
    document = _read(source) if isinstance(source, Path) else load(source, file)
    data = document.data
    if not isinstance(data, dict):
        raise ConfigError("a mapping file holds destination and presets", document.location(()))
    faults: list[ConfigError] = []
    own = _presets(document, faults)
    if data.get("extends") is not None:
        base = _base(document, data["extends"])
        own = _extended(base, own)
        data = {"destination": base[0], **data}
    checked = _checked(document, data, own, faults)
    if faults:
        from crossdock.mapping.compiled import compile_faults  # noqa: PLC0415  (it needs this module)

        # One look at the file should show all there is to mend, not its first layer only.
        faults += compile_faults(checked)
    raise_all(faults)
    return checked


def _read(path: Path) -> Document:
    try:
        return load(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"{path} cannot be read: {reason}") from None


@dataclass
class _Raw:
    """A preset as written, and where."""

    data: dict[str, Any]
    origin: Origin


def _presets(document: Document, faults: list[ConfigError]) -> list[_Raw]:
    listed = document.data.get("presets")
    if not isinstance(listed, list):
        if listed is not None:
            faults.append(
                ConfigError(
                    "presets must be a list; begin each with - name:", document.location(("presets",))
                )
            )
        return []
    found: list[_Raw] = []
    names: dict[str, Location] = {}
    for index, data in enumerate(listed):
        at: At = ("presets", index)
        if not isinstance(data, dict):
            faults.append(
                ConfigError("a preset must be a mapping with name, subscribe, …", document.location(at))
            )
            continue
        name = data.get("name")
        place = document.location((*at, "name"))
        if isinstance(name, str) and name in names:
            line = names[name].line
            faults.append(
                ConfigError(f"a preset named {name} stands in line {line} already; rename one", place)
            )
            continue
        if isinstance(name, str):
            names[name] = place
        found.append(_Raw(data, Origin(((document, at),))))
    return found


def _base(document: Document, vendor: Any) -> tuple[str, list[_Raw]]:
    place = document.location(("extends",))
    path = shipped_mapping_path(vendor) if isinstance(vendor, str) and vendor.isidentifier() else None
    if path is None or not path.exists():
        shipped = sorted(found.stem for found in shipped_mapping_path("x").parent.glob("*.yaml"))
        raise ConfigError(
            f"extends names a shipped vendor, one of {', '.join(shipped)}, not {vendor!r}", place
        )
    base = _read(path)
    return str(base.data.get("destination", vendor)), _presets(base, [])


def _extended(base: tuple[str, list[_Raw]], own: list[_Raw]) -> list[_Raw]:
    changed = {raw.data.get("name"): raw for raw in own}
    result = []
    for raw in base[1]:
        change = changed.pop(raw.data.get("name"), None)
        if change is None:
            result.append(raw)
        else:
            origin = Origin((*change.origin.places, *raw.origin.places))
            result.append(_Raw(overridden(raw.data, change.data), origin))
    return result + [raw for raw in own if raw.data.get("name") in changed]


def overridden(data: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a change over a preset: field by field, and key by key within its mapping."""
    result = {**data, **change}
    mappings = data.get("mapping"), change.get("mapping")
    if all(isinstance(mapping, dict) for mapping in mappings):
        result["mapping"] = {**data["mapping"], **change["mapping"]}
    if "examples" not in change and set(change) - {"name", "enabled", "description"}:
        # Examples of the preset as it was do not hold for what it has become.
        result.pop("examples", None)
    return result


def _checked(
    document: Document, data: dict[str, Any], raws: list[_Raw], faults: list[ConfigError]
) -> MappingFile:
    try:
        MappingFileModel.model_validate({**data, "presets": []})
    except ValidationError as error:
        faults += faults_of(error, MappingFileModel, document.location)
    presets: list[Preset] = []
    for raw in raws:
        try:
            presets.append(Preset.model_validate(raw.data))
        except ValidationError as error:
            faults += faults_of(error, Preset, raw.origin.locate)
            presets.append(_salvaged(raw.data, {detail["loc"][0] for detail in error.errors()}))
    origins = tuple(raw.origin for raw in raws)
    return MappingFile(str(data.get("destination")), tuple(presets), origins, tuple(document.doubts))


def _salvaged(data: Mapping[str, Any], wrong: set[str | int]) -> Preset:
    """Make a preset of what is right in it, so that the rest of its faults can be found as well."""
    blank = {"name": "?", "subscribe": 'type = "track"', "action": "?", "mapping": {}, "aliases": []}
    if "subscribe" in wrong:
        wrong = {*wrong, "aliases"}
    return Preset.model_validate({**blank, **{key: part for key, part in data.items() if key not in wrong}})


def raise_all(faults: list[ConfigError]) -> None:
    """Raise what was found, if anything: one error alone, or all in the order of their places."""
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise ConfigErrors(sorted(faults, key=lambda fault: (fault.location is None, fault.location or 0)))


def faults_of(
    error: ValidationError, model: type[BaseModel], locate: Callable[[At, bool], Location | None]
) -> list[ConfigError]:
    """Word what pydantic found, each with its place."""
    faults = []
    for detail in error.errors():
        at: At = tuple(part for part in detail["loc"] if not str(part).startswith(("str", "list[")))
        unknown = detail["type"] == "extra_forbidden"
        message = _message(detail, at, model)
        faults.append(ConfigError(message, locate(at, unknown), ".".join(map(str, at))))
    return faults


def _message(detail: Any, at: At, model: type[BaseModel]) -> str:
    name = ".".join(map(str, at))
    kind, given = detail["type"], detail.get("input")
    if kind == "extra_forbidden":
        known = _fields(model, at[:-1])
        near = get_close_matches(str(at[-1]), known, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
        return f"{at[-1]} is not a key known here; {hint}"
    if kind == "missing":
        return f"{name} is missing"
    if kind in ("bool_type", "bool_parsing"):
        return f"{name} must be a boolean, but this is {given!r}; write true or false"
    if kind == "value_error":
        return f"{name}: {str(detail['msg']).removeprefix('Value error, ')}"
    expected = {
        "string_type": "a text",
        "list_type": "a list",
        "dict_type": "a mapping",
        "model_type": "a mapping",
    }
    return (
        f"{name} must be {expected[kind]}, not {given!r:.60}"
        if kind in expected
        else f"{name}: {detail['msg']}"
    )


def _fields(model: type[BaseModel], at: At) -> list[str]:
    nested: dict[str | int, type[BaseModel]] = {"once": Once, "examples": PresetExample}
    return list(nested.get(at[0] if at else "", model).model_fields)


def once_within(preset: Preset) -> timedelta | None:
    """Give the time within which the preset's action passes once."""
    return parse_duration(preset.once.within) if preset.once else None
