"""
The SQL of the journal: statements by name from ``sqlite.sql``, migrations by number from ``schema.sql``.

Rows are inserted many to a statement. The sqlite3 module lets go of the interpreter at every step, and a busy
event loop may keep it for a switch interval (5 ms) each time: one step for 256 rows instead of 256 steps is
what keeps a commit short while the loop is busy.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import Any, Final

ROWS_A_STATEMENT: Final = 256
_ROW: Final = re.compile(r"/\*rows\*/ (\([?, ]+\))")


def _blocks(file: str, heading: str) -> dict[str, str]:
    """Split a file at its ``-- heading: name`` lines; other comments are dropped."""
    blocks: dict[str, list[str]] = {}
    lines: list[str] = []
    text = resources.files("crossdock.journal").joinpath(file).read_text("utf-8")
    for line in text.splitlines():
        if line.startswith(f"-- {heading}: "):
            lines = blocks[line.partition(": ")[2].strip()] = []
        elif not line.startswith("--"):
            lines.append(line)
    return {name: "\n".join(lines).strip().removesuffix(";") for name, lines in blocks.items()}


_STATEMENTS: Final = _blocks("sqlite.sql", "name")
MIGRATIONS: Final = {int(number): sql for number, sql in _blocks("schema.sql", "migration").items()}


@lru_cache(1024)
def statement(name: str, run: int = 0) -> str:
    """Give a statement; ``mark_run_0`` in it stands for the table of the run of marks meant."""
    return _STATEMENTS[name].replace("mark_run_0", f"mark_{run}")


@lru_cache(512)
def statement_for(name: str, rows: int, run: int = 0) -> str:
    """Give a statement whose row of values, marked ``/*rows*/``, is repeated."""
    return _ROW.sub(lambda found: ", ".join([found[1]] * rows), statement(name, run))


def run_many(db: sqlite3.Connection, name: str, values: Sequence[Any], width: int, run: int = 0) -> list[Any]:
    """
    Execute a statement with `/*rows*/` over flat `values`, `width` to a row; gives the rows it returns.

    In powers of two, so that few different statements are prepared.
    """
    rows, start = len(values) // width, 0
    found: list[Any] = []
    while rows:
        count = min(ROWS_A_STATEMENT, 1 << (rows.bit_length() - 1))
        found += db.execute(statement_for(name, count, run), values[start : start + count * width])
        start += count * width
        rows -= count
    return found
