"""What Segment publishes as the defaults of its Topsort destination, pasted into a mapping file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from crossdock.destinations import load as load_vendor
from crossdock.destinations.base import Prepared
from crossdock.mapping import compile_file, load_mapping, run_examples
from crossdock.mapping.preset import PresetExample

PUBLISHED = Path(__file__).parent / "segment_topsort.yaml"
FILE = load_mapping(PUBLISHED)
EXAMPLES = [(preset.name, example) for preset in FILE.presets for example in preset.examples]


def test_every_payload_is_segments() -> None:
    """The file loads as it is, and each event gives the payload that Segment's engine gives."""
    assert 7 == len(compile_file(FILE).presets)
    assert [] == [str(problem) for problem in run_examples(FILE)]


@pytest.mark.parametrize("preset", FILE.presets, ids=lambda preset: preset.name)
def test_every_preset_has_an_example(preset: Any) -> None:
    """None of the published presets is left untried."""
    assert True is bool(preset.examples)


@pytest.mark.parametrize(
    ("name", "example"), EXAMPLES, ids=[f"{name}: {example.event['messageId']}" for name, example in EXAMPLES]
)
def test_pasted_as_json_it_means_the_same(name: str, example: PresetExample) -> None:
    """The same mapping as JSON, the form in which Segment exports it."""
    pasted = {"destination": "topsort", "presets": [FILE.preset(name).model_dump(exclude_defaults=True)]}
    (compiled,) = compile_file(load_mapping(json.dumps(pasted))).presets
    assert example.sends == [mapped.payload for mapped in compiled.payloads(example.event)]


@pytest.mark.parametrize("message_id", ["m-1", "m-2", "m-3", "m-4", "m-6", "m-11", "m-12", "m-13"], ids=str)
def test_what_segment_would_deliver_topsort_takes(message_id: str) -> None:
    """The payloads of complete events pass Topsort's schema here too, with their ids and bids."""
    vendor = load_vendor("topsort").model_validate({"api_key": "k"})
    name, example = next(one for one in EXAMPLES if one[1].event["messageId"] == message_id)
    prepared = vendor.prepare(FILE.preset(name).action, example.sends[0])
    assert True is isinstance(prepared, Prepared)
    assert isinstance(prepared, Prepared)
    sent = orjson.loads(prepared.body)
    assert example.sends[0]["id"] == sent["id"]
    assert example.sends[0].get("resolvedBidId") == sent.get("resolvedBidId")


def test_the_list_fans_out_with_for_each() -> None:
    """Segment's impressionsList makes one impression per product in code; for_each says so in the file."""
    impressions = """
destination: topsort
presets:
  - name: Impressions
    subscribe: type = "track" and event = "Product List Viewed"
    action: impression
    for_each: $.properties.products
    mapping:
      id: {"@path": $.messageId}
      occurredAt: {"@path": $.timestamp}
      opaqueUserId: {"@path": $.anonymousId}
      resolvedBidId: $item.resolvedBidId
      additionalAttribution: $item.additionalAttribution
      deviceType: {"@path": $.context.device.type}
      channel: {"@path": $.properties.channel}
"""
    (preset,) = compile_file(load_mapping(impressions)).presets
    (example,) = FILE.preset("Impressions List").examples
    common = {"id": "m-10", "occurredAt": "2026-11-20T10:00:09.000Z", "opaqueUserId": "a-1"}
    expected = [{**common, "resolvedBidId": "bid-1"}, common, common]
    assert expected == [mapped.payload for mapped in preset.payloads(example.event)]
