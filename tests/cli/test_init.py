"""`crossdock init`: a file that loads, explains every setting, and keeps its secrets apart."""

from __future__ import annotations

import re
import stat
from typing import Any, get_args

from pydantic import BaseModel

from crossdock import settings
from crossdock.cli.init import starter
from tests.cli.conftest import Shell


def test_the_file_loads(shell: Shell) -> None:
    """The written settings are valid as they are, with the keys from the .env."""
    shell("init")
    shell("check")
    env = (shell.folder / ".env").read_text()
    loaded = settings.load(shell.folder / "crossdock.yaml")
    write_key = loaded.sources["web"].write_key
    assert write_key is not None
    assert f"WEB_WRITE_KEY={write_key.get_secret_value()}\n" in env


def test_secrets_stand_apart_and_private(shell: Shell) -> None:
    """No key is in the settings file; the .env can be read by its owner alone."""
    output = shell("init").output
    env = shell.folder / ".env"
    keys = dict(re.findall(r"^(\w+)=(.+)$", env.read_text(), re.MULTILINE))
    assert {"WEB_WRITE_KEY", "SEGMENT_WEBHOOK_SECRET", "CROSSDOCK_TOKEN"} == set(keys)
    assert 0o600 == stat.S_IMODE(env.stat().st_mode)
    assert [] == [key for key in keys.values() if key in (shell.folder / "crossdock.yaml").read_text()]
    assert keys["CROSSDOCK_TOKEN"] not in output
    assert keys["WEB_WRITE_KEY"] in output


def test_keys_are_fresh(shell: Shell) -> None:
    """Two files never share a key."""
    shell("init", "one/")
    shell("init", "two/mine.yaml")
    texts = [(shell.folder / name / ".env").read_text() for name in ("one", "two")]
    assert texts[0] != texts[1]


def test_nothing_is_overwritten(shell: Shell) -> None:
    """A file that exists stays, and the error says what to do."""
    shell.write("crossdock.yaml", "server: {}\n")
    result = shell("init", code=1)
    assert "crossdock.yaml exists already" in result.stderr
    assert "server: {}\n" == (shell.folder / "crossdock.yaml").read_text()
    assert not (shell.folder / ".env").exists()


def test_keys_that_exist_are_kept(shell: Shell) -> None:
    """A .env that has a key keeps it; the others are added."""
    shell.write(".env", "WEB_WRITE_KEY=mine")
    assert "mine" in shell("init").output
    lines = (shell.folder / ".env").read_text().splitlines()
    assert "WEB_WRITE_KEY=mine" == lines[0]
    assert 1 == sum(line.startswith("CROSSDOCK_TOKEN=") for line in lines)


def test_the_starter_explains_every_setting() -> None:
    """Each setting of each section stands in the starter, live or commented out."""
    text = starter()
    missing = [
        name for name in _names(settings.Settings) if not re.search(rf"^[\s#]*{name}:", text, re.MULTILINE)
    ]
    assert [] == missing


def _names(model: type[BaseModel]) -> list[str]:
    found = []
    for name, field in model.model_fields.items():
        found.append(field.alias or name)
        for inner in _models(field.annotation):
            found += _names(inner)
    return found


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]


def test_editors_find_the_schemas(shell: Shell) -> None:
    """The first line of the settings names a schema, and it is there, as is that of mapping files."""
    shell("init", "shop/")
    first = (shell.folder / "shop" / "crossdock.yaml").read_text().splitlines()[0]
    assert "# yaml-language-server: $schema=./schemas/crossdock.schema.json" == first
    found = sorted(path.name for path in (shell.folder / "shop" / "schemas").iterdir())
    assert ["crossdock.schema.json", "mapping.schema.json"] == found
