"""How the operands of Segment's directives are checked, and the event their examples are about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from crossdock.errors import MappingError
from crossdock.mapping.compiler import Scope
from crossdock.mapping.directive import is_directive, kind_of, options
from crossdock.mapping.values import MISSING

EVENT: Final = {
    "event": "Order Completed",
    "userId": "u7",
    "anonymousId": None,
    "properties": {
        "total": 42.5,
        "code": "a-b",
        "products": [{"product_id": "p1", "qty": 2}, {"product_id": "p2"}],
        "tags": ["x", "y"],
    },
}


def falsy(node: Any) -> bool:
    """Tell whether JavaScript takes *node* for false."""
    return node is None or node is MISSING or (node.__class__ in (bool, int, float, str) and not node)


def operand_object(operand: Any, known: tuple[str, ...], scope: Scope) -> Mapping[str, Any]:
    """Check an operand that is an object: ours for the parts it knows, Segment's as its engine does."""
    if not scope.segment:
        return options(operand, known)
    if not isinstance(operand, Mapping) or is_directive(operand):
        raise MappingError(f"should be an object with {', '.join(known)}, but this is {kind_of(operand)}")
    return operand


def must_be(parts: Mapping[str, Any], name: str, kind: type) -> None:
    """Check the type of a part that is there."""
    if name in parts and not isinstance(parts[name], kind):
        raise MappingError(f"{name} should be a {kind.__name__}, but this is {kind_of(parts[name])}")


def text_or_directive(parts: Mapping[str, Any], scope: Scope) -> None:
    """Check that the value of a Segment directive is a text or a directive."""
    node = parts.get("value", "")
    if scope.segment and not isinstance(node, str) and not is_directive(node):
        raise MappingError(f"value should be a text or a directive, but this is {kind_of(node)}")
