"""
The two kinds of path a mapping can hold.

A JSONPath (a string that starts with ``$.`` or ``$item``) of names and indexes becomes a tuple of keys, which
the compiler turns into plain lookups; jsonpath-ng evaluates the others, within bounds. A Segment path (the
operand of ``@path``) follows the rules measured on Segment's engine.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from crossdock.errors import MappingError, MappingFailed
from crossdock.mapping.codegen import Keys
from crossdock.mapping.values import MISSING, length_of

_MAX_LENGTH = 500
# Parsing by regex what needs no grammar: jsonpath-ng takes about a millisecond a path, and a mapping file
# holds hundreds.
_PLAIN = re.compile(r"\$(?:\.[A-Za-z_]\w*|\[\d{1,9}\]|\['[^'\\\]]+'\]|\[\"[^\"\\\]]+\"\])*", re.ASCII)
_PLAIN_STEP = re.compile(r"\.(?P<name>\w+)|\[(?P<index>\d+)\]|\[(?P<quote>['\"])(?P<key>.+?)(?P=quote)\]")
_SEGMENT_STEP = re.compile(r"[^[.\]]+")
_INDEX = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)


class Path(NamedTuple):
    """A parsed JSONPath: either plain *keys*, or a *find* function that gives a list or MISSING."""

    keys: Keys | None
    find: Callable[[Any], Any] | None


@lru_cache(maxsize=4096)
def parse_path(text: str) -> Path:
    """
    Parse a JSONPath that starts with ``$``.

    Raises:
        MappingError: It is not a JSONPath, or uses a part that could run without bound.
    """
    if text in ("$", "$."):
        return Path((), None)
    if _PLAIN.fullmatch(text):
        return Path(tuple(_plain_keys(text)), None)
    if len(text) > _MAX_LENGTH:
        raise MappingError(f"this path is longer than {_MAX_LENGTH} characters")
    # The library is imported only here, as few mappings use it and every start would pay for it.
    from crossdock.mapping.jsonpath import parse  # noqa: PLC0415

    return Path(*parse(text))


def _plain_keys(text: str) -> list[str | int]:
    steps = _PLAIN_STEP.finditer(text, 1)
    return [int(step["index"]) if step["index"] else step["name"] or step["key"] for step in steps]


def segment_keys(path: str) -> tuple[str, ...] | None:
    """Split a Segment path into its keys; () is the whole event, None a path the engine fails on."""
    path = path.replace("$.", "", 1)
    if path in ("", "."):
        return ()
    keys = tuple(_unquoted(step) for step in _SEGMENT_STEP.findall(path))
    return keys or None


def _unquoted(step: str) -> str:
    if len(step) > 2 and step[0] in "'\"" and step[-1] == step[0]:
        return step[1:-1]
    return step


def segment_step(value: Any, key: str) -> Any:
    """Go one key down as Segment's engine does: a falsy value stays, texts and lists have a length."""
    if value.__class__ is dict:
        return value.get(key, MISSING)
    if value is None or value is MISSING or value.__class__ is bool or value.__class__ in (int, float):
        return MISSING if value else value
    if value == "":
        return value
    if key == "length":
        return length_of(value) if value.__class__ is str else len(value)
    if _INDEX.fullmatch(key) and int(key) < len(value):
        return value[int(key)]
    return MISSING


def segment_get(root: Any, path: str) -> Any:
    """
    Follow a Segment path known only at run time.

    Raises:
        MappingFailed: The path holds no key at all.
    """
    keys = segment_keys(path)
    if keys is None:
        raise MappingFailed(f"{path[:60]!r} is no path")
    value = root
    for key in keys:
        value = segment_step(value, key)
    return value
