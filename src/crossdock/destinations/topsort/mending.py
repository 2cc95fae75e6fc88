"""
What becomes of a payload that Topsort's schema does not take: what can be mended is, the rest is left out.

One bad value would cost every payload of a request, so an optional field that stays wrong goes, is named, and
never takes a neighbour with it. This only runs when the schema has failed, so it is written for clarity.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from pydantic import ValidationError

from crossdock.destinations.base import Rejected, Skipped
from crossdock.destinations.topsort.schema import CHECK, TIME, Entity, Item, Listing, Page, Placement

_REQUIRED = {
    "entity": Entity.__required_keys__,
    "additionalAttribution": Entity.__required_keys__,
    "placement": Placement.__required_keys__,
    "page": Page.__required_keys__,
    "object": Listing.__required_keys__,
    "items": Item.__required_keys__,
}
"""What an object cannot do without, by the field that holds it: lacking it, the whole object goes."""
_WRITTEN_BY_MAPPINGS = frozenset({"", "placement.", "items."})
"""Where keys are an integrator's and worth naming; elsewhere they are the sender's, and without end."""
_REQUIRED_ALWAYS = frozenset({("id",), ("occurredAt",), ("opaqueUserId",)})


def whole(payload: dict[str, Any], valid: dict[str, Any]) -> bool:
    """Tell whether nothing of *payload* was left out; one level down only these two have optional keys."""
    if len(valid) != len(payload):
        return False
    if "placement" in valid:
        return len(valid["placement"]) == len(payload["placement"])
    if "items" in valid:
        return sum(map(len, valid["items"])) == sum(map(len, payload["items"]))
    return True


class Mended(NamedTuple):
    """A payload that passes the schema, and the names of what it lost for that."""

    valid: dict[str, Any]
    dropped: tuple[str, ...]


def mended(action: str, payload: Any) -> Mended | Skipped | Rejected:
    """Bring a payload into shape, and leave out (and name) the optional parts that stay wrong."""
    if not isinstance(payload, dict):
        return Rejected("payload: not an object")
    tidy = _tidied(payload)
    dropped: dict[str, None] = {}
    while True:
        try:
            valid = CHECK[action](tidy)
            return Mended(valid, (*dropped, *_unknown(tidy, valid)))
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False, include_input=False)
        for problem in problems:
            path = _culprit(tidy, problem["loc"], problem["type"])
            if (final := _final(action, path, problem["loc"], problem["type"])) is not None:
                return final
            dropped[_name(path, problem["loc"])] = None
            _remove(tidy, path)
        tidy = _cleaned(tidy) or {}


def _unknown(payload: Any, valid: Any, prefix: str = "") -> dict[str, None]:
    """Name the keys of *payload* that the schema does not know, without list positions."""
    names: dict[str, None] = {}
    if isinstance(payload, dict) and isinstance(valid, dict):
        for key, value in payload.items():
            if key in valid:
                names.update(_unknown(value, valid[key], f"{prefix}{key}."))
            else:
                names[prefix + (str(key) if prefix in _WRITTEN_BY_MAPPINGS else "*")] = None
    elif isinstance(payload, list) and isinstance(valid, list):
        for member, known in zip(payload, valid, strict=True):
            names.update(_unknown(member, known, prefix))
    return names


def _culprit(payload: Any, loc: tuple[Any, ...], fault: str) -> tuple[int | str, ...]:
    """Find the smallest part that can go: the field itself, or the object that cannot do without it."""
    path: list[Any] = []
    for key in loc:
        # A location also names union members, which are no keys of the payload.
        inside = (
            key in payload if isinstance(payload, dict) else isinstance(payload, list) and type(key) is int
        )
        if inside:
            path.append(key)
            payload = payload[key]
    if not path:
        return loc[:1]
    holder = next((name for name in reversed(path[:-1]) if type(name) is str), "")
    # A quantity below 1 tells that nothing was bought, unlike one that is no number.
    nothing_bought = path[0] == "items" and path[-1] == "quantity" and fault == "greater_than_equal"
    if holder and (path[-1] in _REQUIRED.get(str(holder), ()) or nothing_bought):
        path.pop()
    return tuple(path)


def _final(
    action: str, path: tuple[int | str, ...], loc: tuple[int | str, ...], fault: str
) -> Skipped | Rejected | None:
    """Say what becomes of the payload if the part that would have to go is one it cannot do without."""
    if path == ("items",) and action == "purchase":
        return Skipped("no_items")
    if path not in {("id",), ("occurredAt",), ("opaqueUserId",)} and (action, path) != (
        "pageview",
        ("page",),
    ):
        return None
    field = ".".join(str(part) for part in (path[0], *loc[2:]))
    if fault == "missing":
        return Rejected(f"{field}: missing")
    if path == ("occurredAt",):
        return Rejected("occurredAt: not an RFC 3339 time with offset")
    return Rejected(f"{field}: not a value Topsort takes")


def _name(path: tuple[int | str, ...], loc: tuple[int | str, ...]) -> str:
    """Name a part without list positions; of an order line that goes, the field that made it go."""
    if path[0] == "dsp_metadata":
        return "dsp_metadata.*" if len(path) > 1 else "dsp_metadata"
    parts = (*path, loc[-1]) if path[0] == "items" and type(path[-1]) is int else path
    return ".".join(part for part in parts if type(part) is str)


def _remove(payload: Any, path: tuple[Any, ...]) -> None:
    *above, last = path
    for key in above:
        payload = payload[key] if payload is not None else None
    if payload is not None:  # an earlier problem may have removed the part around it
        payload[last] = None


def _tidied(payload: dict[str, Any]) -> dict[str, Any]:
    """Rewrite what means a legal value but is not spelled as one; leave the rest for the schema to find."""
    tidy = _cleaned(payload) or {}
    for holder, field in (
        (tidy, "deviceType"),
        (tidy, "channel"),
        (tidy, "clickType"),
        (_part(tidy, "object"), "clickType"),
    ):
        if isinstance(holder.get(field), str):
            holder[field] = holder[field].strip().casefold().replace("_", "-")
    if isinstance(tidy.get("occurredAt"), str):
        tidy["occurredAt"] = _with_offset(tidy["occurredAt"])
    placement = _part(tidy, "placement")
    for field in placement.keys() & {"position", "page", "pageSize"}:
        placement[field] = _number(placement[field], int)
    if isinstance(tidy.get("items"), list):
        for item in (item for item in tidy["items"] if isinstance(item, dict)):
            item.update({"quantity": _number(item["quantity"], int)} if "quantity" in item else {})
            item.update({"unitPrice": _number(item["unitPrice"], float)} if "unitPrice" in item else {})
    if isinstance(payload.get("dsp_metadata"), dict):
        texts = {key: _json_text(v) for key, v in payload["dsp_metadata"].items() if v is not None}
        tidy["dsp_metadata"] = texts or None
    return {field: value for field, value in tidy.items() if value is not None}


def _part(tidy: dict[str, Any], field: str) -> dict[str, Any]:
    value = tidy.get(field)
    return value if isinstance(value, dict) else {}


def _cleaned(value: Any, depth: int = 5) -> Any:
    """Copy without nulls, blank texts and what is then empty, as deep as the schema goes."""
    if isinstance(value, str):
        return value if value.strip() else None
    if not depth:
        return value
    if isinstance(value, dict):
        pairs = ((key, _cleaned(member, depth - 1)) for key, member in value.items())
        return {key: member for key, member in pairs if member is not None} or None
    if isinstance(value, list):
        return [member for member in (_cleaned(m, depth - 1) for m in value) if member is not None] or None
    return value


def _with_offset(text: str) -> str:
    """Write any ISO 8601 date-time as RFC 3339; without an offset it means UTC."""
    if re.fullmatch(TIME, text):
        return text
    try:
        time = datetime.fromisoformat(text.strip())
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).isoformat()
    except ValueError:
        return text


def _number(value: Any, wanted: type[int | float]) -> Any:
    """Read `"3"` and `3.0` as the number they mean; anything else stays as it is."""
    try:
        number = float(value) if isinstance(value, str) else value
    except ValueError:
        return value
    return int(number) if wanted is int and type(number) is float and number.is_integer() else number


def _json_text(value: Any) -> Any:
    """Write what is no text as JSON, as Topsort's own Segment destination does: 42 → "42", true → "true"."""
    try:
        return value if isinstance(value, str) else orjson.dumps(value).decode()
    except TypeError:
        return value  # nested deeper than JSON is written; the schema leaves it out
