"""
From bytes to JSON, whatever the label says.

Content-Type is not looked at: browsers send ``text/plain``, C# none at all, Rudder's Node library
``application/x-www-form-urlencoded`` on JSON.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable
from typing import Any

import orjson

from crossdock.admission import clean
from crossdock.errors import MalformedRequest

DEPTH_READ = 256
"""Levels that are read of a body nested beyond what the parsers take: more than an event may have."""
# Strings whole, so that brackets inside them do not count; possessive, so that no body makes it backtrack
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[{}\[\]]', re.DOTALL)


def load(body: bytes) -> Any:
    """
    Parse JSON, forgiving what clients really send: lone surrogates, broken UTF-8, ``NaN``, huge integers.

    Raises:
        MalformedRequest: It is not JSON.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return _load_forgiving(body, error)


def _load_forgiving(body: bytes, error: orjson.JSONDecodeError) -> Any:
    """Parse what orjson refuses; slower, and its input is no longer than a body may be."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    try:
        try:
            return _parsed(text)
        except RecursionError:
            return _parsed(_shallow(text))
    except ValueError:
        what = "the body is empty" if not text.strip() else f"the body is not JSON: {error}"
        raise MalformedRequest(what, "malformed_json") from None


def _parsed(text: str) -> Any:
    return clean(json.loads(text, parse_constant=lambda _: None, parse_int=_integer, parse_float=_fraction))


def _shallow(text: str) -> str:
    """Leave out what lies below `DEPTH_READ`: an event so deep is refused, its neighbours are read."""
    kept: list[str] = []
    depth = begun = 0
    for token in _TOKEN.finditer(text):
        if token[0] in ("{", "["):
            depth += 1
            if depth == DEPTH_READ + 1:
                kept += (text[begun : token.start()], "null")
        elif token[0] in ("}", "]"):
            if depth == DEPTH_READ + 1:
                begun = token.end()
            depth -= 1
    if depth <= DEPTH_READ:  # else it breaks off in there, and the parser says so
        kept.append(text[begun:])
    return "".join(kept)


def _integer(digits: str) -> int | float | None:
    # within 64 bits for sure; beyond, the nearest double, as orjson itself reads it
    return int(digits) if len(digits) < 19 else _fraction(digits)


def _fraction(digits: str) -> float | None:
    number = float(digits)
    return None if number in (float("inf"), float("-inf")) else number


def decode_data(data: str) -> Any:
    """
    Decode a pixel's ``data``: JSON in base64, standard or URL-safe, padded or not.

    Raises:
        MalformedRequest: It is not that.
    """
    # a "+" in a query arrives as a space unless the sender escaped it
    text = data.strip().replace(" ", "+").replace("-", "+").replace("_", "/").rstrip("=")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise MalformedRequest("data is not base64", "malformed_data") from None
    return load(raw)


def unflatten(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Build an object from flat pairs: ``properties.subject=Hi`` and ``properties[subject]=Hi`` nest."""
    nested: dict[str, Any] = {}
    for key, value in pairs:
        *parents, leaf = key.replace("]", "").replace("[", ".").split(".")
        place = nested
        for parent in parents[:10]:
            below = place.setdefault(parent, {})
            if not isinstance(below, dict):
                below = place[parent] = {}
            place = below
        place[leaf] = value
    return nested
