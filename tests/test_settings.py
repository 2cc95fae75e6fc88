"""What a settings file may say, and how its mistakes are told."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from crossdock.errors import ConfigError, ConfigErrors
from crossdock.settings import Settings, load, parse

MINIMAL = "sources: {web: {write_key: wk}}\n"


def read(text: str, **environ: str) -> Settings:
    """Read settings from text."""
    return parse(text, "crossdock.yaml", environ)


def faults(text: str, **environ: str) -> list[str]:
    """Read settings that are wrong; gives what is told."""
    with pytest.raises(ConfigErrors) as wrong:
        read(text, **environ)
    return str(wrong.value).splitlines()


def test_everything_has_a_default() -> None:
    """An empty file is a gateway without sources and destinations."""
    assert Settings().model_dump() == read("").model_dump()


def test_durations_and_sizes_are_read_as_people_write_them() -> None:
    """Durations and sizes carry their unit."""
    settings = read("journal: {retention: 36h, max_size: 8MiB}\ndedup: {window: 90s}")
    assert timedelta(hours=36) == settings.journal.retention
    assert 8 * 1024 * 1024 == settings.journal.max_size
    assert timedelta(seconds=90) == settings.dedup.window


@pytest.mark.parametrize(
    ("written", "start"), [("now", "now"), ("2h", timedelta(hours=2)), ("7d", timedelta(days=7))]
)
def test_where_a_destination_starts(written: str, start: object) -> None:
    """A destination starts now, or so long ago."""
    assert start == read(f"destinations: {{topsort: {{from: {written}}}}}").destinations["topsort"].start


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("journal: {retention: 7}", "crossdock.yaml:1:22: journal.retention: 7 is no duration"),
        ("journal: {retention: soon}", "crossdock.yaml:1:22: journal.retention: 'soon' is no duration"),
        ("journal: {max_size: 20GiBB}", "crossdock.yaml:1:21: journal.max_size: '20GiBB' is no size"),
        ("sever: {port: 80}", "crossdock.yaml:1:1: unknown setting 'sever'; did you mean 'server'?"),
        ("server: {prot: 80}", "crossdock.yaml:1:10: unknown setting 'server.prot'; did you mean 'port'?"),
        ("server: {port: eighty}", "crossdock.yaml:1:16: server.port: "),
        ("sources: {web: {}}", "crossdock.yaml:1:16: sources.web: a source needs a write_key"),
        ("sources: {web: {write_key: ' '}}", "crossdock.yaml:1:28: sources.web.write_key: is empty"),
        (
            f"{MINIMAL}destinations: {{topsort: {{sources: [wbe]}}}}",
            "crossdock.yaml:2:36: no source is named 'wbe'; did you mean 'web'?",
        ),
        ("server: {port: 1}\nserver: {port: 2}", "crossdock.yaml:2:1: "),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, told: str) -> None:
    """A mistake is told with file, line and column, and with a suggestion where there is one."""
    with pytest.raises(ConfigError) as wrong:
        read(text)
    assert any(line.startswith(told) for line in str(wrong.value).splitlines()), str(wrong.value)


def test_all_mistakes_come_together() -> None:
    """Every mistake of a file is told in one pass."""
    assert 2 == len(faults("server: {port: x}\njournal: {retention: y}"))


def test_two_sources_need_two_keys() -> None:
    """A write key that stands twice is refused: it could not tell the two sources apart."""
    [told] = faults("sources:\n  a: {write_key: k}\n  b: {write_key: k}")
    assert told.startswith("crossdock.yaml:3:18: same write_key as source 'a'")


def test_the_environment_fills_in_values() -> None:
    """A variable is read from the environment, or has the default written beside it."""
    text = "sources: {web: {write_key: '${KEY}'}}\nserver: {host: '${HOST:-0.0.0.0}'}"
    settings = read(text, KEY="from outside")
    key = settings.sources["web"].write_key
    assert key is not None
    assert "from outside" == key.get_secret_value()
    assert "0.0.0.0" == settings.server.host


def test_a_variable_that_is_not_set_is_told() -> None:
    """A variable that is neither set nor has a default is a mistake with a place."""
    [told] = faults("sources: {web: {write_key: '${KEY}'}}")
    assert told.startswith("crossdock.yaml:1:28: environment variable KEY is not set")


def test_no_secret_is_shown() -> None:
    """Neither the settings' text nor an error shows a secret."""
    settings = read(
        "sources: {web: {write_key: s3cret}}\ndestinations: {topsort: {settings: {api_key: s3cret}}}"
    )
    assert "s3cret" not in repr(settings)
    told = faults("sources: {web: {write_key: [s3cret]}}")
    assert "s3cret" not in "".join(told)


def test_sources_of_one_scope_feed_the_same_destinations() -> None:
    """Sources that feed the same destinations share a scope; one that feeds fewer does not."""
    settings = read(
        "sources: {a: {write_key: a}, b: {write_key: b}, c: {write_key: c}}\n"
        "destinations: {one: {vendor: topsort}, two: {vendor: topsort, sources: [a, b]}}"
    )
    assert "one,two" == settings.scope("a") == settings.scope("b")
    assert "one" == settings.scope("c")
    assert frozenset("abc") == settings.feeds("one")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """A file that is not there is told with the command that writes one."""
    with pytest.raises(ConfigError, match="crossdock init"):
        load(tmp_path / "none.yaml")
