"""What the command line's tests share: a runner in a folder of its own, and an environment that is put back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from click.testing import CliRunner, Result

from crossdock.cli import main


class Shell:
    """Runs commands in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._runner = CliRunner()

    def __call__(self, *arguments: str, code: int = 0, stdin: str | None = None) -> Result:
        """Run one command and check its exit code."""
        result = self._runner.invoke(main, arguments, input=stdin, catch_exceptions=False)
        assert code == result.exit_code, result.output
        return result

    def write(self, name: str, text: str) -> Path:
        """Write a file into the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """Give a shell in an empty folder; what a command adds to the environment goes afterwards."""
    monkeypatch.chdir(tmp_path)
    with mock.patch.dict(os.environ):
        for name in ("WEB_WRITE_KEY", "SEGMENT_WEBHOOK_SECRET", "CROSSDOCK_TOKEN", "TOPSORT_API_KEY"):
            os.environ.pop(name, None)
        yield Shell(tmp_path)
