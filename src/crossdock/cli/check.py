"""``crossdock check``: everything wrong with settings and mapping files, at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import click

from crossdock import destinations, document, settings
from crossdock.assembly import assemble
from crossdock.cli import terminal
from crossdock.cli.findings import Finding, of_error, of_mapping
from crossdock.cli.mapping_in_force import mapping_file
from crossdock.cli.options import config_option
from crossdock.delivery.plan import Route
from crossdock.document import Document
from crossdock.errors import ConfigError
from crossdock.mapping.preset import load_mapping
from crossdock.settings import Settings

Format = Literal["text", "json", "github"]
_GITHUB_ESCAPES: Final = {"%": "%25", "\r": "%0D", "\n": "%0A"}


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH…]")
@config_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="For people, for programs, or as annotations of a GitHub workflow.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def command(paths: tuple[Path, ...], config: Path, form: Format, as_json: bool) -> None:
    """
    Check settings and mapping files (without a PATH, the settings and every mapping they use).

    Prints every error and warning as file:line:column: what; the fix. Exits 1 on errors, not on warnings.
    """
    checked = paths or (config,)
    found = list(dict.fromkeys(one for path in checked for one in findings(path)))
    _print(found, checked, "json" if as_json else form)
    sys.exit(int(any(one.severity == "error" for one in found)))


def findings(path: Path) -> list[Finding]:
    """Check one file, a settings or a mapping file by what it holds; sorted by place."""
    try:
        read = _mapping_document(path)
        found = _in_settings(path) if read is None else _in_mapping(path, read)
    except ConfigError as error:
        found = of_error(error)
    return sorted(found, key=lambda one: (one.location is None, one.location or 0))


def _mapping_document(path: Path) -> Document | None:
    """Read a mapping file, told from settings by its first keys; ``None``: it is settings, or not there."""
    try:
        read = document.load(path.read_text("utf-8"), str(path))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from None
    is_mapping = isinstance(read.data, dict) and {"presets", "destination", "extends"} & read.data.keys()
    return read if is_mapping else None


def _in_mapping(path: Path, read: Document) -> list[Finding]:
    file = load_mapping(path)
    try:
        actions = destinations.load(file.destination).actions
    except ConfigError as error:
        raise ConfigError(error.message, read.location(("destination",))) from None
    return of_mapping(file, actions)


def _in_settings(path: Path) -> list[Finding]:
    loaded = settings.load(path)
    enabled = [name for name, one in loaded.destinations.items() if one.enabled]
    return [finding for name in enabled for finding in _in_destination(name, loaded, path.parent)]


def _in_destination(name: str, loaded: Settings, beside: Path) -> list[Finding]:
    """Check one destination alone, so that another's errors hide nothing of it."""
    alone = loaded.model_copy(update={"destinations": {name: loaded.destinations[name]}})
    try:
        return _in_route(name, assemble(alone, beside=beside)[name], loaded, beside)
    except ConfigError as error:
        return of_error(error)


def _in_route(name: str, route: Route, loaded: Settings, beside: Path) -> list[Finding]:
    """Check a destination's mapping as its settings put it in force."""
    configured = loaded.destinations[name]
    file = mapping_file(configured, beside)
    found = of_mapping(file, route.vendor.actions, overrides=configured.presets, vendor=route.vendor)
    if configured.mapping is not None:
        return found
    # The reader wrote the settings, not the shipped file: the place that can be mended is theirs.
    base = ("destinations", name, "presets")
    return [replace(one, location=loaded.locate(*base, one.preset or "")) for one in found]


def _print(found: Sequence[Finding], checked: Sequence[Path], form: Format) -> None:
    errors = sum(one.severity == "error" for one in found)
    if form == "json":
        terminal.print_json({"errors": errors, "findings": found})
        return
    if form == "github":
        for one in found:
            click.echo(_github(one))
        return
    out = terminal.console()
    for one in found:
        style = "red" if one.severity == "error" else "yellow"
        out.print(terminal.styled(str(one), style), soft_wrap=True)
    names = ", ".join(map(str, checked))
    out.print(
        f"{names}: {_counted(errors, 'error')}, {_counted(len(found) - errors, 'warning')}", soft_wrap=True
    )


def _counted(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"


def _github(one: Finding) -> str:
    """Write a workflow command; GitHub shows it beside the line it is about."""
    place = one.location
    where = f" file={place.file},line={place.line},col={place.column}" if place else ""
    text = "".join(_GITHUB_ESCAPES.get(letter, letter) for letter in one.message)
    return f"::{one.severity}{where}::{terminal.printable(text)}"
