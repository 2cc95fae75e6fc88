"""The JSON Schemas that editors check files by: as new as the code, and right about the files there are."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from crossdock.cli.init import starter
from crossdock.document import load
from tests.house.schemas import FOLDER, drawn
from tests.house.source import ROOT, TESTS
from tests.mapping.mistakes import MAPPING, SETTINGS

SHIPPED = sorted(FOLDER.glob("*.yaml"))
MAPPING_FILES = [*SHIPPED, TESTS / "mapping" / "segment_topsort.yaml"]


def faults(schema: str, data: Any) -> list[str]:
    """Give what a schema says against data."""
    validator = jsonschema.Draft202012Validator(json.loads((FOLDER / schema).read_text("utf-8")))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(data)]


@pytest.mark.parametrize("path", drawn(), ids=lambda path: path.name)
def test_schemas_are_new(path: Path) -> None:
    """The shipped schemas say what the models say; `make docs` draws them anew."""
    assert drawn()[path] == path.read_text("utf-8"), "run `make docs`"
    jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text("utf-8")))


@pytest.mark.parametrize("path", MAPPING_FILES, ids=lambda path: path.name)
def test_mapping_files_are_valid(path: Path) -> None:
    """Every shipped mapping file, and Segment's, is what the schema allows."""
    assert [] == faults("mapping.schema.json", load(path.read_text("utf-8"), path.name).data)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_files_name_their_schema(path: Path) -> None:
    """An editor finds the schema by the file's first line; it lies where the line says."""
    found = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text("utf-8"))
    assert found is not None
    assert True is (path.parent / found[1]).is_file()


def test_settings_are_valid() -> None:
    """The starter, with and without its comments, is what the schema allows."""
    bare = re.sub(r"^(\s+)# (\w+:(?: .*)?|  \w+: .*)$", r"\1\2", starter(), flags=re.MULTILINE)
    for text in (starter(), bare, SETTINGS):
        assert [] == faults("crossdock.schema.json", load(text, "crossdock.yaml").data)


@pytest.mark.parametrize(
    "field",
    [
        {"$frist": ["$.a"]},
        {"@first": ["$.a"]},
        {"$first": "$.a"},
        {"$first": ["$.a"], "other": 1},
        {"$lookup": {"value": "$.a", "tabel": {"x": 1}}},
        {"$lookup": {"value": "$.a"}},
        {"deep": [{"@pathh": "$.a"}]},
        {"@merge": {"direction": "up", "objects": []}},
    ],
)
def test_a_wrong_directive_is_flagged(field: Any) -> None:
    """The editor underlines what `check` would refuse."""
    right = load(MAPPING, "my.yaml").data
    wrong = deepcopy(right)
    wrong["presets"][0]["mapping"]["field"] = field
    assert [] == faults("mapping.schema.json", right)
    assert [] != faults("mapping.schema.json", wrong)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("write_key", "wrte_key"),
        ("api_key: k", "api_kee: k"),
        ("mapping: my.yaml", "presets: {A: {acton: x}}"),
        ("topsort:", "acme:\n    vendor: topsrot"),
        ("sources:", "server: {port: '${PORT}'}\njournal: {shards: many}\nsources:"),
    ],
)
def test_a_wrong_setting_is_flagged(old: str, new: str) -> None:
    """So it does in the settings, those of the vendors included."""
    wrong = SETTINGS.replace(old, new).replace("topsort:\n", "topsort:\n    vendor: topsort\n")
    assert [] != faults("crossdock.schema.json", load(wrong, "crossdock.yaml").data)


def test_the_package_holds_them() -> None:
    """The wheel takes the whole folder along."""
    assert '"mappings" = "crossdock/_mappings"' in (ROOT / "pyproject.toml").read_text("utf-8")
