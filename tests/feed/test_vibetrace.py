"""Vibetrace's product feed: its columns, its ids, and what catalogues call their fields."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from crossdock import feed
from crossdock.destinations.vibetrace.values import item_id
from crossdock.errors import ConfigError
from crossdock.feed import LeftOut, Row
from crossdock.feed.vibetrace import HEADER, lines

COLUMNS = (
    "ID;Product title;Product URL;Categories IDs;Categories Titles;Description;Price;DiscountPrice;Photos;"
    "Color;Brand;Stock;Main"
)
MUG = {"id": "p-1", "title": "Mug", "url": "https://shop.example/mug"}


def written(*products: dict[str, Any]) -> list[dict[str, str]]:
    """Give what a reader of the feed sees."""
    found = list(lines(Row(number, product) for number, product in enumerate(products, 1)))
    texts = [line for line in found if isinstance(line, str)]
    assert texts == found, found
    return list(csv.DictReader(texts, delimiter=";", quotechar='"', strict=True))


def cell(column: str, **fields: Any) -> str:
    """Give one cell of a product with these fields."""
    (row,) = written({**MUG, **fields})
    return row[column]


def refused(*products: dict[str, Any]) -> list[LeftOut]:
    """Give what was left out."""
    found = lines(Row(number, product) for number, product in enumerate(products, 1))
    return [line for line in found if isinstance(line, LeftOut)]


def test_the_header_is_vibetraces() -> None:
    """Its columns in its order, also for a catalogue without a product."""
    assert [f"{COLUMNS}\n"] == list(lines([]))
    assert COLUMNS.split(";") == list(HEADER)


def test_a_product_as_a_whole() -> None:
    """Semicolons between, quotes where they are needed, one line each."""
    product = {
        **MUG,
        "id": "FLV-GV 12",
        "title": 'Mug; "large"',
        "categories": ["Home", "Kitchen, Dining", "Red Mugs"],
        "category_ids": [7, "C 8", "c9"],
        "description": "<p>Red.</p>\r\n<p>Round;</p>",
        "price": 12.5,
        "sale_price": "9.90 EUR",
        "images": ["https://shop.example/1.jpg", "https://shop.example/2,3.jpg"],
        "color": "red",
        "brand": "Açme",
        "stock": 4,
    }
    (_, line) = lines([Row(1, product)])
    assert (
        'flv-gv_12;"Mug; ""large""";https://shop.example/mug;7,c_8,c9;Home,Kitchen Dining,Red Mugs;'
        '"<p>Red.</p> <p>Round;</p>";12.5;9.90;https://shop.example/1.jpg,https://shop.example/2%2C3.jpg;'
        "red;Açme;4;1\n"
    ) == line


@pytest.mark.parametrize(
    ("fields", "column", "expected"),
    [
        ({"id": None, "sku": "S 1"}, "ID", "s_1"),
        ({"id": None, "Product-ID": 15}, "ID", "15"),
        ({"category": "Home > Kitchen > Red Mugs"}, "Categories Titles", "Home,Kitchen,Red Mugs"),
        ({"category": "Home > Kitchen > Red Mugs"}, "Categories IDs", "home,kitchen,red_mugs"),
        ({"category": "Home, Kitchen"}, "Categories Titles", "Home,Kitchen"),
        ({"category_ids": "1|2"}, "Categories IDs", "1,2"),
        ({"categories": [{"id": "C 1", "name": "Home"}]}, "Categories IDs", "c_1"),
        ({"categories": [{"id": "C 1", "name": "Home"}]}, "Categories Titles", "Home"),
        ({"categories": [{"title": "Red Mugs"}]}, "Categories IDs", "red_mugs"),
        ({}, "Categories IDs", ""),
        ({"price": "12.50"}, "Price", "12.50"),
        ({"price": "12,50"}, "Price", "12.50"),
        ({"price": "1.234,50 RON"}, "Price", "1234.50"),
        ({"price": "1,234.50"}, "Price", "1234.50"),
        ({"price": "1,234"}, "Price", "1234"),
        ({"price": "€ 7"}, "Price", "7"),
        ({"price": "10", "regular_price": "12"}, "Price", "12"),
        ({}, "Price", ""),
        ({"price": 10}, "DiscountPrice", "0"),
        ({"price": 10, "sale_price": ""}, "DiscountPrice", "0"),
        ({"price": 10, "sale_price": 0}, "DiscountPrice", "0"),
        ({"price": 10, "sale_price": 10}, "DiscountPrice", "0"),
        ({"price": 10, "sale_price": "7,5"}, "DiscountPrice", "7.5"),
        ({"image_link": "https://a.example/1,2.jpg"}, "Photos", "https://a.example/1,2.jpg"),
        (
            {"image": "https://a.example/1, https://a.example/2"},
            "Photos",
            "https://a.example/1,https://a.example/2",
        ),
        (
            {"image": "https://a.example/1|https://a.example/2"},
            "Photos",
            "https://a.example/1,https://a.example/2",
        ),
        ({"colour": ["red", "blue"]}, "Color", "red, blue"),
        ({"stock": "12"}, "Stock", "12"),
        ({"stock": 3.0}, "Stock", "3"),
        ({"stock": -2}, "Stock", "0"),
        ({"availability": "in_stock"}, "Stock", "1"),
        ({"availability": "Out of stock"}, "Stock", "0"),
        ({"stock": True}, "Stock", "1"),
        ({"stock": "some"}, "Stock", ""),
        ({}, "Main", "1"),
        ({"main": 0}, "Main", "0"),
        ({"main": "true"}, "Main", "1"),
        ({"Title": "other"}, "Product title", "Mug"),
        ({"title": "", "name": "Cup"}, "Product title", "Cup"),
    ],
)
def test_cells(fields: dict[str, Any], column: str, expected: str) -> None:
    """Found under the names that catalogues use, and written as the feed wants."""
    assert expected == cell(column, **fields)


def test_ids_are_those_of_the_events() -> None:
    """A product is recognised only where both are spelled alike."""
    for identity in ("FLV-GV 12", " İ\u00a0x ", 15, 15.0):
        assert item_id(identity) == cell("ID", id=identity)


def test_variations_have_ids_of_their_own() -> None:
    """A product's variants are lines; the first is the main one, and what they lack is the product's."""
    variants = [{"color": "red"}, {"id": "X 2", "color": "blue", "url": ""}, {"sku": "s3", "price": 3}]
    rows = written({**MUG, "id": 15, "price": 2, "variants": variants})
    assert [("15_1", "1"), ("x_2", "0"), ("s3", "0")] == [(row["ID"], row["Main"]) for row in rows]
    assert ["red", "blue", ""] == [row["Color"] for row in rows]
    assert ["2", "2", "3"] == [row["Price"] for row in rows]
    assert {MUG["url"]} == {row["Product URL"] for row in rows}


def test_one_of_a_group_is_the_main_one() -> None:
    """The first, unless the catalogue says which."""
    group = {**MUG, "item_group_id": "g"}
    assert ["1", "0"] == [row["Main"] for row in written({**group, "id": "a"}, {**group, "id": "b"})]
    stated = written({**group, "id": "a", "main": 0}, {**group, "id": "b", "main": 1})
    assert ["0", "1"] == [row["Main"] for row in stated]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"id": " "}, "ID: missing"),
        ({"id": {"a": 1}}, "ID: missing"),
        ({"title": ""}, "Product title: missing for p-1"),
        ({"url": "/mug"}, "Product URL: '/mug' of p-1 is no http(s) address"),
        ({"price": "on request"}, "Price: 'on request' is no amount"),
        ({"price": -1}, "Price: '-1' is no amount"),
        ({"sale_price": "1.2.3"}, "DiscountPrice: '1.2.3' is no amount"),
    ],
)
def test_what_cannot_be_written_is_left_out(fields: dict[str, Any], reason: str) -> None:
    """With its line and the reason."""
    assert [LeftOut(1, reason)] == refused({**MUG, **fields})


def test_an_id_stands_once() -> None:
    """Also where two differ only in what the feed does not keep."""
    again = LeftOut(2, "ID: p_1 stands in line 1 already")
    assert [again] == refused({**MUG, "id": "P 1"}, {**MUG, "id": "p_1"})


def test_faults_of_the_catalogue_are_handed_on() -> None:
    """In their place."""
    fault = LeftOut(2, "no JSON")
    found = list(lines([Row(1, MUG), fault, Row(3, {**MUG, "id": "b"})]))
    assert [str, str, LeftOut, str] == [type(line) for line in found]


def test_the_folder_is_the_registry() -> None:
    """A module's name is the vendor's."""
    assert ["vibetrace"] == feed.names()
    with pytest.raises(ConfigError, match="no feed for 'topsort'; choose one of: vibetrace"):
        feed.load("topsort")


# Catalogues.


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_is_read(tmp_path: Path, delimiter: str) -> None:
    """Whatever stands between its cells, with a byte order mark, quotes and blank lines."""
    path = tmp_path / "c.csv"
    text = 'id,title,url\n1,"A ""b""\nc",https://x\n\n2,D\n3,E,u,extra\n'.replace(",", delimiter)
    path.write_text(text, "utf-8-sig")
    assert [
        Row(3, {"id": "1", "title": 'A "b"\nc', "url": "https://x"}),
        Row(5, {"id": "2", "title": "D"}),
        LeftOut(6, "4 cells, but 3 columns"),
    ] == list(feed.read(path))


def test_jsonl_is_read(tmp_path: Path) -> None:
    """Line by line; one that is no object is named."""
    path = tmp_path / "c.JSONL"
    path.write_bytes(b'\xef\xbb\xbf{"id": 1}\n\n[]\n{"id":\n{"id": 2}')
    found = list(feed.read(path))
    assert [Row(1, {"id": 1}), LeftOut(3, "not an object"), Row(5, {"id": 2})] == [
        found[0],
        found[1],
        found[3],
    ]
    assert isinstance(found[2], LeftOut)
    assert found[2].reason.startswith("no JSON: ")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("c.xml", b"<a/>", "neither .csv nor .jsonl"),
        ("c.csv", b"", "names no columns"),
        ("c.csv", b"id,title\n1,\xe9\n", "not UTF-8"),
        ("c.csv", b"id\n" + b"x" * 1_100_000, "no CSV"),
        ("c.csv", None, "cannot read"),
    ],
)
def test_what_is_no_catalogue(tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    """Said with what to do."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        list(feed.read(path))
