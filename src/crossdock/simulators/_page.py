"""The page a simulator shows at ``/``: plain HTML that reloads itself, nothing from elsewhere."""

from __future__ import annotations

from collections import deque
from html import escape
from itertools import islice

import orjson

from crossdock.simulators._store import Received, Store

SHOWN = 100
"""Events and violations on the page, newest first."""

STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #cf222e; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
.cards { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.25rem 0; }
.card { border: 1px solid var(--line); border-radius: .6rem; padding: .6rem 1rem; min-width: 7rem; }
.card b { display: block; font-size: 1.6rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.good b, b.good { color: var(--good); } .bad b, b.bad { color: var(--bad); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-top: 1px solid var(--line); }
th { font-weight: 600; border: 0; } td:first-child { white-space: nowrap; }
code { font: 12.5px/1.45 ui-monospace, monospace; overflow-wrap: anywhere; }
p, .quiet { opacity: .75; }
"""


def render(vendor: str, kinds: tuple[str, ...], store: Store) -> str:
    """Write the page for what *store* holds now."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="3">
<meta name="viewport" content="width=device-width"><title>{escape(vendor)} simulator</title>
<style>{STYLE}</style></head><body>
<h1>{escape(vendor)} <span class="quiet">simulator</span></h1>
<p>A strict local double. It stores what a correct client sends and lists what the vendor would refuse.</p>
<div class="cards">{_cards(kinds, store)}</div>
<h2>Violations</h2>{_violations(store)}
<h2>Answers</h2><p>{_answers(store)}</p>
<h2>Last events</h2>{_events(store.events)}
</body></html>"""


def _cards(kinds: tuple[str, ...], store: Store) -> str:
    cards = [_card(kind, store.counts[kind], "") for kind in kinds]
    duplicates = store.duplicates.total()
    cards.append(_card("duplicates", duplicates, "bad" if duplicates else "good"))
    cards.append(_card("violations", store.violation_count, "bad" if store.violation_count else "good"))
    return "".join(cards)


def _card(name: str, number: int, tone: str) -> str:
    return f'<div class="card {tone}"><b>{number:,}</b>{escape(name)}</div>'


def _answers(store: Store) -> str:
    told = (f"{number:,} times {status}" for status, number in sorted(store.answers.items()))
    return ", ".join(told) or "No request yet."


def _violations(store: Store) -> str:
    if not store.violations:
        return "<p>None.</p>"
    rows = "".join(
        f"<tr><td>{escape(violation.reason)}</td><td><code>{escape(violation.request[:600])}</code></td></tr>"
        for violation in islice(reversed(store.violations), SHOWN)
    )
    return f"<table><tr><th>Reason</th><th>Request</th></tr>{rows}</table>"


def _events(events: deque[Received]) -> str:
    if not events:
        return "<p>None held.</p>"
    rows = "".join(
        f"<tr><td>{event.order:,}</td><td>{escape(event.kind)}</td><td><code>{_pretty(event)}</code></td></tr>"
        for event in islice(reversed(events), SHOWN)
    )
    return f"<table><tr><th>#</th><th>Kind</th><th>Event</th></tr>{rows}</table>"


def _pretty(event: Received) -> str:
    fields = orjson.loads(event.body).items()
    return "<br>".join(f"<b>{escape(str(k))}</b> {escape(orjson.dumps(v).decode())}" for k, v in fields)
