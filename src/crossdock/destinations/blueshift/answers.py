"""
What Blueshift's answers mean.

Source: developer.blueshift.com/reference/api-errors, ``/reference/post_api-v1-bulkevents``,
``…-customers-bulk`` and ``…-event-summary-json`` (*REF* below), read 2026-11-22.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from crossdock.destinations.base import (
    Batch,
    Checked,
    Delivered,
    Halt,
    Outcome,
    Rejected,
    Response,
    Retry,
    Split,
    plain_outcome,
    retry_wait,
)
from crossdock.destinations.blueshift import values

_TRANSIENT = frozenset({408, 409, 425, 429})
_LARGE_BYTES = 475_000
"""Half of what a request may hold: above it, a 413 that names no number is about the size."""
_COUNT = re.compile(r"(\d{1,4})\s*(?:events?|products?|customers?|users?|items?|records?)\b", re.IGNORECASE)
_LONG_ID = re.compile(rb'"customer_id":"[^"]{65,}"').search
_SHOWN = 5
"""Names of events in one line of `doctor`."""
_KEYS = ("customer_id", "email", "uuid")


def events_taken(batch: Batch, response: Response) -> list[Outcome]:
    """
    Read a 2xx to events: all or nothing, and *taken* is not yet *used*.

    The bulk call answers before it looks at the events; what is wrong with one is never told to the caller.
    """
    answer = response.json
    if answer.__class__ is not dict:
        if response.body.lstrip()[:1] == b"<":
            return _all(batch, Halt(f"{response.status}: a web page answered; base_url is not Blueshift's"))
        return _all(batch, Delivered("the answer is not Blueshift's usual one"))
    status = answer.get("status", "ok")
    if str(status).casefold() != "ok":
        reason = f"{response.status}: {words(response) or status}"
        return _all(batch, Rejected(reason) if len(batch.payloads) == 1 else Split(reason))
    sent, count = len(batch.payloads), answer.get("count")
    if count.__class__ is int and count < sent:
        note = f"Blueshift counted {count} of {sent} events; nothing is sent again, see its click stream"
        return _all(batch, Delivered(note))
    return _noted(batch)


def _noted(batch: Batch) -> list[Outcome]:
    long = Delivered("a customer_id is longer than the 64 characters that newer documents allow")
    return [long if _LONG_ID(payload.body) else Delivered() for payload in batch.payloads]


def profiles_taken(batch: Batch, response: Response) -> list[Outcome]:
    """
    Read a 2xx of customers/bulk, which lists the records it did not take, each beside its error.

    A record is found again by itself or by who it is about; sending the others again changes nothing.
    """
    answer = response.json
    if answer.__class__ is not dict:
        # An upsert: sending it again changes nothing, and who was refused is not known.
        return _all(batch, Retry(f"{response.status}: the answer is no JSON object"))
    errors = [error for error in _list(answer, "errors") if error]
    failed = _list(answer, "customers")
    if not failed and not errors:
        return _noted(batch)
    if any(_status(error) in _TRANSIENT or _status(error) >= 500 for error in errors):
        return _all(batch, Retry(f"{response.status}: {_text(errors)}", *retry_wait(response)))
    records = [orjson.loads(payload.body) for payload in batch.payloads]
    refused: dict[int, str] = {}
    for place, record in enumerate(failed):
        found = _matches(records, record)
        if not found:
            return _unknown(batch, f"{response.status}: {_text(errors)}")
        error = errors[place] if place < len(errors) else "refused"
        refused.update(dict.fromkeys(found, f"{response.status}: {_text(error)}"))
    if not refused:
        return _unknown(batch, f"{response.status}: {_text(errors)}")
    taken = _noted(batch)
    return [Rejected(refused[i], "refused_profile") if i in refused else taken[i] for i in range(len(taken))]


def _matches(records: list[Any], failed: Any) -> list[int]:
    if failed.__class__ is not dict:
        return []
    same = [place for place, record in enumerate(records) if record == failed]
    if same:
        return same
    who = {key: values.text(failed.get(key)) for key in _KEYS if values.text(failed.get(key)) is not None}
    return [
        place
        for place, record in enumerate(records)
        if who and all(values.text(record.get(key)) == name for key, name in who.items())
    ]


def _unknown(batch: Batch, reason: str) -> list[Outcome]:
    return _all(batch, Rejected(reason) if len(batch.payloads) == 1 else Split(reason))


def not_taken(batch: Batch, response: Response, *, profiles: bool) -> Outcome:
    """Read any other status; *profiles* says that the customers API answered."""
    told = words(response)
    reason = f"{response.status}: {told or 'no body'}"
    status = response.status
    if profiles and (status == 409 or (status == 404 and _conflict(response))):
        # REF calls both a passing conflict of two writers.
        return Retry(reason, *retry_wait(response))
    if status in (401, 403):
        return Halt(f"{reason}; check the key, its class (event or user) and the region")
    if status == 413 and len(batch.payloads) > 1:
        return _too_much(batch, response, reason)
    return plain_outcome(batch, response, words=told)


def _conflict(response: Response) -> bool:
    """Tell a customer that was not found from a path that does not exist, whose answer has no message."""
    answer = response.json
    return answer.__class__ is dict and bool(answer.get("message"))


def _too_much(batch: Batch, response: Response, reason: str) -> Split:
    """Find out what there was too much of: documents disagree on 100 or 30 events, and on what 1 MB is."""
    count = len(batch.payloads)
    allowed = [int(number) for number in _COUNT.findall(response.head) if 0 < int(number) < count]
    if allowed:
        return Split(reason, cap_payloads=max(allowed))
    size = sum(len(payload.body) for payload in batch.payloads)
    if size > _LARGE_BYTES:
        return Split(reason, cap_bytes=size // 2)
    return Split(reason, cap_payloads=count // 2)


def words(response: Response) -> str | None:
    """Give the vendor's explanation, which has half a dozen shapes."""
    answer = response.json
    if answer.__class__ is not dict:
        return None
    parts = [answer.get(key) for key in ("message", "error", "errors", "details", "status")]
    told = [_text(part) for part in parts[:4] if part]
    return "; ".join(told)[:500] if told else None


def _text(value: Any) -> str:
    return value if value.__class__ is str else orjson.dumps(value).decode()[:400]


def _list(answer: dict[str, Any], key: str) -> list[Any]:
    value = answer.get(key)
    return value if isinstance(value, list) else []


def _status(error: Any) -> int:
    status = error.get("status") if isinstance(error, dict) else None
    return status if isinstance(status, int) else 0


def _all(batch: Batch, outcome: Outcome) -> list[Outcome]:
    return [outcome] * len(batch.payloads)


class Seen(NamedTuple):
    """The latest event of one name that Blueshift has."""

    name: str
    timestamp: str | None
    event: dict[str, Any]


class Summary(NamedTuple):
    """What Blueshift counted over some days."""

    events: dict[str, int]
    """Events by name."""
    errors: dict[str, int]
    """Events it took and then could not use, by kind: `missing_identifier`, `invalid_user_attributes`."""
    start: str | None
    end: str | None


def seen(response: Response) -> list[Seen] | None:
    """Read an answer of event/debug, by name; ``None`` when it is not one."""
    if response.status != 200 or response.json is None:
        return None
    found = {one.name: one for one in _events(response.json)}
    return [found[name] for name in sorted(found)]


def last_seen(response: Response) -> Checked:
    """Say which events Blueshift saw last; only a right key of the right region is told."""
    found = seen(response)
    if found is None:
        return _refused(response, "the event_api_key is refused; it may be of the other region or class")
    if not found:
        return Checked(passed=True, says="accepted; no event was seen yet")
    latest = sorted(found, key=lambda one: one.timestamp or "", reverse=True)[:_SHOWN]
    named = ", ".join(f"{one.name} {one.timestamp}" if one.timestamp else one.name for one in latest)
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return Checked(passed=True, says=f"accepted; last seen: {named}{more}")


def counted(response: Response, *, own_key: bool) -> Checked:
    """Say what Blueshift counted, and what it took and could not use; *own_key*: the User key asked."""
    found = summary(response)
    if found is None and not own_key:
        return Checked(passed=None, says=f"{response.status}: needs user_api_key in the settings")
    if found is None:
        return _refused(response, "the user_api_key is refused; it may be of the other region or class")
    events = ", ".join(f"{name} {count:,}" for name, count in found.events.items()) or "no event"
    unused = ", ".join(f"{name} {count:,}" for name, count in found.errors.items() if count)
    wrong = f"; taken and not usable: {unused}" if unused else ""
    return Checked(passed=None if unused else True, says=f"counted in the last 7 days: {events}{wrong}")


def _refused(response: Response, why: str) -> Checked:
    told = words(response) or "not an answer of Blueshift's"
    refused = response.status in (401, 403)
    return Checked(
        passed=False if refused or response.status == 404 else None,
        says=f"{response.status}: {told}{f'; {why}' if refused else ''}",
    )


def _events(answer: Any) -> Iterator[Seen]:
    """Find the events in one object, a list of them, or an object of them by name; REF shows only one."""
    if isinstance(answer, list):
        for member in answer:
            yield from _events(member)
    elif isinstance(answer, dict) and isinstance(answer.get("event"), str):
        at = answer.get("timestamp") or answer.get("_bsft_ts")
        yield Seen(answer["event"], at if isinstance(at, str) else None, answer)
    elif isinstance(answer, dict):
        for name, member in answer.items():
            if isinstance(member, dict):
                yield from _events(member if "event" in member else {"event": name, **member})
            elif isinstance(member, list):
                yield from _events(member)


def summary(response: Response) -> Summary | None:
    """Read an answer of event/summary.json; ``None`` when it is not one."""
    answer = response.json
    if response.status != 200 or not isinstance(answer, dict) or not isinstance(answer.get("stats"), dict):
        return None
    counts = {
        name: stat["count"]
        for name, stat in answer["stats"].items()
        if isinstance(stat, dict) and isinstance(stat.get("count"), int)
    }
    chart = answer.get("events_chart_stats")
    errors = chart.get("error") if isinstance(chart, dict) else None
    days = errors.items() if isinstance(errors, dict) else ()
    totals = {kind: sum(n for n in by_day if isinstance(n, int)) for kind, by_day in days if by_day}
    return Summary(counts, totals, answer.get("timestamp_start"), answer.get("timestamp_end"))
