"""What is made of a payload, step by step: its fields, and what had to be left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from crossdock.destinations.base import Prepared, Rejected
from crossdock.destinations.vibetrace import values


@dataclass(slots=True)
class Draft:
    """Something in the making."""

    dropped: list[str] = field(default_factory=list)

    def texts(self, into: dict[str, Any], payload: Mapping[str, Any], names: Iterable[str]) -> None:
        """Take over the texts of a payload under their own names."""
        for name in names:
            value = payload.get(name)
            if value is None:
                continue
            found = values.text(value)
            if found is not None:
                into[name] = found
            elif value.__class__ is not str:  # a blank text is nothing, not a fault
                self.dropped.append(name)

    def person(self, into: dict[str, Any], payload: Mapping[str, Any]) -> None:
        """
        Take over who somebody is; a whole `name` is split where neither part of it is given.

        The fields of ``user`` in help.vtcdn.net/kb/serverside-integration (read 2026-11-22).
        """
        self.texts(into, payload, ("firstname", "lastname", "tel", "city", "country"))
        whole = payload.get("name")
        if whole.__class__ is not str or "firstname" in into or "lastname" in into:
            return
        parts = whole.split(None, 1)
        into.update(zip(("firstname", "lastname"), (part.strip() for part in parts), strict=False))

    def finished(self, body: dict[str, Any]) -> Prepared | Rejected:
        """Serialise it."""
        try:
            return Prepared(orjson.dumps(body), tuple(dict.fromkeys(self.dropped)) if self.dropped else ())
        except TypeError as error:  # half an emoji
            return Rejected(f"payload: cannot be written as JSON: {error}")
