"""
The two kinds of path a mapping can hold.

A JSONPath (a string that starts with ``$.`` or ``$item``) of names and indexes becomes a tuple of keys, which
the compiler turns into plain lookups; jsonpath-ng evaluates the others, within bounds. A Segment path (the
operand of ``@path``) follows the rules measured on Segment's engine.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jsonpath_ng
from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.ext import filter as jsonpath_filter
from jsonpath_ng.ext import iterable as jsonpath_iterable
from jsonpath_ng.ext.parser import parse as parse_jsonpath

from crossdock.errors import MappingError, MappingFailed
from crossdock.mapping.values import MISSING, length_of

Keys = tuple[str | int, ...]

_MAX_LENGTH = 500
_MAX_LISTS = 4
_MAX_MATCHES = 10_000
# Parsing by regex what needs no grammar: jsonpath-ng takes about a millisecond a path, and a mapping file
# holds hundreds.
_PLAIN = re.compile(r"\$(?:\.[A-Za-z_]\w*|\[\d{1,9}\]|\['[^'\\\]]+'\]|\[\"[^\"\\\]]+\"\])*", re.ASCII)
_PLAIN_STEP = re.compile(r"\.(?P<name>\w+)|\[(?P<index>\d+)\]|\[(?P<quote>['\"])(?P<key>.+?)(?P=quote)\]")
_SEGMENT_STEP = re.compile(r"[^[.\]]+")
_INDEX = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)
_LIST_NODES = (jsonpath_ng.Slice, jsonpath_filter.Filter)
_ALLOWED_NODES = (
    jsonpath_ng.Root,
    jsonpath_ng.This,
    jsonpath_ng.Child,
    jsonpath_ng.Fields,
    jsonpath_ng.Index,
    jsonpath_ng.Slice,
    jsonpath_ng.Descendants,
    jsonpath_filter.Filter,
    jsonpath_filter.Expression,
    jsonpath_iterable.Len,
    jsonpath_iterable.Keys,
)


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
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tree = parse_jsonpath(text)
    except (
        JSONPathError,
        Warning,
        ValueError,
        TypeError,
        IndexError,
        AttributeError,
        RecursionError,
    ) as error:
        reason = str(error).split("\n", 1)[0][:120]
        raise MappingError(
            f"{text!r} is no JSONPath ({reason}); write $.properties.name, and $.properties['odd key'] "
            "for names with other characters"
        ) from None
    keys = _simple(tree)
    return Path(keys, None) if keys is not None else Path(None, _finder(text, tree))


def _plain_keys(text: str) -> list[str | int]:
    steps = _PLAIN_STEP.finditer(text, 1)
    return [int(step["index"]) if step["index"] else step["name"] or step["key"] for step in steps]


def _simple(tree: Any) -> Keys | None:
    if isinstance(tree, jsonpath_ng.Root):
        return ()
    if not isinstance(tree, jsonpath_ng.Child):
        return None
    left = _simple(tree.left)
    if left is None:
        return None
    step = tree.right
    if isinstance(step, jsonpath_ng.Fields) and len(step.fields) == 1 and step.fields[0] != "*":
        return (*left, str(step.fields[0]))
    if isinstance(step, jsonpath_ng.Index):
        indices = getattr(step, "indices", None) or (getattr(step, "index", None),)
        if len(indices) == 1 and isinstance(indices[0], int):
            return (*left, indices[0])
    return None


def _finder(text: str, tree: Any) -> Callable[[Any], Any]:
    _refuse_unbounded(text, tree)

    def find(root: Any) -> Any:
        try:
            values = [match.value for match in tree.find(root)]
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, RecursionError):
            return MISSING
        if len(values) > _MAX_MATCHES:
            raise MappingFailed(f"{text} matches more than {_MAX_MATCHES} values")
        return values or MISSING

    return find


def _refuse_unbounded(text: str, tree: Any) -> None:
    lists = descendants = 0
    for node in _nodes(tree):
        if type(node).__name__ not in {kind.__name__ for kind in _ALLOWED_NODES} | {"Wildcard", "And", "Or"}:
            raise MappingError(
                f"{text!r}: {type(node).__name__.lower()} is not supported in a path; use a directive for it"
            )
        if isinstance(node, jsonpath_filter.Expression) and node.op == "=~":
            raise MappingError(f"{text!r}: =~ is not supported, as a pattern could run without end")
        descendants += isinstance(node, jsonpath_ng.Descendants)
        lists += isinstance(node, _LIST_NODES) or type(node).__name__ == "Wildcard"
        lists += isinstance(node, jsonpath_ng.Fields) and "*" in node.fields
    if descendants > 1 or lists > _MAX_LISTS:
        raise MappingError(
            f"{text!r} may hold one '..' and {_MAX_LISTS} wildcards, filters or slices at most"
        )


def _nodes(tree: Any) -> list[Any]:
    found: list[Any] = []
    pending = [tree]
    while pending:
        node = pending.pop()
        found.append(node)
        parts = [getattr(node, name, None) for name in ("left", "right", "target")]
        parts += getattr(node, "expressions", None) or []
        pending += [part for part in parts if hasattr(part, "find")]
    return found


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
