"""What a page asks and answers, read and bounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from crossdock.errors import MalformedRequest
from crossdock.journal.base import MailAnswer

MAX_VISITOR = 256
MAX_WAIT_SECONDS = 25.0
MAX_ACK_BYTES = 128 * 1024
MAX_RESULTS = 200
_MAX_ID = 64
_MAX_REASON = 200
_MAX_TOKEN = 128


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks: a page with a source's write key, for one visitor."""

    write_key: str
    anonymous_id: str
    token: str | None = None


def visitor_of(given: Mapping[str, Any]) -> Visitor:
    """
    Read who asks, from a query or a body.

    Raises:
        MalformedRequest: The visitor's id is missing, or no text of a usable length.
    """
    anonymous_id, token = given.get("anonymousId"), given.get("visitorToken")
    if not isinstance(anonymous_id, str) or not anonymous_id.strip() or len(anonymous_id) > MAX_VISITOR:
        raise MalformedRequest(f"anonymousId must be a text of 1 to {MAX_VISITOR} characters", "bad_visitor")
    if token is not None and (not isinstance(token, str) or len(token) > _MAX_TOKEN):
        raise MalformedRequest("visitorToken must be a text", "bad_token")
    key = given.get("writeKey")
    return Visitor(key.strip() if isinstance(key, str) else "", anonymous_id, token)


def wait_seconds(query: Mapping[str, str]) -> float:
    """
    Read how long a page wants to wait for a first command; more than is granted is cut.

    Raises:
        MalformedRequest: It is no whole number of seconds.
    """
    text = query.get("wait", "20")
    if not text.isdecimal() or not text.isascii() or len(text) > 4:
        raise MalformedRequest("wait must be a whole number of seconds", "bad_wait")
    return min(float(text), MAX_WAIT_SECONDS)


def answers_of(body: bytes) -> tuple[Visitor, list[MailAnswer]]:
    """
    Read what a page says became of its commands, whatever type the body is labelled with.

    Raises:
        MalformedRequest: It is not what a page says.
    """
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise MalformedRequest("the body is not JSON", "malformed_json") from None
    if not isinstance(said, dict):
        raise MalformedRequest("the body must be a JSON object", "malformed_json")
    results = said.get("results")
    if not isinstance(results, list) or len(results) > MAX_RESULTS:
        raise MalformedRequest(f"results must be a list of at most {MAX_RESULTS}", "bad_results")
    return visitor_of(said), [_answer(result) for result in results]


def _answer(result: Any) -> MailAnswer:
    if isinstance(result, dict):
        id_, outcome, error = result.get("id"), result.get("outcome"), result.get("error")
        known = outcome in ("fired", "unmatched", "error")
        if known and isinstance(id_, str) and 0 < len(id_) <= _MAX_ID:
            return MailAnswer(id_, outcome, _reason(outcome, error))  # type: ignore[arg-type]  # one of three
    raise MalformedRequest("each result needs an id and an outcome: fired, unmatched or error", "bad_results")


def _reason(outcome: Any, error: Any) -> str:
    if outcome == "unmatched":
        return "the account knows no audience or conversion of this name, or the page's tag is older than it"
    if outcome == "error":
        return error[:_MAX_REASON] if isinstance(error, str) and error else "the tag threw"
    return ""
