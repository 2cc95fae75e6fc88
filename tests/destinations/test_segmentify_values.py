"""How Segmentify's values are read: amounts, dates, flags, lists, user agents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crossdock.destinations.segmentify import agent, values

KIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME = f"{KIT} Chrome/131.0.0.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X)"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (19.9, 19.9),
        (0, 0),
        ("19.90", 19.9),
        ("€19,90", 19.9),
        ("1.299,90 €", 1299.9),
        ("$1,299.90", 1299.9),
        ("1,299", 1299),
        ("1.299", 1.299),
        ("0,299", 0.299),
        ("CHF 1'299.50", 1299.5),
        ("1 299,00 zł", 1299.0),
        (".5", 0.5),
        ("9" * 40, 1e40),
        ("-5", None),
        ("€-5", None),
        (-1, None),
        (float("nan"), None),
        (float("inf"), None),
        (True, None),
        ("free", None),
        ("5 to 7", None),
        ("9" * 65, None),
        ({}, None),
    ],
)
def test_a_price_is_a_finite_number_from_zero(given: Any, expected: Any) -> None:
    """Symbols go; a comma or dot is read as people write amounts."""
    assert expected == values.price(given)


@pytest.mark.parametrize(("given", "expected"), [(2, 2), ("0.25", 0.25), (0, None), (-1, None), ("x", None)])
def test_a_quantity_is_above_zero(given: Any, expected: Any) -> None:
    """Decimals are allowed."""
    assert expected == values.quantity(given)


@pytest.mark.parametrize(
    ("read", "given", "expected"),
    [
        (values.text, 42, "42"),
        (values.text, 42.0, "42"),
        (values.text, 4.5, "4.5"),
        (values.text, True, None),
        (values.text, " ", None),
        (values.trimmed, " jo ", "jo"),
        (values.currency, "eur", "EUR"),
        (values.currency, "€", None),
        (values.currency, "euro", None),
        (values.category, "Men>Shoes >Sports", "Men > Shoes > Sports"),
        (values.category, ["Men", "", "Shoes"], "Men > Shoes"),
        (values.category, "Shoes", "Shoes"),
        (values.category, {}, None),
        (values.sub_category, "Men>Shoes", "Men>Shoes"),
        (values.sub_category, ["Men", "Shoes"], "Men>Shoes"),
        (values.product_gender, "Men", "M"),
        (values.product_gender, "f", "F"),
        (values.product_gender, "unisex", "U"),
        (values.product_gender, "kids", "U"),
        (values.product_gender, {}, None),
        (values.user_gender, "Woman", "F"),
        (values.user_gender, "male", "M"),
        (values.user_gender, "u", None),
        (values.user_gender, "men", None),
        (values.texts, "red", ["red"]),
        (values.texts, [42, None, "43"], ["42", "43"]),
        (values.texts, [{}], None),
        (values.split_texts, "vip, newsletter,", ["vip", "newsletter"]),
        (values.split_texts, ["a,b", 1], ["a,b", "1"]),
        (values.split_texts, {"a": 1}, None),
        (values.boolean, "yes", True),
        (values.boolean, 0, False),
        (values.boolean, "maybe", None),
        (values.stock, "https://schema.org/InStock", True),
        (values.stock, "out of stock", False),
        (values.stock, "false", False),
        (values.stock, True, True),
        (values.stock, "soon", None),
    ],
)
def test_a_value_becomes_what_the_vendor_takes(read: Callable[[Any], Any], given: Any, expected: Any) -> None:
    """Or nothing, where it cannot mean it."""
    assert expected == read(given)


@pytest.mark.parametrize(
    ("given", "birth", "since"),
    [
        ("1990-05-17", "17.05.1990", "17.05.1990"),
        ("1990-05-17T23:30:00-05:00", "18.05.1990", "18.05.1990"),
        ("1990-05-17T00:00:00.000Z", "17.05.1990", "17.05.1990"),
        ("7.5.1990", "07.05.1990", "07.05.1990"),
        (1_700_000_000, "14.11.2023", "14.11.2023"),
        (1_700_000_000_000, "14.11.2023", "14.11.2023"),
        (-86_400, "31.12.1969", "31.12.1969"),
        (1e300, None, None),
        ("1990-02-30", None, None),
        ("31.02.1990", None, None),
        ("May", None, None),
        (True, None, None),
        ([], None, None),
    ],
)
def test_a_day_is_written_the_german_way(given: Any, birth: str | None, since: str | None) -> None:
    """A bare date as it stands, a date-time's day in UTC."""
    assert (birth, since) == (values.birthdate(given), values.moment(given))


def test_an_epoch_may_be_text() -> None:
    """Some servers write all numbers so."""
    assert "14.11.2023" == values.moment("1700000000") == values.moment("1700000000000")


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [
        ({"total": 10, "value": 9}, 10),
        ({"total": "free", "value": "9.50"}, 9.5),
        ({"revenue": 0.1, "tax": 0.2, "shipping": None, "subtotal": 5}, 0.3),
        ({"subtotal": 5, "tax": 1, "shipping": 1}, 7),
        ({"tax": 1}, None),
        ({}, None),
        (12, 12),
        (None, None),
    ],
)
def test_a_total_is_made_of_what_there_is(amounts: Any, expected: Any) -> None:
    """Total, value, revenue with tax and shipping, subtotal with both; added exactly."""
    assert expected == values.total(amounts)


def test_a_map_is_flat_and_bounded() -> None:
    """Texts as they are, nested values as JSON, nulls left out, at most 50 keys."""
    given = {"a": "x", "n": 4.5, "i": 2.0, "t": True, "o": {"k": [1]}, "l": [], "z": None}
    assert {"a": "x", "n": "4.5", "i": "2", "t": "true", "o": '{"k":[1]}', "l": "[]"} == values.flat(given)
    many = values.flat({str(number): number for number in range(60)})
    assert many is not None
    assert [str(number) for number in range(50)] == list(many)
    assert values.flat({}) is None
    assert values.flat([1]) is None


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        (f"(Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36", ("PC", "Chrome", "Windows", "10.0")),
        (f"(Windows NT 10.0) {CHROME} Safari/1 Edg/131.0", ("PC", "Microsoft Edge", "Windows", "10.0")),
        (f"(X11; Linux x86_64) {CHROME} Safari/537.36 OPR/115.0", ("PC", "Opera", "Linux", None)),
        (f"(Windows NT 6.1) {CHROME} Safari/537.36 Maxthon/5.3", ("PC", "Maxthon", "Windows", "6.1")),
        ("(Windows NT 6.1; Trident/7.0; rv:11.0)", ("PC", "Internet Explorer", "Windows", "6.1")),
        ("(X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", ("PC", "Firefox", "Linux", None)),
        (f"(Macintosh; Mac OS X 10_13_2) {KIT} Version/11 Safari/604", ("PC", "Safari", "MacOS", "10.13.2")),
        (f"{IPHONE} {KIT} Version/17.2 Mobile/15E148 Safari/604.1", ("MOBILE", "Safari", "iOS", "17.2")),
        (f"{IPHONE} {KIT} Mobile/15E148", ("MOBILE", "iPhone", "iOS", "17.2")),
        (f"{IPHONE} {KIT} CriOS/131.0 Mobile/15E148 Safari/604.1", ("MOBILE", "Chrome", "iOS", "17.2")),
        (f"(iPad; CPU OS 12_5 like Mac OS X) {KIT} Mobile/15E148", ("TABLET", "iPad", "iOS", "12.5")),
        (f"(Linux; Android 14; Pixel 8) {CHROME} Mobile Safari/1", ("MOBILE", "Chrome", "Android", "14")),
        (f"(Linux; Android 13; SM-X700) {CHROME} Safari/537.36", ("TABLET", "Chrome", "Android", "13")),
        (f"(Linux; Android 14; wv) {CHROME} Mobile Safari/537.36", ("MOBILE", "Android", "Android", "14")),
        (f"(Linux; Android 4.0) {KIT} Version/4.0 Mobile Safari/5", ("MOBILE", "Android", "Android", "4.0")),
        (
            f"(Linux; Android 9; KFTRWI) {KIT} Silk/98 Chrome/98 Safari/5",
            ("TABLET", "Chrome", "Android", "9"),
        ),
        # An iPad that asks for desktop pages cannot be told from a Mac.
        (f"(Macintosh; Mac OS X 10_15) {KIT} Version/17 Safari/605", ("PC", "Safari", "MacOS", "10.15")),
        ("curl/8.5.0", ("PC", None, None, None)),
    ],
)
def test_a_user_agent_tells_device_browser_and_system(
    user_agent: str, expected: tuple[str | None, ...]
) -> None:
    """In the vendor's words, or not at all."""
    assert expected == agent.read(user_agent)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("iPadOS", "iOS"),
        ("Mac OS X", "MacOS"),
        ("macOS", "MacOS"),
        ("Windows 11", "Windows"),
        ("android", "Android"),
        ("Plan 9", "Other"),
        (" ", None),
        (7, None),
    ],
)
def test_an_operating_system_is_one_of_six(given: Any, expected: str | None) -> None:
    """One that the vendor does not list is Other."""
    assert expected == agent.system(given)


@pytest.mark.parametrize(("given", "expected"), [("17_2", "17.2"), (14, "14"), (" ", None), ([], None)])
def test_a_version_has_dots(given: Any, expected: str | None) -> None:
    """As the vendor's example 10.13.2 has."""
    assert expected == agent.version(given)
