"""
The `.env` file beside the settings: where `init` puts secrets, so that `crossdock.yaml` can be shared.

Its lines are ``NAME=value``, with ``#`` comments and optional quotes, as Docker and systemd read them too.
What the real environment already sets wins.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from crossdock.errors import ConfigError, Location

FILE = ".env"

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")


def beside(config: Path) -> dict[str, str]:
    """
    Give the environment, with what the `.env` in the settings file's folder adds to it.

    Raises:
        ConfigError: A line of it is none.
    """
    path = config.parent / FILE
    if not path.is_file():
        return dict(os.environ)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from None
    return {**dict(parse(text, str(path))), **os.environ}


def parse(text: str, file: str) -> Iterator[tuple[str, str]]:
    """
    Read the lines of a `.env` file.

    Raises:
        ConfigError: A line is no ``NAME=value``.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        found = _LINE.fullmatch(stripped)
        if found is None:
            raise ConfigError("this is no NAME=value; a comment starts with #", Location(file, number, 1))
        yield found[1], _unquoted(found[2])


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return re.sub(r"\s+#.*", "", value)
