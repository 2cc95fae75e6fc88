"""Typical mistakes in a mapping file: each gives one message that names the place and the fix."""

from __future__ import annotations

import pytest

from crossdock.errors import ConfigError, ConfigErrors
from crossdock.mapping import compile_file, load_mapping
from tests.mapping.mistakes import MAPPING, MISTAKES, SETTINGS, Mistake, said

RIGHT = """destination: acme
presets:
  - name: One
    subscribe: type = "track"
    action: click
    mapping:
      id: $.messageId
    once: {key: [$.messageId], within: 10s}
"""


@pytest.mark.parametrize("mistake", MISTAKES, ids=[one.name for one in MISTAKES])
def test_a_mistake_gives_one_message_with_place_and_fix(mistake: Mistake) -> None:
    """One mistake, one message of `crossdock check`: file, line, column, what, and the fix."""
    assert True is (mistake.right in SETTINGS + MAPPING)
    (message,) = said(mistake)
    assert True is message.startswith(f"{mistake.place}: ")
    assert True is (mistake.fix in message)


def test_what_the_mistakes_are_made_in_is_right() -> None:
    """Without a mistake there is nothing to say."""
    assert [] == said(Mistake("none", "", "", "", ""))


@pytest.mark.parametrize(
    ("old", "new", "place", "fix"),
    [
        ("    action: click\n", "", "f.yaml:3:5", "action is missing"),
        ("mapping:\n      id: $.messageId", "mapping: 5", "f.yaml:6:14", "must be a mapping"),
        ("action: click", "action: click\n    aliases: [X]", "f.yaml:6:14", "aliases stand for"),
    ],
)
def test_further_mistakes_are_placed_as_well(old: str, new: str, place: str, fix: str) -> None:
    """A key that is missing, a part of the wrong kind, aliases that stand for nothing."""
    with pytest.raises(ConfigError) as refused:
        compile_file(load_mapping(RIGHT.replace(old, new, 1), "f.yaml"))
    assert False is isinstance(refused.value, ConfigErrors)
    assert place == str(refused.value.location)
    assert True is (fix in str(refused.value))


def test_the_file_without_mistakes_compiles() -> None:
    """What the mistakes are made in is right."""
    assert ["One"] == [preset.name for preset in compile_file(load_mapping(RIGHT)).presets]


def test_a_duplicate_preset_name_names_the_first_one() -> None:
    """Two presets of one name would override each other, so the second is refused."""
    again = RIGHT + '  - {name: One, subscribe: type = "page", action: view, mapping: {}}\n'
    with pytest.raises(ConfigError) as refused:
        load_mapping(again, "f.yaml")
    assert "f.yaml:9:12: a preset named One stands in line 3 already; rename one" == str(refused.value)


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    """Unknown keys, conditions and directives come in one list, in the order of the file."""
    wrong = RIGHT.replace("action: click", "action: click\n    eanbled: true")
    wrong = wrong.replace("=", "==").replace("$.messageId\n", "{$frist: []}\n").replace("10s", "soon")
    with pytest.raises(ConfigErrors) as refused:
        load_mapping(wrong, "f.yaml")
    assert [4, 6, 8, 9] == [error.location.line for error in refused.value.errors if error.location]
