"""
JSONPaths beyond names and indexes, evaluated by jsonpath-ng within bounds.

Imported only where a mapping uses one: the library and its grammar cost a tenth of a second.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Final

import jsonpath_ng
from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.ext import filter as jsonpath_filter
from jsonpath_ng.ext import iterable as jsonpath_iterable
from jsonpath_ng.ext.parser import parse as parse_jsonpath

from crossdock.errors import MappingError, MappingFailed
from crossdock.mapping.codegen import Keys
from crossdock.mapping.values import MISSING

_MAX_LISTS: Final = 4
_MAX_MATCHES: Final = 10_000
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


def parse(text: str) -> tuple[Keys | None, Callable[[Any], Any] | None]:
    """
    Parse a JSONPath into its keys where it is plain, else into a function that gives a list or MISSING.

    Raises:
        MappingError: It is not a JSONPath, or uses a part that could run without bound.
    """
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
    return (keys, None) if keys is not None else (None, _finder(text, tree))


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
