"""`crossdock feed`: a catalogue in, a vendor's product feed out."""

from __future__ import annotations

import json

from tests.cli.conftest import Shell

CATALOGUE = "id,title,url,price\nFLV-GV 12,Mug,https://shop.example/mug,12.5\n2,Cup,nowhere,3\n"
HEADER = (
    "ID;Product title;Product URL;Categories IDs;Categories Titles;Description;Price;DiscountPrice;Photos;"
    "Color;Brand;Stock;Main\n"
)
LINE = "flv-gv_12;Mug;https://shop.example/mug;;;;12.5;0;;;;;1\n"


def test_it_writes_to_standard_output(shell: Shell) -> None:
    """The feed alone; what was left out is said beside it."""
    shell.write("c.csv", CATALOGUE)
    result = shell("feed", "vibetrace", "c.csv")
    assert HEADER + LINE == result.stdout
    assert "c.csv:3: left out: Product URL: 'nowhere' of 2 is no http(s) address" in result.stderr
    assert "standard output: 1 products, 1 left out" in result.stderr


def test_it_writes_a_file(shell: Shell) -> None:
    """In UTF-8, whole or not at all, and where a web server can read it."""
    shell.write("c.jsonl", '{"id": 1, "name": "Ü", "url": "https://x.example"}\n' * 2)
    shell.write("feed.csv", "old")
    result = shell("feed", "vibetrace", "c.jsonl", "--out", "feed.csv")
    assert "" == result.stdout
    assert HEADER + "1;Ü;https://x.example;;;;;0;;;;;1\n" == (shell.folder / "feed.csv").read_text("utf-8")
    assert 0o644 == (shell.folder / "feed.csv").stat().st_mode & 0o777
    assert ["c.jsonl", "feed.csv"] == sorted(path.name for path in shell.folder.iterdir())


def test_json(shell: Shell) -> None:
    """Programs hear what was written and what was not; the feed itself needs a file then."""
    shell.write("c.csv", CATALOGUE)
    told = json.loads(shell("feed", "vibetrace", "c.csv", "--out", "f.csv", "--json").stdout)
    assert (1, [3]) == (told["written"], [one["line"] for one in told["left_out"]])
    assert "--out" in shell("feed", "vibetrace", "c.csv", "--json", code=2).stderr


def test_an_empty_feed_is_not_written(shell: Shell) -> None:
    """It would empty the vendor's catalogue."""
    shell.write("c.csv", "id,title,url\n" + "1,\x1b[31m,x\n" * 30)
    shell.write("feed.csv", "old")
    result = shell("feed", "vibetrace", "c.csv", "--out", "feed.csv", code=1)
    assert "c.csv gives no product; nothing was written" in result.stderr
    assert "… and 10 more" in result.stderr
    assert "\x1b" not in result.stderr
    assert "old" == (shell.folder / "feed.csv").read_text("utf-8")


def test_errors(shell: Shell) -> None:
    """An unknown vendor, a file that is not there, and one that cannot be written."""
    shell.write("c.csv", CATALOGUE)
    assert "no feed for 'topsort'" in shell("feed", "topsort", "c.csv", code=1).stderr
    assert "cannot read none.csv" in shell("feed", "vibetrace", "none.csv", code=1).stderr
    assert "cannot write no/f.csv" in shell("feed", "vibetrace", "c.csv", "--out", "no/f.csv", code=1).stderr
    assert ["c.csv"] == [path.name for path in shell.folder.iterdir()]


def test_a_catalogue_that_breaks_off_leaves_the_old_feed(shell: Shell) -> None:
    """A file that turns out to be no UTF-8 half way through replaces nothing."""
    shell.write("feed.csv", "old")
    (shell.folder / "c.csv").write_bytes(CATALOGUE.encode() + b"x" * 100_000 + b"\n3,\xe9,https://x\n")
    assert "not UTF-8" in shell("feed", "vibetrace", "c.csv", "--out", "feed.csv", code=1).stderr
    assert "old" == (shell.folder / "feed.csv").read_text("utf-8")
    assert ["c.csv", "feed.csv"] == sorted(path.name for path in shell.folder.iterdir())
