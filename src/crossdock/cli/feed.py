"""``crossdock feed``: a product feed out of a catalogue, for a vendor that fetches one."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from crossdock import feed
from crossdock.cli import terminal
from crossdock.cli.options import json_option
from crossdock.errors import ConfigError, CrossdockError
from crossdock.feed import LeftOut

_SHOWN = 20


class NoProducts(CrossdockError):
    """A catalogue gave no product at all."""


@click.command()
@click.argument("vendor")
@click.argument("catalogue", type=click.Path(path_type=Path, dir_okay=False), metavar="CATALOGUE.csv|.jsonl")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write here instead of to standard output; the old file stays until the new one is whole.",
)
@json_option
def command(vendor: str, catalogue: Path, out: Path | None, as_json: bool) -> None:
    """
    Write VENDOR's product feed from a catalogue.

    The catalogue is CSV with a header line, or JSON Lines with one product each. What cannot be written is
    left out and said on standard error.
    """
    if as_json and out is None:
        raise click.UsageError("--json tells what was done; name the feed's file with --out")
    left_out: list[LeftOut] = []
    products = _products(vendor, catalogue, left_out)
    # Nothing is written before the first product is there: an empty feed would empty the vendor's catalogue.
    header, first = next(products), next(products, None)
    if first is None:
        _tell(catalogue, left_out)
        raise NoProducts(f"{catalogue} gives no product; nothing was written")
    written = 1
    if out is None:
        stream = sys.stdout.buffer
        stream.write((header + first).encode())
        for written, line in enumerate(products, 2):  # noqa: B007 - counted to the last
            stream.write(line.encode())
        stream.flush()
    else:
        written = _replace(out, header + first, products)
    if as_json:
        terminal.print_json({"written": written, "left_out": [one._asdict() for one in left_out]})
        return
    _tell(catalogue, left_out)
    where = out or "standard output"
    click.echo(f"{where}: {written} products, {len(left_out)} left out", err=True)


def _products(vendor: str, catalogue: Path, left_out: list[LeftOut]) -> Iterator[str]:
    """Give the feed's lines, the header first, and set aside what has none."""
    for line in feed.load(vendor).lines(feed.read(catalogue)):
        if isinstance(line, LeftOut):
            left_out.append(line)
        else:
            yield line


def _replace(out: Path, begin: str, products: Iterator[str]) -> int:
    """Write a new file beside the old one and put it in its place; gives the number of products."""
    written = 1
    try:
        descriptor, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(begin)
                for line in products:
                    file.write(line)
                    written += 1
                os.fchmod(file.fileno(), 0o644)  # a web server has to read it
            Path(name).replace(out)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"cannot write {out}: {error.strerror or error}") from None
    return written


def _tell(catalogue: Path, left_out: list[LeftOut]) -> None:
    for one in left_out[:_SHOWN]:
        click.echo(terminal.printable(f"{catalogue}:{one.line}: left out: {one.reason}"), err=True)
    if len(left_out) > _SHOWN:
        click.echo(f"… and {len(left_out) - _SHOWN} more; --json with --out lists all", err=True)
