"""
Reads the YAML (or JSON) files people write, with the place of every key and value.

YAML 1.2's core types only: true and false, null, numbers; no dates, no yes and no, no base 60. Duplicate keys
are refused, aliases and nesting bounded, and the messages know YAML's own traps. Keys are texts as written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import yaml

from crossdock.errors import ConfigError, Location

MAX_BYTES: Final = 2**20
MAX_DEPTH: Final = 64
MAX_NODES: Final = 100_000

Path = tuple[str | int, ...]

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG: Final = "tag:yaml.org,2002:"
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,40}|0x[0-9a-fA-F]{1,16}|0o[0-7]{1,20}")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]{1,40}(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?")
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_WORDS: Final = re.compile(r"(?:yes|no|on|off)", re.IGNORECASE)
"""What YAML 1.1 took for true and false."""
_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


class _Mark(NamedTuple):
    """A place in the text, counted from 0, and how the scalar there is quoted."""

    line: int
    column: int
    style: str | None = None


@dataclass
class Document:
    """A file's data and where each part of it stands."""

    file: str
    data: Any = None
    doubts: list[ConfigError] = field(default_factory=list)
    """What is read as written but may be meant otherwise; nothing that stops anyone."""
    _values: dict[Path, _Mark] = field(default_factory=dict)
    _keys: dict[Path, _Mark] = field(default_factory=dict)

    def location(self, path: Path, key: bool = False) -> Location:
        """Give the place of the value at *path*, or of its key; of the nearest part around it if unknown."""
        for end in range(len(path), -1, -1):
            part = path[:end]
            marks = (self._keys, self._values) if key or end < len(path) else (self._values, self._keys)
            for known in marks:
                if part in known:
                    return Location(self.file, known[part].line + 1, known[part].column + 1)
        return Location(self.file, 1, 1)

    def location_in(self, path: Path, offset: int) -> Location:
        """Give the place of the character *offset* of the text at *path*."""
        mark = self._values.get(path)
        if mark is None or mark.style in ("|", ">"):
            return self.location(path)
        quote = 1 if mark.style in ("'", '"') else 0
        return Location(self.file, mark.line + 1, mark.column + 1 + quote + offset)

    def knows(self, path: Path) -> bool:
        """Tell whether the file itself holds *path*."""
        return path in self._values


def load(text: str, file: str) -> Document:
    """
    Read YAML or JSON *text*; *file* names it in messages.

    Raises:
        ConfigError: The text cannot be read; the message says where, what and the fix.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ConfigError("the file is larger than 1 MiB", Location(file, 1, 1))
    reader = _Reader(text, file)
    try:
        return reader.document()
    except yaml.YAMLError as error:
        plain = _json(text)
        if plain is not None:
            return Document(file, plain)
        raise reader.explained(error) from None
    except RecursionError:
        raise ConfigError("the file is nested too deeply", Location(file, 1, 1)) from None


def _json(text: str) -> Any:
    """Read what is JSON but not YAML, such as escaped surrogate pairs; positions are then not known."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


class _Reader:
    """Builds the data from the parser's events; PyYAML's own composer recurses without bound."""

    def __init__(self, text: str, file: str) -> None:
        self.lines = text.splitlines()
        self.file = file
        self.text = text
        self.result = Document(file)
        self.anchors: dict[str, Any] = {}
        self.nodes = 0
        self.events: Iterator[Any] = iter(())

    def document(self) -> Document:
        if "\x00" in self.text:
            raise ConfigError("the file holds a NUL character; it is no text", Location(self.file, 1, 1))
        self.events = yaml.parse(self.text, Loader=_Loader)
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                self.result.data = self.node(next(self.events), (), 0)
                break
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                raise self.error("a second document begins here; one file holds one", event.start_mark)
        return self.result

    def node(self, event: Any, path: Path, depth: int) -> Any:
        self.count(event.start_mark)
        mark = event.start_mark
        self.result._values[path] = _Mark(mark.line, mark.column, getattr(event, "style", None))  # noqa: SLF001
        if depth > MAX_DEPTH:
            raise self.error(f"this is nested more than {MAX_DEPTH} deep", mark)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise self.error(f"the anchor &{event.anchor} is not known; an alias comes after it", mark)
            return self.copied(self.anchors[event.anchor], mark)
        if isinstance(event, yaml.ScalarEvent):
            value = self.scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            self.check_tag(event, "seq")
            value = self.sequence(path, depth)
        else:
            self.check_tag(event, "map")
            value = self.mapping(path, depth)
        if event.anchor:
            self.anchors[event.anchor] = value
        return value

    def count(self, mark: Any) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.error(f"the file holds more than {MAX_NODES} values, its aliases included", mark)

    def copied(self, value: Any, mark: Any) -> Any:
        """Copy an anchor's value, counting every part, so that aliases of aliases cannot explode."""
        self.count(mark)
        if isinstance(value, dict):
            return {key: self.copied(member, mark) for key, member in value.items()}
        if isinstance(value, list):
            return [self.copied(member, mark) for member in value]
        return value

    def sequence(self, path: Path, depth: int) -> list[Any]:
        items: list[Any] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self.node(event, (*path, len(items)), depth + 1))
        return items

    def mapping(self, path: Path, depth: int) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent):
                raise self.error("a key must be a plain text", event.start_mark)
            self.check_tag(event, "str")
            key: str = event.value
            mark: Any = event.start_mark
            if key == "<<" and not event.style:
                self.merge(merged, self.node(next(self.events), (*path, key), depth + 1), mark)
                continue
            if key in own:
                raise self.error(f"the key {key} stands here a second time; remove one of the two", mark)
            self.result._keys[(*path, key)] = _Mark(mark.line, mark.column)  # noqa: SLF001
            own[key] = self.node(next(self.events), (*path, key), depth + 1)
        return {**merged, **own} if merged else own

    def merge(self, merged: dict[str, Any], value: Any, mark: Any) -> None:
        for part in value if isinstance(value, list) else [value]:
            if not isinstance(part, dict):
                raise self.error("<< takes a mapping, or a list of them", mark)
            for key, member in part.items():
                merged.setdefault(key, member)

    def scalar(self, event: Any) -> Any:
        tag = event.tag.removeprefix(_TAG) if event.tag else None
        if tag is not None and tag not in ("!", "str", "int", "float", "bool", "null"):
            raise self.tag_error(event)
        text = str(event.value)
        if event.style or tag in ("!", "str"):
            return text
        self.check_cut(event)
        if text in _NULLS:
            return None
        if text in _BOOLEANS:
            return _BOOLEANS[text]
        if _INTEGER.fullmatch(text):
            return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
        if _WORDS.fullmatch(text):
            message = f'{text} is a text, as in YAML 1.2, not true or false; put it in quotes, "{text}", '
            message += "or write true or false"
            self.result.doubts.append(self.error(message, event.start_mark))
        return text

    def check_cut(self, event: Any) -> None:
        """Refuse an expression whose quote YAML cut off at a `` #``."""
        end = event.end_mark
        rest = self.lines[end.line][end.column :] if end.line < len(self.lines) else ""
        if event.value.count('"') % 2 and rest.lstrip().startswith("#") and '"' in rest:
            raise self.error(
                "a # after a space starts a comment and cuts this text off within its quotes; put the whole "
                "value in single quotes, as in 'event = \"Order #1\"'",
                end,
            )

    def check_tag(self, event: Any, kind: str) -> None:
        if event.tag and event.tag not in ("!", _TAG + kind):
            raise self.tag_error(event)

    def tag_error(self, event: Any) -> ConfigError:
        return self.error(
            f"a leading ! makes {event.tag} a YAML tag; put the whole value in single quotes, as in "
            "'!contains(…)'",
            event.start_mark,
        )

    def error(self, message: str, mark: Any) -> ConfigError:
        return ConfigError(message, Location(self.file, mark.line + 1, mark.column + 1))

    def explained(self, error: yaml.YAMLError) -> ConfigError:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        if mark is None:
            return ConfigError(f"the file cannot be read: {error}", Location(self.file, 1, 1))
        problem, context = (str(getattr(error, name, "") or "") for name in ("problem", "context"))
        line = self.lines[mark.line] if mark.line < len(self.lines) else ""
        start = getattr(error, "context_mark", None) or mark
        if "quoted scalar" in context:
            return self.error("the quote opened here is never closed; add the closing quote", start)
        if "tag" in context or line[mark.column : mark.column + 1] == "!":
            return self.error(
                "a leading ! is a YAML tag; put the whole value in single quotes, as in '!contains(…)'", start
            )
        character = line[mark.column : mark.column + 1]
        if character in ("@", "`") and character:
            return self.error(
                f'a text cannot start with {character} unquoted; put it in quotes, as in "@path": "$.userId"',
                mark,
            )
        indent = line[: len(line) - len(line.lstrip())]
        if "\t" in indent or character == "\t":
            return self.error("a tab indents this line; YAML allows spaces only", mark)
        hint = "; is a quote or bracket not closed, or a line indented differently?" if context else ""
        return self.error(f"this is not YAML: {problem or 'it cannot be read'}{hint}", mark)
