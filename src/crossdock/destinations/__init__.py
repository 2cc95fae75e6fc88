"""The vendors Crossdock delivers to, one module each; see `crossdock.destinations.base`."""

from crossdock.destinations.base import Destination, load, names

__all__ = ["Destination", "load", "names"]
