"""The table of all directives, Segment's and our own."""

from __future__ import annotations

from typing import Final

from crossdock.mapping import (
    choices,
    coercion,
    dates,
    lists,
    segment,
    segment_objects,
    segment_texts,
    templates,
    texts,
)
from crossdock.mapping.directive import Directive

_MODULES = (segment, segment_objects, segment_texts, templates, choices, coercion, texts, dates, lists)

DIRECTIVES: Final[dict[str, Directive]] = {
    directive.name: directive for module in _MODULES for directive in module.DIRECTIVES
}
