"""docs/cli.md knows every command and option."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from crossdock.cli import COMMANDS, main

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")


def commands(name: str) -> Iterator[click.Command]:
    """Give a command and the commands below it."""
    found = main.get_command(click.Context(main), name)
    assert found is not None
    yield found
    if isinstance(found, click.Group):
        yield from found.commands.values()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented(name: str) -> None:
    """Each command has a section, and each option it has stands on the page."""
    assert f"\n## crossdock {name}\n" in PAGE
    options = {
        option
        for command in commands(name)
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
    }
    assert set() == {option for option in options if f"{option}`" not in PAGE and f"{option} " not in PAGE}


def test_every_line_of_help_is_on_the_page() -> None:
    """The page's table says what the help says."""
    page = PAGE.replace("`", "")
    assert [] == [name for name, (_, text) in COMMANDS.items() if text.split(":")[0].rstrip(".") not in page]
