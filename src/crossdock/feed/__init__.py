"""
Product feeds: a shop's catalogue written as a vendor wants to fetch it.

The folder is the registry: a module ``acme`` here is the feed of the vendor ``acme``. It is pure: rows of a
catalogue in, lines of text out. Ids are written by the vendor's own rule, the one its events follow.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from typing import Protocol, cast

from crossdock.errors import ConfigError
from crossdock.feed.catalogue import LeftOut, Row, read

_READERS = "catalogue"
"""The module that is no vendor."""


class Feed(Protocol):
    """What a vendor's module here gives."""

    def lines(self, rows: Iterable[Row | LeftOut]) -> Iterator[str | LeftOut]:
        """Write the header and a line for each product; what cannot be written comes as `LeftOut`."""


def names() -> list[str]:
    """List the vendors that take a feed, sorted."""
    package = importlib.import_module("crossdock.feed")
    found = (module.name for module in pkgutil.iter_modules(package.__path__))
    return sorted(name for name in found if name != _READERS and name[0] != "_")


def load(vendor: str) -> Feed:
    """
    Give a vendor's feed.

    Raises:
        ConfigError: The vendor takes none.
    """
    if vendor not in names():
        raise ConfigError(f"no feed for {vendor!r}; choose one of: {', '.join(names())}", key="vendor")
    return cast("Feed", importlib.import_module(f"crossdock.feed.{vendor}"))


__all__ = ["Feed", "LeftOut", "Row", "load", "names", "read"]
