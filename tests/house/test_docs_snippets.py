"""Every snippet of the mapping documents is run: files are written, commands give what is shown."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from crossdock.cli import main
from crossdock.document import load
from crossdock.mapping import compile_file, compile_mapping, compile_subscription, load_mapping, run_examples
from crossdock.settings import parse
from tests.house.source import ROOT

PAGE = "mapping.md"
ELIDED = "…"


class Snippet(NamedTuple):
    """A fenced block: its language, what stands behind it, and its text."""

    language: str
    word: str
    text: str
    line: int


def snippets(page: str) -> Iterator[Snippet]:
    """Give the fenced blocks of a page in their order."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    for found in re.finditer(r"^```(\w*)[ ]?(\S*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        yield Snippet(found[1], found[2], found[3], text.count("\n", 0, found.start()) + 1)


SNIPPETS = list(snippets(PAGE))


def of(word: str) -> pytest.MarkDecorator:
    """Parametrize over the snippets of a kind."""
    chosen = [one for one in SNIPPETS if one.word == word]
    return pytest.mark.parametrize("snippet", chosen, ids=[f"line {one.line}" for one in chosen])


def test_no_snippet_is_left_out() -> None:
    """Each block is a file, a console, or of a kind that is tested below."""
    known = {"mapping", "preset", "settings", "file"}
    odd = [
        one for one in SNIPPETS if one.language != "console" and one.word not in known and "." not in one.word
    ]
    assert [] == odd
    assert len(SNIPPETS) > 10


def test_the_tutorial_can_be_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files written and commands given in the page's order show what the page shows."""
    monkeypatch.chdir(tmp_path)
    for snippet in SNIPPETS:
        if snippet.language == "console":
            for command, shown in commands(snippet.text):
                result = CliRunner().invoke(main, shlex.split(command)[1:], catch_exceptions=False)
                assert 0 == result.exit_code, result.output
                assert_shown(shown, result.output)
        elif "." in snippet.word:
            (tmp_path / snippet.word).write_text(snippet.text, "utf-8")


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Give the commands of a console and what is shown after each."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        yield command, shown


def assert_shown(shown: list[str], output: str) -> None:
    """Hold what is shown against the output; … stands for any text, beside it a part of a line is enough."""
    if ELIDED not in shown:
        assert shown == output.splitlines()
        return
    rest = output
    for line in shown:
        if line != ELIDED:
            assert line in rest
            rest = rest[rest.index(line) + len(line) :]


@of("mapping")
def test_a_mapping_sends_what_it_says(snippet: Snippet) -> None:
    """A mapping, an event, and what the one makes of the other."""
    parts = load(snippet.text, PAGE).data
    assert parts["sends"] == compile_mapping(parts["mapping"])(parts["event"])


@of("preset")
def test_a_preset_holds_its_examples(snippet: Snippet) -> None:
    """A preset works in a file of the vendor, and has an example that holds."""
    inset = "\n".join(f"    {line}" if line else "" for line in snippet.text.splitlines())
    file = load_mapping(f"destination: topsort\npresets:\n  -{inset[3:]}\n", PAGE)
    assert True is bool(file.presets[0].examples)
    assert [] == run_examples(file)


@of("file")
def test_a_file_loads(snippet: Snippet) -> None:
    """A whole mapping file is compiled, and what examples are left in it hold."""
    file = load_mapping(snippet.text, PAGE)
    assert True is bool(compile_file(file).presets)
    assert [] == run_examples(file)


@of("settings")
def test_settings_are_valid_with_their_presets(snippet: Snippet) -> None:
    """Settings are accepted, and their presets fit the shipped file."""
    configured = parse(snippet.text, PAGE, {}).destinations["topsort"]
    file = load_mapping(ROOT / "mappings" / "topsort.yaml")
    enabled = [preset.name for preset in compile_file(file, configured.presets).presets]
    assert "Product Added" in enabled
    assert "Product List Viewed" not in enabled


def test_fql_tables_hold_conditions() -> None:
    """Every condition the FQL page calls true or false can be read; what it calls refused cannot."""
    page = (ROOT / "docs" / "fql.md").read_text("utf-8")
    mended = page[page.index("## Mended on purpose") : page.index("## Refused at load")]
    for text in re.findall(r"^\| `(.+?)` \|", mended, re.MULTILINE):
        assert True is callable(compile_subscription(text))
