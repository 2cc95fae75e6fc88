"""Typical mistakes and what `crossdock check` says about each; the docs' table is drawn from here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from click.testing import CliRunner

from crossdock.cli import main

SETTINGS = """\
sources: {web: {write_key: wk}}
destinations:
  topsort:
    settings: {api_key: k}
    mapping: my.yaml
"""

MAPPING = """\
destination: topsort
presets:
  - name: Click
    subscribe: type = "track"
    action: click
    mapping:
      id: $.messageId
      occurredAt: $.timestamp
      opaqueUserId: $.anonymousId
      resolvedBidId: $.properties.bid
    once: {key: [$.properties.bid], within: 10s}
"""


class Mistake(NamedTuple):
    """What was right, what was written instead, and the one message it gives: its place and its fix."""

    name: str
    right: str
    wrong: str
    place: str
    fix: str

    @property
    def settings(self) -> str:
        """The settings file, with the mistake where it is one of its."""
        return SETTINGS.replace(self.right, self.wrong, 1) if self.right in SETTINGS else SETTINGS

    @property
    def mapping(self) -> str:
        """The mapping file, with the mistake where it is one of its."""
        return MAPPING if self.right in SETTINGS else MAPPING.replace(self.right, self.wrong, 1)


MISTAKES = (
    Mistake(
        "A misspelt directive",
        "id: $.messageId",
        "id: {$frist: [$.messageId]}",
        "my.yaml:7:12",
        "did you mean $first?",
    ),
    Mistake("A tab as indentation", "    action:", "\taction:", "my.yaml:5:1", "spaces only"),
    Mistake("A missing quote", 'type = "track"', '\'type = "track"', "my.yaml:4:16", "add the closing quote"),
    Mistake("An unknown action", "action: click", "action: clik", "my.yaml:5:13", "did you mean click?"),
    Mistake("A wrong type", "id: $.messageId", "id: {$first: $.messageId}", "my.yaml:7:20", "put it in [ ]"),
    Mistake(
        "A wrong JSONPath",
        "$.properties.bid\n",
        "$.products[?(@.bid\n",
        "my.yaml:10:22",
        "write $.properties.name",
    ),
    Mistake("Single quotes in a condition", '"track"', "'track'", "my.yaml:4:23", "write double quotes"),
    Mistake(
        "A key that stands twice",
        "action: click",
        "action: click\n    action: click",
        "my.yaml:6:5",
        "remove one of the two",
    ),
    Mistake(
        "A preset name that stands twice",
        "    once: {key: [$.properties.bid], within: 10s}",
        '  - {name: Click, subscribe: type = "page", action: click, mapping: {}}',
        "my.yaml:11:12",
        "rename one",
    ),
    Mistake(
        "An unknown setting",
        "mapping: my.yaml",
        "mappings: my.yaml",
        "crossdock.yaml:5:5",
        "did you mean 'mapping'?",
    ),
    Mistake(
        "A wrong pattern",
        'type = "track"',
        'match(event, "[z-a]*")',
        "my.yaml:4:29",
        "write the lower end of a range first",
    ),
    Mistake(
        "A wrong date pattern",
        "occurredAt: $.timestamp",
        "occurredAt: {$date: {value: $.timestamp, format: YYYY-MM-DD}}",
        "my.yaml:8:27",
        "write for example %Y-%m-%d",
    ),
    Mistake(
        "An unquoted `@path`",
        "id: $.messageId",
        "id: {@path: $.messageId}",
        "my.yaml:7:12",
        "put it in quotes",
    ),
    Mistake(
        "An expression cut off at a `#`",
        'type = "track"',
        'event = "Order #1"',
        "my.yaml:4:30",
        "put the whole value in single quotes",
    ),
    Mistake(
        "A leading `!`",
        'type = "track"',
        '!contains(event, "Test")',
        "my.yaml:4:16",
        "put the whole value in single quotes",
    ),
    Mistake("`NO` meant as a text", "$.properties.bid\n", "NO\n", "my.yaml:10:22", 'put it in quotes, "NO"'),
    Mistake(
        "`yes` meant as true",
        "action: click",
        "action: click\n    enabled: yes",
        "my.yaml:6:14",
        "write true or false",
    ),
    Mistake(
        "An unknown key of a preset",
        "action: click",
        "acton: click\n    action: click",
        "my.yaml:5:5",
        "did you mean action?",
    ),
    Mistake("`==` in a condition", 'type = "track"', 'type == "track"', "my.yaml:4:22", "write = once"),
    Mistake(
        "`&&` in a condition",
        'type = "track"',
        'type = "track" && event = "A"',
        "my.yaml:4:31",
        "write and instead of &&",
    ),
    Mistake("Quotes of a word processor", '"track"', "“track”", "my.yaml:4:23", "write straight quotes"),
    Mistake("A wrong duration", "10s", "10 seconds", "my.yaml:11:45", "such as 10s"),
    Mistake(
        "An unknown preset in the settings",
        "mapping: my.yaml",
        "mapping: my.yaml\n    presets: {Clik: true}",
        "crossdock.yaml:6:15",
        "did you mean Click?",
    ),
    Mistake(
        "A wrong field of an override",
        "mapping: my.yaml",
        "mapping: my.yaml\n    presets: {Click: {mapping: {id: {$frist: []}}}}",
        "crossdock.yaml:6:38",
        "did you mean $first?",
    ),
    Mistake(
        "A mapping file that is not there",
        "mapping: my.yaml",
        "mapping: mine.yaml",
        "crossdock.yaml:5:14",
        "name one that is there",
    ),
)


def said(mistake: Mistake) -> list[str]:
    """Run `crossdock check` on a mistake in a folder of its own; gives every line but the count."""
    with TemporaryDirectory() as folder, _inside(Path(folder)):
        Path("crossdock.yaml").write_text(mistake.settings, "utf-8")
        Path("my.yaml").write_text(mistake.mapping, "utf-8")
        result = CliRunner().invoke(main, ["check"], catch_exceptions=False)
    return result.output.splitlines()[:-1]


def table() -> str:
    """Give the docs' table of mistakes, with what is really said about each."""
    rows = [f"| {one.name} | {_code(one.wrong)} | {_code(' '.join(said(one)))} |" for one in MISTAKES]
    return "\n".join(["| Mistake | Written | What `crossdock check` says |", "|---|---|---|", *rows])


def _code(text: str) -> str:
    shown = " ⏎ ".join(part.strip(" ") for part in text.rstrip("\n").split("\n"))
    return f"`{shown.replace(chr(9), '⇥').replace('|', chr(92) + '|')}`"


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
