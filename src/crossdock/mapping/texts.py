"""Directives on texts: $join, $split, $hash, $snake_case, $url_path, $user_agent."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, Final

from crossdock.errors import MappingError
from crossdock.mapping.coercion import to_text
from crossdock.mapping.compiler import At, Compiler, Scope, Value
from crossdock.mapping.directive import (
    Directive,
    Example,
    choice,
    kind_of,
    options,
    texts,
    value_and_options,
    value_at,
)
from crossdock.mapping.subscription_functions import snakecase
from crossdock.mapping.values import MISSING, bounded_text, is_empty

_MAX_USER_AGENT: Final = 512
"""Real user agents stay below it; the library's patterns are many and not all linear."""
_MAX_PIECES: Final = 1_000
_HEX_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}")
_NORMALISE: Final[dict[str, Callable[[str], str]]] = {
    "trim": str.strip,
    "lowercase": str.lower,
    "remove_spaces": lambda text: "".join(text.split()),
    "digits": lambda text: "".join(filter(str.isdigit, text)),
}
_USER_AGENT_PARTS: Final = (
    "browser.family",
    "browser.version",
    "os.family",
    "os.version",
    "device.family",
    "device.brand",
    "device.model",
)


def compile_join(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Join texts by a separator, leaving out what is missing, null or blank; nothing at all is dropped."""
    parts = options(operand, ("values", "value", "separator"), ("separator",))
    separator = parts["separator"]
    if not isinstance(separator, str):
        raise MappingError(f"separator must be a text, but this is {kind_of(separator)}")
    if ("values" in parts) == ("value" in parts):
        raise MappingError("needs either values (a list of values) or value (one that is a list)")
    name = "values" if "values" in parts else "value"
    if name == "values" and not isinstance(parts[name], list):
        raise MappingError(
            f"values must be a list, but this is {kind_of(parts[name])}; for a path write value"
        )
    value = compiler.value(parts[name], scope, (*at, name))

    def join(values: Any) -> Any:
        listed = values if values.__class__ is list else [values]
        found = [text for text in map(to_text, listed) if not is_empty(text)]
        return bounded_text(separator.join(text for text in found if text)) if found else MISSING

    return compiler.call(join, value.name)


def compile_split(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Split a text by a separator into a list, without blanks around or between."""
    parts = options(operand, ("value", "separator"), ("value", "separator"))
    separator = parts["separator"]
    if not isinstance(separator, str) or not separator:
        raise MappingError("separator must be a text of at least one character")
    value = compiler.value(parts["value"], scope, (*at, "value"))

    def split(text: Any) -> Any:
        if text.__class__ is list:
            return text
        if text.__class__ is not str:
            return MISSING
        pieces = [piece.strip() for piece in text.split(separator, _MAX_PIECES)]
        return [piece for piece in pieces if piece] or MISSING

    return compiler.call(split, value.name)


def compile_hash(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Give the SHA-256 of a normalised text in hexadecimal; what looks like one already stays."""
    parts = value_and_options(operand, ("normalise",))
    names = texts(parts.get("normalise", ["trim", "lowercase"]), "normalise")
    steps = [
        _NORMALISE[choice({"normalise": name}, "normalise", tuple(_NORMALISE), "trim")] for name in names
    ]
    value = compiler.value(parts["value"], scope, value_at(operand, at))

    def digest(given: Any) -> Any:
        text = to_text(given)
        if text is None:
            return MISSING
        if _HEX_DIGEST.fullmatch(text.strip()):
            return text.strip().lower()
        for step in steps:
            text = step(text)
        if is_empty(text):
            return MISSING
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    return compiler.call(digest, value.name)


def compile_snake_case(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Write a name in snake_case: Order Completed becomes order_completed."""
    value = compiler.value(operand, scope, at)
    return compiler.call(
        lambda text: bounded_text(snakecase(text)) if text.__class__ is str else MISSING, value.name
    )


def compile_url_path(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Give the path of a URL, / where it has none; a text that starts with / loses its query only."""
    return compiler.call(url_path, compiler.value(operand, scope, at).name)


def url_path(url: Any) -> Any:
    """Give the path of *url*, or MISSING when it is no URL."""
    if url.__class__ is not str:
        return MISSING
    text = re.split(r"[?#]", url.strip(), maxsplit=1)[0]
    scheme, separator, rest = text.partition("://")
    if not separator:
        return text if text.startswith("/") else MISSING
    if not scheme.replace("+", "").isalnum():
        return MISSING
    slash = rest.find("/")
    return rest[slash:] if slash >= 0 else "/"


def compile_user_agent(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Read one part of a user agent: browser, os or device, each family, version, brand or model."""
    parts = options(operand, ("value", "part"), ("value", "part"))
    group, _, name = choice(parts, "part", _USER_AGENT_PARTS, "").partition(".")
    value = compiler.value(parts["value"], scope, (*at, "value"))
    # The library is imported only here, as few mappings use it and every start would pay for it.
    import ua_parser  # noqa: PLC0415

    parse = {
        "browser": ua_parser.parse_user_agent,
        "os": ua_parser.parse_os,
        "device": ua_parser.parse_device,
    }[group]

    def part_of(text: Any) -> Any:
        if is_empty(text) or text.__class__ is not str:
            return MISSING
        return _user_agent_part(parse(text[:_MAX_USER_AGENT]), name)

    return compiler.call(part_of, value.name)


def _user_agent_part(result: Any, name: str) -> Any:
    if result is None:
        return MISSING
    if name == "version":
        numbers = [getattr(result, level, None) for level in ("major", "minor", "patch")]
        return ".".join(str(number) for number in numbers if number) or MISSING
    return getattr(result, name, None) or MISSING


DIRECTIVES = (
    Directive(
        "join",
        compile_join,
        (
            Example({"$join": {"values": ["$.a", "$.b", "c"], "separator": ">"}}, {"a": "x"}, "x>c"),
            Example({"$join": {"value": "$.tags", "separator": ","}}, {"tags": ["x", "y"]}, "x,y"),
        ),
    ),
    Directive(
        "split",
        compile_split,
        (Example({"$split": {"value": "$.t", "separator": ","}}, {"t": "x, y,"}, ["x", "y"]),),
    ),
    Directive(
        "hash",
        compile_hash,
        (
            Example(
                {"$hash": "$.traits.email"},
                {"traits": {"email": " A@B.co "}},
                hashlib.sha256(b"a@b.co").hexdigest(),
            ),
            Example({"$hash": {"value": "$.email", "normalise": ["trim"]}}, {"email": None}),
        ),
    ),
    Directive(
        "snake_case",
        compile_snake_case,
        (Example({"$snake_case": "$.event"}, {"event": "Order Completed"}, "order_completed"),),
    ),
    Directive(
        "url_path",
        compile_url_path,
        (
            Example({"$url_path": "$.url"}, {"url": "https://shop.example/a/b?q=1"}, "/a/b"),
            Example({"$url_path": "$.url"}, {"url": "not a url"}),
        ),
    ),
    Directive(
        "user_agent",
        compile_user_agent,
        (
            Example(
                {"$user_agent": {"value": "$.ua", "part": "os.family"}},
                {"ua": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15"},
                "iOS",
            ),
        ),
    ),
)
