"""Typical mistakes in a mapping file: each gives one message that names the place and the fix."""

from __future__ import annotations

import pytest

from crossdock.errors import ConfigError, ConfigErrors
from crossdock.mapping import compile_file, load_mapping

RIGHT = """destination: acme
presets:
  - name: One
    subscribe: type = "track"
    action: click
    mapping:
      id: $.messageId
    once: {key: [$.messageId], within: 10s}
"""

MISTAKES = [
    ("misspelt directive", "id: $.messageId", "id: {$frist: [$.a]}", "f.yaml:7:12", "did you mean $first?"),
    ("tab indentation", "    action:", "\taction:", "f.yaml:5:1", "a tab indents this line"),
    ("missing quote", 'type = "track"', '"type = track', "f.yaml:4:16", "add the closing quote"),
    ("wrong type", "mapping:\n      id: $.messageId", "mapping: 5", "f.yaml:6:14", "must be a mapping"),
    ("bad JSONPath", "$.messageId\n", "$.a[?(@.b\n", "f.yaml:7:11", "is no JSONPath"),
    ("FQL in the wrong quotes", '"track"', "“track”", "f.yaml:4:23", "write straight quotes"),
    ("duplicate key", "action: click", "action: click\n    action: view", "f.yaml:6:5", "a second time"),
    (
        "bad date pattern",
        "id: $.messageId",
        "id: {$date: {value: $.t, format: YYYY}}",
        "f.yaml:7:19",
        "%Y-%m-%d",
    ),
    ("bad glob", 'type = "track"', 'match(event, "[z-a]")', "f.yaml:4:29", "bad character range"),
    ("unquoted @path", "id: $.messageId", "id: {@path: $.messageId}", "f.yaml:7:12", "put it in quotes"),
    (
        "a cut expression",
        'type = "track"',
        'event = "Order #1"',
        "f.yaml:4:30",
        "put the whole value in single",
    ),
    (
        "a leading !",
        'type = "track"',
        '!contains(event, "x")',
        "f.yaml:4:16",
        "put the whole value in single",
    ),
    (
        "NO as a boolean",
        "action: click",
        "action: click\n    enabled: NO",
        "f.yaml:6:14",
        "write true or false",
    ),
    ("unknown key", "action: click", "acton: click\n    action: x", "f.yaml:5:5", "did you mean action?"),
    ("bad duration", "10s", "10 parsecs", "f.yaml:8:40", "such as 10s"),
    ("double equals", 'type = "track"', 'type == "track"', "f.yaml:4:22", "write = once"),
    ("missing key", "    action: click\n", "", "f.yaml:3:5", "action is missing"),
    (
        "aliases without a name",
        "action: click",
        "action: click\n    aliases: [X]",
        "f.yaml:6:14",
        "aliases stand for",
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "place", "fix"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES]
)
def test_a_mistake_gives_one_message_with_place_and_fix(old: str, new: str, place: str, fix: str) -> None:
    """One mistake, one message: file, line, column, what, and the fix."""
    assert True is (old in RIGHT)
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
