"""The facts laid beside an event."""

from __future__ import annotations

from typing import Any

import pytest

from crossdock.visitors import visitor_facts, visitor_key


@pytest.mark.parametrize(
    ("document", "key"),
    [
        ({"anonymousId": "a", "userId": "u"}, "a"),
        ({"userId": "u"}, "u"),
        ({"anonymousId": None, "userId": "u"}, "u"),
        ({}, ""),
    ],
)
def test_the_key_is_the_anonymous_id_or_else_the_user_id(document: dict[str, Any], key: str) -> None:
    """One visitor's events share a key, whichever id they name."""
    assert key == visitor_key(document)


@pytest.mark.parametrize(
    ("document", "email"),
    [
        ({"traits": {"email": "t@x.example"}, "properties": {"email": "p@x.example"}}, "t@x.example"),
        ({"context": {"traits": {"email": "c@x.example"}}}, "c@x.example"),
        ({"properties": {"email": " p@x.example "}}, "p@x.example"),
        ({"traits": {"email": "no address"}, "context": {"traits": "noise"}}, None),
        ({}, None),
    ],
)
def test_the_email_is_found_where_clients_put_it(document: dict[str, Any], email: str | None) -> None:
    """Traits first, then context.traits, then properties."""
    assert email == visitor_facts(document)["email"]


def test_every_fact_is_there() -> None:
    """A mapping may read any fact of any event."""
    facts = visitor_facts({"userId": "u"})
    assert {"key", "anonymousId", "userId", "email", "sessionId", "basket"} == set(facts)
    assert ("u", None) == (facts["key"], facts["sessionId"])
