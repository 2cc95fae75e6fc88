"""Reads a shop's catalogue: CSV with a header line, or JSON Lines with one product each."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from crossdock.errors import ConfigError, Location

_DELIMITERS: Final = (",", ";", "\t", "|")
_LONGEST_CELL: Final = 1_048_576


class Row(NamedTuple):
    """One product as the catalogue has it; names of fields as written there."""

    line: int
    fields: Mapping[str, Any]


class LeftOut(NamedTuple):
    """A line that gives no product, and why."""

    line: int
    reason: str


def read(path: Path) -> Iterator[Row | LeftOut]:
    """
    Read a catalogue line by line; its ending says what it is.

    Raises:
        ConfigError: It cannot be read at all, or is neither .csv nor .jsonl.
    """
    readers = {".csv": _csv, ".jsonl": _jsonl}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ConfigError(f"{path} is neither .csv nor .jsonl; name it by what it holds")
    try:
        yield from reader(path)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text; save it as UTF-8") from None


def _csv(path: Path) -> Iterator[Row | LeftOut]:
    csv.field_size_limit(_LONGEST_CELL)
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        file.seek(0)
        reader = csv.reader(file, delimiter=max(_DELIMITERS, key=first.count))
        try:
            header = [name.strip() for name in next(reader, [])]
            if not any(header):
                raise ConfigError("the first line names no columns", Location(str(path), 1, 1))
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) > len(header):
                    yield LeftOut(reader.line_num, f"{len(cells)} cells, but {len(header)} columns")
                else:
                    yield Row(reader.line_num, dict(zip(header, cells, strict=False)))
        except csv.Error as error:
            place = Location(str(path), reader.line_num, 1)
            raise ConfigError(f"this is no CSV: {error}", place) from None


def _jsonl(path: Path) -> Iterator[Row | LeftOut]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            text = line.removeprefix(b"\xef\xbb\xbf").strip()
            if not text:
                continue
            try:
                product = orjson.loads(text)
            except orjson.JSONDecodeError as error:
                yield LeftOut(number, f"no JSON: {error.msg}")
                continue
            if isinstance(product, dict):
                yield Row(number, product)
            else:
                yield LeftOut(number, "not an object")
