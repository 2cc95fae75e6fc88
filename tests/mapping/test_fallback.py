"""A fallback preset takes what no other enabled preset takes."""

from __future__ import annotations

from typing import Any

import pytest

from crossdock.mapping.compiled import compile_file
from crossdock.mapping.preset import load_mapping

FILE = """
destination: acme
presets:
  - {name: Anything, subscribe: type = "track", action: custom, mapping: {name: $.event}, fallback: true}
  - {name: Order, subscribe: event = "Order Completed", action: buy, mapping: {id: $.messageId}}
  - name: Big
    subscribe: type = "track" and properties.total > 100
    action: big
    mapping: {id: $.messageId}
  - name: Refund
    subscribe: event = "Order Refunded"
    action: undo
    mapping: {id: $.messageId}
    enabled: false
"""


@pytest.mark.parametrize(
    ("event", "presets"),
    [
        ({"type": "track", "event": "Order Completed"}, ["Order"]),
        ({"type": "track", "event": "Order Completed", "properties": {"total": 200}}, ["Order", "Big"]),
        ({"type": "track", "event": "Order Refunded"}, ["Anything"]),
        ({"type": "track", "event": "Signed Up"}, ["Anything"]),
        ({"type": "track", "event": "Signed Up", "properties": {"total": 200}}, ["Big"]),
        ({"type": "track", "event": ["odd"]}, ["Anything"]),
        ({"type": "page"}, []),
    ],
)
def test_a_fallback_yields_to_every_other_preset(event: dict[str, Any], presets: list[str]) -> None:
    """Also where the other one matches by a condition, and not to one that is switched off."""
    mapping = compile_file(load_mapping(FILE))
    assert presets == [preset.name for preset in mapping.matching(event)]


def test_a_preset_switched_on_takes_its_events_from_the_fallback() -> None:
    """Nothing has to be changed in the fallback's own condition."""
    mapping = compile_file(load_mapping(FILE), {"Refund": True})
    event = {"type": "track", "event": "Order Refunded"}
    assert ["Refund"] == [preset.name for preset in mapping.matching(event)]
