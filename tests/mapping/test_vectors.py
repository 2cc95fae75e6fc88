"""The conformance vectors: expressions and mappings with the answers of Segment's own engines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crossdock.errors import MappingError, MappingFailed
from crossdock.mapping import compile_mapping, compile_subscription, warnings

VECTORS = Path(__file__).parent / "vectors"
FQL = json.loads((VECTORS / "fql.json").read_text())
MAPPING = json.loads((VECTORS / "mapping.json").read_text())
DOCUMENTED = (Path(__file__).parents[2] / "docs" / "fql.md").read_text()

MENDED: dict[str, bool] = {
    '((type = "track"))': True,
    '!(type = "identify")': True,
    'type = "track" and !(event = "Other")': True,
    'match(event, "*duct*")': True,
    'match(event, "P*d")': True,
    'lowercase(event) = "product added"': True,
    'event in ["Product Added"]': True,
    "properties.vip": True,
    'type = "track" and properties.vip': True,
    'type = "track" and anonymousId = "zzz"': False,
    'type = "track" and contains(type, "zzz")': False,
}


def matches(text: str) -> bool:
    """Decide as a gateway does: an expression that cannot be read never matches."""
    try:
        return compile_subscription(text)(FQL["event"])
    except MappingError:
        return False


@pytest.mark.parametrize("case", FQL["cases"], ids=lambda case: case["fql"] or "empty")
def test_fql_decides_as_segment_does_unless_mended(case: dict[str, Any]) -> None:
    """Every expression is decided as by Segment's engine, save those mended on purpose."""
    expected = MENDED.get(case["fql"], case["matches"])
    assert expected == matches(case["fql"])


@pytest.mark.parametrize("text", MENDED)
def test_every_mended_expression_is_documented_with_its_reason(text: str) -> None:
    """The list of deviations stands in docs/fql.md."""
    assert True is (f"`{text}`" in DOCUMENTED)


@pytest.mark.parametrize("text", MENDED)
def test_a_mended_expression_warns(text: str) -> None:
    """Where Segment's trigger engine differs, loading warns with a column."""
    assert True is all(warned.column >= 1 for warned in warnings(text))
    assert [] != warnings(text)


def test_what_segments_screens_generate_does_not_warn() -> None:
    """The usual subscription means the same in both engines, so nothing is said about it."""
    assert [] == warnings('type = "track" and (event = "Order Completed" or event = "Order Refunded")')
    assert [] == warnings('type = "page" and !match(context.page.path, "/admin*")')


@pytest.mark.parametrize("case", MAPPING["cases"], ids=lambda case: case["name"])
def test_mapping_gives_what_segments_engine_gives(case: dict[str, Any]) -> None:
    """Every mapping gives the engine's output, or fails where the engine fails."""
    if "ValidationError" in case.get("error", ""):
        with pytest.raises(MappingError) as refused:
            compile_mapping(case["mapping"])
        assert False is isinstance(refused.value, MappingFailed)
        return
    made = compile_mapping(case["mapping"])
    if "error" in case:
        with pytest.raises(MappingFailed):
            made(MAPPING["event"])
    else:
        assert case["output"] == made(MAPPING["event"])


def test_a_mapping_pasted_from_segment_gives_segments_payload() -> None:
    """Segment's published defaults for an order, with @path, @arrayPath and @if, work as they are."""
    made = compile_mapping(
        {
            "id": {"@path": "$.messageId"},
            "occurredAt": {"@path": "$.timestamp"},
            "opaqueUserId": {"@path": "$.anonymousId"},
            "deviceType": {
                "@if": {
                    "exists": {"@path": "$.context.device.type"},
                    "then": {"@path": "$.context.device.type"},
                    "else": "desktop",
                }
            },
            "items": {
                "@arrayPath": [
                    "$.properties.products",
                    {
                        "productId": {"@path": "$.product_id"},
                        "unitPrice": {"@path": "$.price"},
                        "vendorId": {"@path": "$.brand"},
                    },
                ]
            },
        }
    )
    event = {
        "messageId": "m1",
        "timestamp": "2026-01-02T03:04:05.678Z",
        "anonymousId": "a1",
        "properties": {"products": [{"product_id": "p1", "price": 9.5, "brand": "b"}, {"product_id": "p2"}]},
    }
    expected = {
        "id": "m1",
        "occurredAt": "2026-01-02T03:04:05.678Z",
        "opaqueUserId": "a1",
        "deviceType": "desktop",
        "items": [{"productId": "p1", "unitPrice": 9.5, "vendorId": "b"}, {"productId": "p2"}],
    }
    assert expected == made(event)
