"""The command itself: help, version, errors."""

from __future__ import annotations

import subprocess
import sys

from crossdock.cli import COMMANDS
from tests.cli.conftest import Shell


def test_help_names_every_command(shell: Shell) -> None:
    """The help lists each command with a line of its own."""
    text = shell("--help").output
    assert [] == [name for name in COMMANDS if f"  {name} " not in text]


def test_every_command_has_help(shell: Shell) -> None:
    """Each command explains itself and is a real one."""
    for name in COMMANDS:
        assert f"{name} [OPTIONS]" in shell(name, "--help").output


def test_unknown_command_is_wrong_use(shell: Shell) -> None:
    """A misspelt command exits 2."""
    assert "No such command 'srve'" in shell("srve", code=2).output


def test_missing_settings_say_what_to_do(shell: Shell) -> None:
    """Without a settings file the error names the command that writes one."""
    result = shell("status", code=1)
    assert "no settings file crossdock.yaml; `crossdock init` writes one\n" == result.stderr


def test_runs_as_a_module() -> None:
    """``python -m crossdock`` is the same command."""
    done = subprocess.run(
        [sys.executable, "-m", "crossdock", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("crossdock")
