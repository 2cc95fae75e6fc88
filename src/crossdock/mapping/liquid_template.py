"""Liquid, sandboxed and bounded; imported only where a mapping uses it, as the library is slow to load."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from liquid import Environment
from liquid.exceptions import LiquidError

from crossdock.errors import MappingError, MappingFailed
from crossdock.mapping.liquid_values import FILTERS, seen
from crossdock.mapping.values import MAX_TEXT, bounded_text

_DISABLED_TAGS: Final = (
    "case",
    "for",
    "include",
    "layout",
    "render",
    "tablerow",
    "break",
    "continue",
    "liquid",
)
_DISABLED_FILTERS: Final = (
    *("array_to_sentence_string", "concat", "find", "find_exp", "find_index", "find_index_exp", "group_by"),
    *("group_by_exp", "has", "has_exp", "map", "newline_to_br", "reject", "reject_exp", "reverse", "sort"),
    *("sort_natural", "uniq", "where_exp", "type"),
)


_TAG: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_WORD_AS_FIELD: Final = re.compile(
    r"(\"[^\"]*\"|'[^']*')|\.(blank|empty|nil|null|none|true|false|and|or|not|contains|in|if|else|with|as|for)\b",
    re.IGNORECASE,
)


class _Liquid(Environment):
    output_stream_limit = MAX_TEXT
    local_namespace_limit = MAX_TEXT * 8
    loop_iteration_limit = 1_000


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = _Liquid(strict_filters=True)
    for tag in _DISABLED_TAGS:
        environment.tags.pop(tag, None)
    for name in _DISABLED_FILTERS:
        environment.filters.pop(name, None)
    environment.filters.update(FILTERS)
    for name in ("append", "prepend", "replace", "replace_first", "replace_last", "join"):
        environment.filters[name] = _bounded_filter(environment.filters[name])
    environment.filters["date"] = _without_clock(environment.filters["date"])
    return environment


def _bounded_filter(filter_: Callable[..., Any]) -> Callable[..., Any]:
    """Stop a filter whose result could double with every use."""

    def bounded_filter(value: Any, *arguments: Any, **named: Any) -> Any:
        # `replace` with a blank pattern multiplies the two lengths before anyone could look.
        sizes = [len(text) for text in (value, *arguments) if isinstance(text, str)]
        product = 1
        for size in sizes[:1] + sizes[-1:]:
            product *= size + 1
        if product > MAX_TEXT * 64:
            raise MappingFailed("@liquid: a filter would make too long a text")
        result = filter_(value, *arguments, **named)
        if isinstance(result, str):
            bounded_text(result)
        if isinstance(result, int) and abs(result) > 10**40:
            raise MappingFailed("@liquid: a number grew too large")
        return result

    return _called_alike(bounded_filter, filter_)


def _called_alike(filter_: Callable[..., Any], model: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a filter as the one it stands for is marked, so that Liquid hands it the same arguments."""
    for name in ("with_context", "with_environment", "filter_async"):
        if hasattr(model, name):
            setattr(filter_, name, getattr(model, name))
    return filter_


def renderer(text: str) -> Callable[[Any], str]:
    """
    Parse a template into a function of the event.

    Raises:
        MappingError: It is no Liquid, or uses what is disabled.
    """
    try:
        template = _environment().from_string(_named(text))
    except (LiquidError, ArithmeticError, ValueError, RecursionError) as error:
        raise MappingError(f"@liquid: {_reason(error)}") from None
    fault = _disabled(text)
    if fault:
        raise MappingError(f"@liquid: {fault}")

    def render(data: Any) -> str:
        try:
            text = template.render(**seen(data)) if data.__class__ is dict else template.render()
        except (LiquidError, ArithmeticError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise MappingFailed(f"@liquid: {_reason(error)}") from None
        except (IndexError, RecursionError, MemoryError) as error:
            raise MappingFailed(f"@liquid: {_reason(error)}") from None
        return bounded_text(text)

    return render


def _named(text: str) -> str:
    """Write fields called blank or nil in brackets, as the library takes these for its own words."""

    def tag(found: re.Match[str]) -> str:
        return _WORD_AS_FIELD.sub(lambda part: part[1] or f'["{part[2]}"]', found[0])

    return _TAG.sub(tag, text)


def _disabled(text: str) -> str | None:
    """Name what a template uses that is off: a filter, or a range, whose join could fill the memory."""
    known = _environment().filters
    # The tags are cut out first, as a quote outside of them opens nothing.
    tags = _TAG.findall(text)
    code = " ".join(re.sub(r"\"[^\"]*\"|'[^']*'", "''", tag) for tag in tags)
    if ".." in code:
        return "a range (1..n) is disabled"
    unknown = next((name for name in re.findall(r"\|\s*([A-Za-z_]\w*)", code) if name not in known), None)
    return f'filter "{unknown}" is disabled or unknown' if unknown else None


def _without_clock(filter_: Callable[..., Any]) -> Callable[..., Any]:
    """Keep the date filter pure: a retry tomorrow must give what the first attempt gave."""

    def date(value: Any, *arguments: Any, **named: Any) -> Any:
        if isinstance(value, str) and value.strip().lower() in ("now", "today"):
            raise MappingFailed("@liquid: a mapping has no clock; use the event's timestamp")
        return filter_(value, *arguments, **named)

    return _called_alike(date, filter_)


def _reason(error: BaseException) -> str:
    return str(error).split("\n", 1)[0][:160] or type(error).__name__
