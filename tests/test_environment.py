"""The `.env` beside the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossdock.environment import beside, parse
from crossdock.errors import ConfigError


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("A=b", ("A", "b")),
        ("export A = b", ("A", "b")),
        ("A='b # c'", ("A", "b # c")),
        ('A="b"', ("A", "b")),
        ("A=b#c", ("A", "b#c")),
        ("A=b  # why", ("A", "b")),
        ("A=", ("A", "")),
        ("A=x=y", ("A", "x=y")),
    ],
)
def test_lines(line: str, expected: tuple[str, str]) -> None:
    """Values may be quoted; a comment needs a space before it."""
    assert [expected] == list(parse(f"# a comment\n\n{line}\n", ".env"))


def test_a_wrong_line_has_its_place() -> None:
    """What is no NAME=value is named by file and line."""
    with pytest.raises(ConfigError, match=r"^\.env:2:1: this is no NAME=value"):
        list(parse("A=1\nB 2\n", ".env"))


def test_the_real_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file only fills what is not set."""
    (tmp_path / ".env").write_text("SET_ALREADY=file\nNOT_SET=file\n")
    monkeypatch.setenv("SET_ALREADY", "environment")
    environ = beside(tmp_path / "crossdock.yaml")
    assert ("environment", "file") == (environ["SET_ALREADY"], environ["NOT_SET"])
