"""
Vibetrace's product feed: CSV with ``;`` between and ``"`` around, columns in its order.

Source: help.vtcdn.net/?p=591 (read 2026-11-22). Ids are lower case with underscores for spaces, the same as
in the events. Fields are found under the names that catalogues use: Segment's, Google's, or the feed's own.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from crossdock.destinations.vibetrace.values import flag, item_id
from crossdock.feed._cells import Unusable, amount, listed, stock, words
from crossdock.feed.catalogue import LeftOut, Row

HEADER: Final = (
    *("ID", "Product title", "Product URL", "Categories IDs", "Categories Titles", "Description", "Price"),
    *("DiscountPrice", "Photos", "Color", "Brand", "Stock", "Main"),
)
NAMES: Final[dict[str, tuple[str, ...]]] = {
    "ID": ("id", "product_id", "sku"),
    "Product title": ("product_title", "title", "name", "product_name"),
    "Product URL": ("product_url", "url", "link"),
    "Categories IDs": ("categories_ids", "category_ids", "category_id"),
    "Categories Titles": ("categories_titles", "category_titles", "categories", "category", "product_type"),
    "Description": ("description",),
    "Price": ("regular_price", "price"),
    "DiscountPrice": ("discountprice", "discount_price", "sale_price"),
    "Photos": ("photos", "photo", "images", "image", "image_url", "image_urls", "image_link"),
    "Color": ("color", "colour"),
    "Brand": ("brand", "manufacturer", "vendor"),
    "Stock": ("stock", "inventory", "inventory_quantity", "quantity", "availability"),
    "Main": ("main", "is_main"),
}
"""Where each column is looked for, first hit first; case, spaces and dashes do not matter."""
GROUP: Final = ("item_group_id", "group_id", "parent_id", "parent_sku")
"""What the variations of one product share."""
_BETWEEN_URLS: Final = re.compile(r"[|\s]+|,\s*(?=https?://)|,$")


def lines(rows: Iterable[Row | LeftOut]) -> Iterator[str | LeftOut]:
    """
    Write the header and a line for each product, each with its line end.

    A product with a list of `variants` gives a line for each of them. Of a group's products the first is the
    main one unless the catalogue says which is. What has no id, title or URL, or an id that came before, is
    left out.
    """
    yield _line(HEADER)
    seen: dict[str, int] = {}
    groups: set[str] = set()
    for row in rows:
        if isinstance(row, LeftOut):
            yield row
            continue
        for product in _variations(_named(row.fields)):
            try:
                cells = _cells(product)
            except Unusable as error:
                yield LeftOut(row.line, str(error))
                continue
            if cells[0] in seen:
                yield LeftOut(row.line, f"ID: {cells[0]} stands in line {seen[cells[0]]} already")
                continue
            seen[cells[0]] = row.line
            yield _line([*cells, _main(product, groups)])


def _named(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Write the names of fields in one way; of two that become the same the first with a value stays."""
    named: dict[str, Any] = {}
    for name, value in fields.items():
        plain = name.strip().lower().replace(" ", "_").replace("-", "_")
        if named.get(plain) in (None, ""):
            named[plain] = value
    return named


def _variations(product: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give a product once for each of its variants, each with an id of its own; else as it is."""
    variants = product.pop("variants", None)
    if not isinstance(variants, list) or not all(isinstance(one, dict) for one in variants) or not variants:
        yield product
        return
    parent = item_id(_first(product, NAMES["ID"]))
    shared = {name: value for name, value in product.items() if name not in NAMES["ID"]}
    for number, variant in enumerate(map(_named, variants), 1):
        own = {name: value for name, value in variant.items() if value not in (None, "", [])}
        identity = item_id(_first(own, NAMES["ID"])) or (parent and f"{parent}_{number}")
        yield {GROUP[0]: parent, **shared, **own, "id": identity}


def _cells(product: Mapping[str, Any]) -> list[str]:
    """Write all columns but the last."""
    found = {column: _first(product, names) for column, names in NAMES.items()}
    identity = item_id(found["ID"])
    title, url = words(found["Product title"]), words(found["Product URL"])
    if identity is None:
        raise Unusable("ID: missing")
    if not title:
        raise Unusable(f"Product title: missing for {identity}")
    if not url.lower().startswith(("http://", "https://")):
        raise Unusable(f"Product URL: {url[:80]!r} of {identity} is no http(s) address")
    ids, titles = _categories(found["Categories IDs"], found["Categories Titles"])
    price, reduced = (amount(found[column], column) for column in ("Price", "DiscountPrice"))
    if reduced is None or (price is not None and reduced >= price):
        reduced = None
    return [
        *(identity, title, url, ",".join(ids), ",".join(titles), words(found["Description"])),
        "" if price is None else f"{price:f}",
        f"{reduced:f}" if reduced else "0",
        _photos(found["Photos"]),
        ", ".join(listed(found["Color"], ",")),
        words(found["Brand"]),
        stock(found["Stock"]),
    ]


def _categories(ids: Any, titles: Any) -> tuple[list[str], list[str]]:
    """Give ids and titles of every level; where there are no ids, they are made of the titles."""
    if isinstance(titles, list) and all(isinstance(one, dict) for one in titles):
        named = [_named(one) for one in titles]
        ids = ids or [_first(one, NAMES["ID"]) or _first(one, ("name", "title")) for one in named]
        titles = [_first(one, ("name", "title")) for one in named]
    levels = [" ".join(title.replace(",", " ").split()) for title in listed(titles, ">|,")]
    normal = [one.replace(",", "_") for one in map(item_id, listed(ids, ">|,")) if one]
    return normal or [one for one in map(item_id, levels) if one], levels


def _photos(given: Any) -> str:
    texts = given if isinstance(given, list) else [given]
    photos = [one for text in texts for one in _BETWEEN_URLS.split(words(text)) if one]
    # The comma stands between URLs, so one within a URL must not be one.
    return photos[0] if len(photos) == 1 else ",".join(photo.replace(",", "%2C") for photo in photos)


def _main(product: Mapping[str, Any], groups: set[str]) -> str:
    stated = flag(_first(product, NAMES["Main"]))
    group = item_id(_first(product, GROUP))
    first = group is None or group not in groups
    if group is not None and stated is not False:
        groups.add(group)
    return str(int(first if stated is None else stated))


def _first(product: Mapping[str, Any], names: Iterable[str]) -> Any:
    for name in names:
        value = product.get(name)
        if value is not None and value != [] and not (isinstance(value, str) and not value.strip()):
            return value
    return None


def _line(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=";", quotechar='"', lineterminator="\n").writerow(cells)
    return text.getvalue()
