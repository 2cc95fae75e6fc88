"""What the demo shows: live progress on a terminal, and the closing table everywhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from crossdock.cli import terminal
from crossdock.cli.demo.story import Step
from crossdock.cli.demo.verdict import Count, Vendor, Verdict
from crossdock.simulators import Simulator

_LINES = 8
_FAULTS = 20
"""Faults named below the table."""


@dataclass(slots=True)
class Screen:
    """The live picture: the story's last lines above, progress below."""

    length: int
    """How many messages the story has."""
    simulators: Mapping[str, Simulator]
    sent: int = 0
    lines: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=_LINES))

    def note(self, shopper: str, step: Step) -> None:
        """Show a step as done."""
        self.sent += 1
        self.lines.append((shopper.capitalize(), step.says))

    def __rich__(self) -> RenderableType:
        """Draw the picture of this moment."""
        story = Table.grid(padding=(0, 1))
        for shopper, says in self.lines:
            story.add_row(Text(shopper, style="cyan"), Text(says))
        bars = Table.grid(padding=(0, 2))
        bars.add_row("sent", ProgressBar(total=self.length, completed=self.sent, width=30), str(self.sent))
        for name, simulator in self.simulators.items():
            counts = {kind: simulator.count(kind) for kind in simulator.kinds}
            kinds = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
            bars.add_row(name, Text("has stored", style="dim"), kinds or "nothing yet")
        return Group(Padding(story, (1, 2)), Padding(bars, (0, 2, 1, 2)))


def show(verdict: Verdict, out: Console) -> None:
    """Print the closing table, and every fault by name."""
    shown = terminal.table("", "count", "due", "", right=["count", "due"])
    for name, count in verdict.door.items():
        shown.add_row(name, *_cells(count))
    for name, vendor in verdict.vendors.items():
        shown.add_section()
        _add_vendor(shown, name, vendor)
    out.print(shown)
    found = faults(verdict)
    for fault in found[:_FAULTS]:
        out.print(terminal.styled(f"  {fault}", "red"), soft_wrap=True)
    if len(found) > _FAULTS:
        out.print(terminal.styled(f"  and {len(found) - _FAULTS} more; --json lists them all", "red"))
    text, style = _CLOSING[verdict.right]
    out.print(terminal.styled(text, style))


_CLOSING = {
    True: ("Everything owed was delivered exactly once, and no vendor saw a violation.", "bold green"),
    False: ("Something is wrong; see the lines above.", "bold red"),
}


def _add_vendor(shown: Table, name: str, vendor: Vendor) -> None:
    for kind, account in vendor.accounts.items():
        if account.owed or account.surplus:
            count = Count(account.delivered + account.surplus, account.owed)
            mark = _mark(right=account.right)
            shown.add_row(f"{name}: {kind}", str(count.actual), str(count.due), mark)
    shown.add_row(f"{name}: held back by guards", str(vendor.suppressed), "", "")
    bad = vendor.duplicates + vendor.dead_letters + len(vendor.violations)
    shown.add_row(f"{name}: duplicates, dead letters, violations", *_cells(Count(bad, 0)))


def _cells(count: Count) -> tuple[str, str, Text]:
    due = "" if count.due is None else str(count.due)
    return str(count.actual), due, Text("") if count.due is None else _mark(right=count.right)


def _mark(*, right: bool) -> Text:
    return Text("ok", style="green") if right else Text("wrong", style="bold red")


def faults(verdict: Verdict) -> list[str]:
    """Name everything that is not as it should be."""
    named = [f"{times} requests were answered {status}" for status, times in verdict.unanswered.items()]
    if not verdict.settled:
        named.append("not everything was delivered in time")
    for name, vendor in verdict.vendors.items():
        named += [f"{name}: violation: {reason}" for reason in dict.fromkeys(vendor.violations)]
        told = (("came again", vendor.duplicates), ("dead letters", vendor.dead_letters))
        named += [f"{name}: {times} {what}" for what, times in told if times]
        for kind, account in vendor.accounts.items():
            named += [f"{name}: missing {kind}: {what}" for what in account.missing]
            named += [f"{name}: doubled {kind}: {what}" for what in account.doubled]
            if account.surplus:
                named.append(f"{name}: {account.surplus} {kind} that nobody owed")
    return named
