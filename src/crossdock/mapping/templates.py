"""Directives that fill in a text: @template and @liquid, both bounded."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from liquid import Environment
from liquid.exceptions import LiquidError

from crossdock.errors import MappingError, MappingFailed
from crossdock.mapping.compiler import At, Compiler, Scope, Value
from crossdock.mapping.directive import Directive, Example, is_directive, kind_of
from crossdock.mapping.paths import segment_get
from crossdock.mapping.segment import segment_path
from crossdock.mapping.values import MAX_TEXT, bounded_text, text_of

_MAX_TEMPLATE: Final = 10_000
_MAX_LIQUID: Final = 1_000
_PLACEHOLDER: Final = re.compile(r"\{\{\{([^}]+)\}\}\}|\{\{([^}]+)\}\}")
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


def compile_template(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Fill the {{ path }} places of a text; what is missing or null becomes nothing."""
    if is_directive(operand):
        template = compiler.value(operand, scope, at)
        return compiler.call(_fill, template.name, scope.root.variable, missing=False)
    if not isinstance(operand, str):
        raise MappingError(f"should be a text or a directive, but this is {kind_of(operand)}")
    if len(operand) > _MAX_TEMPLATE:
        raise MappingError(f"is longer than {_MAX_TEMPLATE} characters")
    writer = compiler.writer
    parts: list[str] = []
    text = writer.bind(text_of)
    end = 0
    for found in _PLACEHOLDER.finditer(operand):
        parts += [writer.constant(operand[end : found.start()])] if found.start() > end else []
        end = found.end()
        path = (found[1] or found[2]).strip()
        ours = not scope.segment and path.startswith(("$.", "$item", "$index"))
        value = compiler.path(path, scope, at) if ours else _segment(compiler, path, scope, at)
        parts.append(f"({value.name} if {value.name}.__class__ is str else {text}({value.name}))")
    parts += [writer.constant(operand[end:])] if end < len(operand) or not parts else []
    return compiler.call(_joined, *parts, missing=False)


def _segment(compiler: Compiler, path: str, scope: Scope, at: At) -> Value:
    # `@path` strips a leading "$."; a placeholder does not, so "{{$.event}}" looks for a key named "$".
    return segment_path(compiler, path.replace("$.", "$.$.", 1), scope, at)


def _joined(*parts: str) -> str:
    return bounded_text("".join(parts))


def _fill(template: Any, root: Any) -> str:
    if template.__class__ is not str:
        raise MappingFailed(f"@template: expected a text, got {kind_of(template)}")
    if len(template) > _MAX_TEMPLATE:
        raise MappingFailed(f"@template: longer than {_MAX_TEMPLATE} characters")

    def value_of(found: re.Match[str]) -> str:
        path = (found[1] or found[2]).strip()
        return text_of(segment_get(root, path.replace("$.", "$.$.", 1)))

    return bounded_text(_PLACEHOLDER.sub(value_of, template))


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
    for name in ("append", "prepend", "replace", "replace_first", "replace_last", "join", "times"):
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


def compile_liquid(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Render a Liquid template of at most 1,000 characters over the event; loops and list filters are off."""
    if not isinstance(operand, str):
        raise MappingError(f"should be a text, but this is {kind_of(operand)}")
    if len(operand) > _MAX_LIQUID:
        raise MappingError(f"is limited to {_MAX_LIQUID} characters, but this has {len(operand)}")
    if not operand:
        return Value(compiler.writer.constant(""), missing=False)
    try:
        template = _environment().from_string(operand)
    except (LiquidError, ArithmeticError, ValueError, RecursionError) as error:
        return compiler.faulty(f"@liquid: {_reason(error)}", scope, at)
    fault = _disabled(operand)
    if fault:
        return compiler.faulty(f"@liquid: {fault}", scope, at)

    def render(data: Any) -> str:
        try:
            text = template.render(**data) if data.__class__ is dict else template.render()
        except (LiquidError, ArithmeticError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise MappingFailed(f"@liquid: {_reason(error)}") from None
        except (IndexError, RecursionError, MemoryError) as error:
            raise MappingFailed(f"@liquid: {_reason(error)}") from None
        return bounded_text(text)

    return compiler.call(render, scope.root.variable, missing=False)


def _disabled(text: str) -> str | None:
    """Name what a template uses that is off: a filter, or a range, whose join could fill the memory."""
    known = _environment().filters
    # The tags are cut out first, as a quote outside of them opens nothing.
    tags = re.findall(r"\{\{.*?\}\}|\{%.*?%\}", text, re.DOTALL)
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


DIRECTIVES = (
    Directive(
        "template",
        compile_template,
        (
            Example({"@template": "{{event}}:{{userId}}"}, {"event": "Viewed", "userId": "u7"}, "Viewed:u7"),
            Example({"$template": "{{ $.event }}!"}, {"event": "Viewed"}, "Viewed!"),
            Example({"@template": "[{{anonymousId}}]"}, {"anonymousId": None}, "[]"),
        ),
        segment=True,
    ),
    Directive(
        "liquid",
        compile_liquid,
        (
            Example(
                {"@liquid": "{% if properties.total > 40 %}big{% endif %}"},
                {"properties": {"total": 42.5}},
                "big",
            ),
            Example({"$liquid": "{{ name | upcase }}"}, {"name": "blue"}, "BLUE"),
        ),
        segment=True,
    ),
)
