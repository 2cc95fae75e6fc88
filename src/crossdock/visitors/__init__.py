"""
Who an event is about: the facts laid beside it as ``$.visitor`` for mappings, and the key that shards it.

Pure. `facts` is what the event itself says, `memory` what its visitor's earlier events said: registers that a
journal keeps, folded event by event (`registers`, `basket`).
"""

from __future__ import annotations

from crossdock.visitors.facts import visitor_facts, visitor_key
from crossdock.visitors.memory import Folded, Memory

__all__ = ["Folded", "Memory", "visitor_facts", "visitor_key"]
