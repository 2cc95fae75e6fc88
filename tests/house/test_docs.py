"""What users can see is documented, and the documents are as new as the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from crossdock import cli, destinations
from crossdock.cli.init import starter
from crossdock.settings import parse
from crossdock.telemetry import Log
from tests.house.reference import PAGES, SECTIONS, drawn
from tests.house.source import PACKAGE, ROOT, fields

DOCS = ROOT / "docs"
STARTER_ENVIRONMENT = {"WEB_WRITE_KEY": "wk", "SEGMENT_WEBHOOK_SECRET": "secret", "CROSSDOCK_TOKEN": "token"}

MODELS = [
    *SECTIONS.items(),
    *((f"settings of {name}", destinations.load(name)) for name in destinations.names()),
]


@pytest.mark.parametrize("page", PAGES)
def test_drawn_tables_are_new(page: str) -> None:
    """The settings, log and metrics tables say what the code says; `make docs` draws them anew."""
    assert drawn(page) == (DOCS / page).read_text("utf-8"), "run `make docs`"


@pytest.mark.parametrize(("section", "model"), MODELS, ids=[name for name, _ in MODELS])
def test_every_setting_is_explained(section: str, model: type[BaseModel]) -> None:
    """Every setting has a docstring, which the reference shows."""
    written = fields(model)
    assert [] == [f"{section}.{name}" for name in model.model_fields if not written[name].docstring]


@pytest.mark.parametrize(("section", "model"), SECTIONS.items())
def test_the_starter_shows_every_setting(section: str, model: type[BaseModel]) -> None:
    """The settings file that `init` writes shows every setting, in force or commented out."""
    text = starter()
    names = [field.alias or name for name, field in model.model_fields.items()]
    assert [
        f"{section}.{name}" for name in names if not re.search(rf"^[\s#]*{name}:", text, re.MULTILINE)
    ] == []


def test_the_starter_is_valid() -> None:
    """The settings file that `init` writes is accepted as it is."""
    assert {"web", "segment"} == set(parse(starter(), "crossdock.yaml", STARTER_ENVIRONMENT).sources)


def test_the_starter_is_valid_with_every_comment_taken_out() -> None:
    """The settings that the starter shows commented out are valid ones."""
    text = re.sub(r"^(\s+)# (\w+:(?: .*)?|  \w+: .*)$", r"\1\2", starter(), flags=re.MULTILINE)
    assert parse(text, "crossdock.yaml", STARTER_ENVIRONMENT).destinations["topsort"].delivery.batch_events


def test_the_journal_names_log_events() -> None:
    """What the journal tells of itself by name is a log event."""
    source = "\n".join(path.read_text("utf-8") for path in (PACKAGE / "journal").glob("*.py"))
    named = set(re.findall(r'hook\("([a-z_.]+)"', source))
    assert named
    assert named <= {what.event for what in Log}


def test_every_command_is_documented() -> None:
    """Every command of the command line stands in the README or in the documents."""
    text = "\n".join(page.read_text("utf-8") for page in [ROOT / "README.md", *DOCS.rglob("*.md")])
    assert [] == [name for name in cli.COMMANDS if f"crossdock {name}" not in text]


def _links() -> list[tuple[Path, str]]:
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
    return [
        (page, link)
        for page in pages
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8"))
        if "://" not in link
    ]


def test_links_lead_somewhere() -> None:
    """Every link between documents leads to a file that exists."""
    assert [] == [f"{page.name} → {link}" for page, link in _links() if not (page.parent / link).exists()]
