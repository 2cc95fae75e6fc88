"""
Strict local doubles of the vendors, for `crossdock demo`, `crossdock simulate` and the tests.

A simulator is written from the vendor's contract and shares no code with `crossdock.destinations`, so that
the two can disagree. The folder is the registry: a file ``acme.py`` here is the simulator of the vendor
``acme``.
"""

from crossdock.simulators._overview import Overview
from crossdock.simulators.base import Simulator, Switches, load, names, run

__all__ = ["Overview", "Simulator", "Switches", "load", "names", "run"]
