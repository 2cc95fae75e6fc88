"""
What every destination promises, as one test class: subclass it with a destination and run.

::

    class TestAcme(DestinationContract):
        destination = Acme(api_key="test-key")
        accepted = Response(202)
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

import orjson
import pytest
from pydantic import SecretStr

from crossdock.destinations.base import (
    Batch,
    Delivered,
    Destination,
    Halt,
    Outcome,
    Payload,
    Prepared,
    Queued,
    Rejected,
    Response,
    Retry,
    Split,
    load,
)
from crossdock.mapping.compiled import CompiledMapping, CompiledPreset, compile_file
from crossdock.mapping.preset import MappingFile, load_mapping, shipped_mapping_path


@cache
def shipped(vendor: str) -> MappingFile:
    """Read a vendor's shipped mapping file."""
    return load_mapping(shipped_mapping_path(vendor))


@cache
def every_preset(vendor: str) -> CompiledMapping:
    """Compile a vendor's shipped presets, the ones that are off by default too."""
    file = shipped(vendor)
    return compile_file(file, {preset.name: True for preset in file.presets})


def preset_named(vendor: str, name: str) -> CompiledPreset:
    """Give one shipped preset, compiled."""
    return next(preset for preset in every_preset(vendor).presets if preset.name == name)


class VendorContract:
    """What every vendor promises; `test_…` of a subclass run on its `destination`."""

    destination: ClassVar[Destination]

    @property
    def vendor(self) -> str:
        """The module's name, which is the vendor's."""
        return type(self.destination).__module__.rpartition(".")[2]

    def prepared(self) -> list[tuple[str, bytes]]:
        """Give action and body of every payload that the shipped examples make."""
        made = []
        for preset in shipped(self.vendor).presets:
            for example in preset.examples:
                for payload in example.sends:
                    prepared = self.destination.prepare(preset.action, payload)
                    assert isinstance(prepared, Prepared), (preset.name, payload, prepared)
                    assert prepared.dropped == (), (preset.name, payload)
                    made.append((preset.action, prepared.body))
        return made

    def test_the_module_is_the_vendor(self) -> None:
        """The registry finds the destination by its file's name."""
        assert load(self.vendor) is type(self.destination)

    def test_presets_compile(self) -> None:
        """All of them, and each names an action the destination has."""
        compiled = every_preset(self.vendor)
        assert self.vendor == compiled.destination
        assert compiled.presets
        assert {preset.action for preset in compiled.presets} <= set(self.destination.actions)

    def test_every_preset_has_examples(self) -> None:
        """At least two: the plain case and an edge."""
        assert [p.name for p in shipped(self.vendor).presets if len(p.examples) < 2] == []

    def test_examples_give_what_they_state(self) -> None:
        """Each matches its own preset and makes exactly the payloads it says."""
        for preset in shipped(self.vendor).presets:
            compiled = preset_named(self.vendor, preset.name)
            for example in preset.examples:
                assert compiled.matches(example.event), example.event
                made = [mapped.payload for mapped in compiled.payloads(example.event)]
                assert example.sends == made, preset.name

    def test_examples_pass_the_schema(self) -> None:
        """Nothing of them has to be left out, and each body is JSON."""
        for _, body in self.prepared():
            assert isinstance(orjson.loads(body), dict)

    def test_odd_payloads_never_raise(self) -> None:
        """A mapping may yield anything."""
        odd: list[Any] = [None, [], "text", 1, {}, {"id": {}}, {"\ud800": "\ud800"}, {"a": [[{"b": None}]]}]
        for action in self.destination.actions:
            for payload in odd:
                assert not isinstance(self.destination.prepare(action, payload), Prepared)


class DestinationContract(VendorContract):
    """What a destination promises that is reached by HTTP."""

    accepted: ClassVar[Response] = Response(204)
    """What the vendor answers when it took everything."""
    refused: ClassVar[Response] = Response(400)
    """What it answers to a payload that is wrong for good."""
    body_limit_bytes: ClassVar[int | None] = None
    """The most bytes a body may have; `Limits.body_bytes` where nothing stands around the payloads."""
    delivered: ClassVar[type[Delivered | Queued]] = Delivered

    def batch(self, count: int, size: int | None = None) -> Batch:
        """Make a batch of one action's example payloads, *count* of them, grown to *size* bytes."""
        action, body = next(iter(self.prepared()))
        body = body if size is None else b'{"pad":"%s"}' % (b"x" * (size - 10))
        return Batch(tuple(Payload(n, 0, f"m{n}", action, "preset", body) for n in range(count)))

    def answered(
        self, status: int, headers: Mapping[str, str] | None = None, *, payloads: int = 2
    ) -> Outcome:
        """Give the one outcome of a batch that was answered so."""
        outcomes = self.destination.outcomes(self.batch(payloads), Response(status, b"", headers or {}))
        assert len(outcomes) == payloads
        assert all(outcome == outcomes[0] for outcome in outcomes)
        return outcomes[0]

    @pytest.mark.parametrize("count", [1, 2, 50])
    def test_one_outcome_per_payload(self, count: int) -> None:
        """Whatever the vendor answers."""
        for status in (200, 204, 301, 400, 401, 403, 404, 409, 413, 422, 429, 500, 503):
            outcomes = self.destination.outcomes(self.batch(count), Response(status, b"nonsense"))
            assert count == len(outcomes)

    def test_what_is_accepted_is_delivered(self) -> None:
        """Each payload of it."""
        outcomes = self.destination.outcomes(self.batch(3), self.accepted)
        assert [self.delivered()] * 3 == outcomes

    def test_too_many_requests_waits_as_told(self) -> None:
        """``Retry-After`` first, else ``X-RateLimit-Reset`` in whatever unit its size tells."""
        told: list[tuple[dict[str, str], tuple[float | None, float | None]]] = [
            ({"retry-after": "12"}, (12.0, None)),
            ({"x-ratelimit-reset": "30"}, (30.0, None)),
            ({"x-ratelimit-reset": "1800000000"}, (None, 1_800_000_000.0)),
            ({"retry-after": "Fri, 15 Jan 2027 08:00:00 GMT"}, (None, 1_800_000_000.0)),
            ({}, (None, None)),
        ]
        for headers, expected in told:
            outcome = self.answered(429, headers)
            assert isinstance(outcome, Retry)
            assert expected == (outcome.after_seconds, outcome.until_epoch_seconds)

    @pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
    def test_a_server_error_is_retried(self, status: int) -> None:
        """The same payload may pass later."""
        assert isinstance(self.answered(status), Retry)

    @pytest.mark.parametrize("status", [401, 403, 404])
    def test_a_credential_fault_halts(self, status: int) -> None:
        """No payload is at fault."""
        assert isinstance(self.answered(status), Halt)

    def test_a_refusal_is_final_for_the_guilty_one_only(self) -> None:
        """A batch is split until the guilty payload stands alone."""
        outcomes = self.destination.outcomes(self.batch(4), self.refused)
        assert all(isinstance(outcome, Split | Rejected | self.delivered) for outcome in outcomes)
        alone = self.destination.outcomes(self.batch(1), self.refused)
        assert isinstance(alone[0], Rejected)
        assert alone[0].reason

    def test_too_large_is_halved(self) -> None:
        """And a single payload that is too large is rejected."""
        assert isinstance(self.answered(413, payloads=4), Split)
        assert isinstance(self.answered(413, payloads=1), Rejected)

    def test_a_body_within_the_limits_is_within_the_vendors(self) -> None:
        """Payloads counted with their overhead never make a body that is too large."""
        limits = self.destination.limits
        count = limits.per_kind or limits.payloads
        size = limits.body_bytes // count - limits.payload_overhead_bytes
        request = self.destination.request(self.batch(count, size))
        assert len(request.body) <= (self.body_limit_bytes or limits.body_bytes)

    def test_no_secret_shows(self, caplog: pytest.LogCaptureFixture) -> None:
        """Not in a repr, a text, a log line, nor in what the vendor's answer becomes."""
        secrets = [
            value.get_secret_value()
            for name in type(self.destination).model_fields
            if isinstance(value := getattr(self.destination, name), SecretStr)
        ]
        request = self.destination.request(self.batch(1))
        with caplog.at_level(logging.INFO):
            logging.getLogger("contract").info("%s %r %s", self.destination, request, request)
        shown = [
            repr(self.destination),
            str(self.destination),
            self.destination.model_dump_json(),
            caplog.text,
        ]
        assert [secret for secret in secrets for text in shown if secret in text] == []


class MailboxContract(VendorContract):
    """What a destination promises whose commands wait for the visitor's browser."""

    def payloads(self) -> list[Payload]:
        """Make a payload of everything the shipped examples make."""
        return [
            Payload(n, 0, f"m{n}", action, "preset", body) for n, (action, body) in enumerate(self.prepared())
        ]

    def test_it_is_reached_through_a_mailbox(self) -> None:
        """With room for some commands and some time to pick them up."""
        assert "mailbox" == self.destination.transport
        terms = self.destination.mailbox_terms()
        assert terms.capacity > 0
        assert terms.ttl.total_seconds() > 0

    def test_every_payload_is_a_command_for_somebody(self) -> None:
        """It names a visitor, and is JSON."""
        for payload in self.payloads():
            posted = self.destination.posted(payload)
            assert posted.visitor
            assert orjson.loads(posted.command)

    def test_no_secret_shows(self) -> None:
        """Not in a repr or a text, nor in a command."""
        secrets = [
            value.get_secret_value()
            for name in type(self.destination).model_fields
            if isinstance(value := getattr(self.destination, name), SecretStr)
        ]
        commands = [self.destination.posted(payload).command.decode() for payload in self.payloads()]
        shown = [repr(self.destination), self.destination.model_dump_json(), *commands]
        shown.append(repr(self.destination.mailbox_terms()))
        assert [secret for secret in secrets for text in shown if secret in text] == []
