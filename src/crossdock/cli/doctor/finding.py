"""What `crossdock doctor` says of one thing it looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

State = Literal["ok", "warning", "failed", "unchecked"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    what: str
    state: State
    says: str


@dataclass(slots=True)
class Section:
    """What belongs together: the journal, the gateway, one destination."""

    name: str
    findings: list[Finding] = field(default_factory=list)

    def add(self, what: str, state: State, says: str) -> None:
        """Note one finding."""
        self.findings.append(Finding(what, state, says))
