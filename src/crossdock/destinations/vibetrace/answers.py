"""
What Vibetrace's answers mean.

Source: help.vtcdn.net/knowledge-base/how-to-update-an-user-through-api/ (read 2026-11-22) for 200, 400, 404
and their bodies; the retired API (github.com/vibetrace/api) for 401, 403 and 500. What the event call answers
is not documented: the same is assumed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import orjson

from crossdock.destinations.base import (
    Batch,
    Delivered,
    Halt,
    Outcome,
    Rejected,
    Response,
    Retry,
    Split,
    plain_outcome,
)

_QUIET = Delivered()


class Probed(NamedTuple):
    """What an answer to the probe tells."""

    key_accepted: bool | None
    """``None``: it cannot be told."""
    says: str


def outcome(batch: Batch, response: Response) -> Outcome:
    """Read the answer to a call of the user or event API."""
    told = words(response)
    if 200 <= response.status < 300:
        if told is not None:
            # Undocumented; the vendor says there was a fault, so the same would fail again.
            reason = f"{response.status}: {told}"
            return Rejected(reason) if len(batch.payloads) == 1 else Split(reason)
        if _is_page(response):
            return Halt(f"{response.status}: a web page answered; base_url is not Vibetrace's API")
        return _QUIET
    found = plain_outcome(batch, response, words=told)
    if isinstance(found, Halt) and response.status in (401, 403):
        return Halt(f"{found.reason}; check api_key, and that the account manager enabled the API")
    return found


def of_unsubscription(batch: Batch, response: Response) -> Outcome:
    """
    Read the answer where no user is made: one who is not there needs no unsubscribing.

    A web page that says 404 is another thing: it means the address is wrong, and that somebody's wish would
    be lost.
    """
    if response.status == 404 and not _is_page(response):
        return _QUIET
    return outcome(batch, response)


def of_legacy(batch: Batch, response: Response) -> Outcome:
    """Read the answer to the older event call, of which only the status is known to mean anything."""
    if 200 <= response.status < 300 and words(response) is None:
        return _QUIET
    return outcome(batch, response)


def noted(found: Outcome, body: bytes) -> Outcome:
    """Lay the payload's own note on a success."""
    if found is not _QUIET or b'"note":' not in body:
        return found
    payload = orjson.loads(body)
    note = payload.get("note") if payload.__class__ is dict else None
    return Delivered(note) if note.__class__ is str else found


def masked(found: Outcome, key: str) -> Outcome:
    """Take the key out of what an error page may quote."""
    if isinstance(found, Retry | Rejected | Split | Halt) and key in found.reason:
        return replace(found, reason=found.reason.replace(key, "***"))
    return found


def probed(response: Response) -> Probed:
    """Read the answer to a question about a user who does not exist: 404 is what a good key gets."""
    status, told = response.status, words(response)
    if status in (401, 403):
        return Probed(
            key_accepted=False, says=f"{status}: {told or 'the key is refused, or the API not enabled'}"
        )
    if status == 404 and told is not None:
        return Probed(key_accepted=True, says="the key is accepted")
    if 200 <= status < 300 and response.json.__class__ is dict:
        if told is None:
            return Probed(key_accepted=True, says="the key is accepted")
        return Probed(key_accepted=None, says=f"{status}: {told}")
    if status == 404:
        return Probed(key_accepted=None, says="404: there is no such API here; check base_url")
    return Probed(key_accepted=None, says=f"{status}: {told or 'not an answer of the user API'}")


def words(response: Response) -> str | None:
    """Give the explanation of an answer's ``errors``; ``None`` where it has none."""
    if b'"errors"' not in response.body:
        return None
    answer: Any = response.json
    errors = answer.get("errors") if answer.__class__ is dict else None
    if not errors:
        return None
    listed = errors if errors.__class__ is list else [errors]
    return "; ".join(map(_word, listed))[:500]


def _word(error: Any) -> str:
    if error.__class__ is not dict:
        return str(error)
    told = [str(error[key]) for key in ("message", "description") if error.get(key)]
    return ": ".join(told) or "an error without a message"


def _is_page(response: Response) -> bool:
    return response.body.lstrip()[:1] == b"<"
