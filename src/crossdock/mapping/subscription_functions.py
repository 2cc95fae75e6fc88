"""The functions of FQL on JSON values; each gives null, never an error, for what it does not apply to."""

from __future__ import annotations

import re
from typing import Any, Final

from crossdock.mapping.values import text_of

# Letters and digits, split where a capital starts a word; linear, as no two parts can match the same text.
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def snakecase(text: str) -> str:
    """Write words in lower case, joined by underscores."""
    return "_".join(word.lower() for word in _words(text))


def kebabcase(text: str) -> str:
    """Write words in lower case, joined by hyphens."""
    return "-".join(word.lower() for word in _words(text))


def titlecase(text: str) -> str:
    """Write words with a capital each, joined by spaces."""
    return " ".join(word[:1].upper() + word[1:].lower() for word in _words(text))


def length(value: Any) -> int | None:
    """Count a text's bytes or a list's elements; 0 for null."""
    if value is None:
        return 0
    if value.__class__ is str:
        return len(value.encode("utf-8", "surrogatepass"))
    return len(value) if value.__class__ is list else None


def typeof(value: Any) -> str:
    """Name the JSON type."""
    names = {str: "string", int: "number", float: "number", list: "list", bool: "bool", dict: "object"}
    return names.get(value.__class__, "null")


def to_bool(value: Any) -> bool | None:
    """Read true or false from a boolean, a number or a text."""
    if value.__class__ is str:
        return {"true": True, "false": False}.get(value.strip().lower())
    return bool(value) if value.__class__ in (bool, int, float) else None


def to_string(value: Any) -> str | None:
    """Write a text, number or boolean as text."""
    return text_of(value) if value.__class__ in (str, bool, int, float) else None


def to_number(value: Any) -> float | None:
    """Read a number from a number, a boolean or a text."""
    if value.__class__ is str:
        return quoted_number(value)
    if value.__class__ is bool:
        return int(value)
    return value if value.__class__ in (int, float) else None


def quoted_number(text: str) -> float | None:
    """Read a text that holds a plain decimal number."""
    found = re.fullmatch(r"\s*([+-]?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,2})?)\s*", text, re.ASCII)
    if found is None:
        return None
    return float(found[1]) if set(found[1]) & set(".eE") else int(found[1])


def _on_text(change: Any) -> Any:
    def changed(value: Any) -> Any:
        return change(value) if value.__class__ is str else None

    return changed


FUNCTIONS: Final = {
    "length": length,
    "lowercase": _on_text(str.lower),
    "uppercase": _on_text(str.upper),
    "snakecase": _on_text(snakecase),
    "kebabcase": _on_text(kebabcase),
    "titlecase": _on_text(titlecase),
    "typeof": typeof,
    "bool": to_bool,
    "string": to_string,
    "number": to_number,
}
"""By name; each takes one value."""

__all__ = ["FUNCTIONS", "kebabcase", "quoted_number", "snakecase", "titlecase"]
