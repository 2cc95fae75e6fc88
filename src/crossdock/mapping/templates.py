"""Directives that fill in a text: @template and @liquid, both bounded."""

from __future__ import annotations

import re
from typing import Any, Final

from crossdock.errors import MappingError, MappingFailed
from crossdock.mapping.compiler import At, Compiler, Scope, Value
from crossdock.mapping.directive import Directive, Example, is_directive, kind_of
from crossdock.mapping.paths import segment_get
from crossdock.mapping.segment import segment_path
from crossdock.mapping.values import bounded_text, text_of

_MAX_TEMPLATE: Final = 10_000
_MAX_LIQUID: Final = 1_000
_PLACEHOLDER: Final = re.compile(r"\{\{\{([^}]+)\}\}\}|\{\{([^}]+)\}\}")


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


def compile_liquid(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Render a Liquid template of at most 1,000 characters over the event; loops and list filters are off."""
    if not isinstance(operand, str):
        raise MappingError(f"should be a text, but this is {kind_of(operand)}")
    if len(operand) > _MAX_LIQUID:
        raise MappingError(f"is limited to {_MAX_LIQUID} characters, but this has {len(operand)}")
    if not operand:
        return Value(compiler.writer.constant(""), missing=False)
    # The library is imported only here, as few mappings use it and every start would pay for it.
    from crossdock.mapping.liquid_template import renderer  # noqa: PLC0415

    try:
        render = renderer(operand)
    except MappingError as error:
        return compiler.faulty(error.message, scope, at)
    return compiler.call(render, scope.root.variable, missing=False)


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
