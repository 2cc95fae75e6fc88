"""The SharpSpring Ads simulator is as strict as the documentation, and its tag as odd as the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import orjson
import pytest

from crossdock.simulators import load, names
from crossdock.simulators._sharpspring_commands import fault_of
from crossdock.simulators._sharpspring_tag import FakeTag
from crossdock.simulators.sharpspring_ads import SharpSpringAdsSimulator


@pytest.fixture
async def simulator() -> AsyncIterator[SharpSpringAdsSimulator]:
    """The simulator, listening."""
    async with SharpSpringAdsSimulator() as running:
        yield running


async def get(simulator: SharpSpringAdsSimulator, path: str) -> tuple[int, bytes]:
    """Ask the simulator as a page does."""
    async with aiohttp.ClientSession() as http, http.get(simulator.url + path) as answer:
        return answer.status, await answer.read()


def judged(simulator: SharpSpringAdsSimulator, *commands: Any) -> tuple[int, str | None]:
    """Give what the simulator makes of commands."""
    body = orjson.dumps({"commands": [{"cmd": command} for command in commands]})
    verdict = simulator.judge("/commands", {}, body)
    return verdict.status, verdict.violation


def test_the_folder_is_the_registry() -> None:
    """`crossdock simulate` finds it."""
    assert "sharpspring_ads" in names()
    assert load("sharpspring_ads") is SharpSpringAdsSimulator


@pytest.mark.parametrize(
    "command",
    [
        ["track", "Name"],
        ["track", "Name", {"orderId": "12345", "revenue": 20}],
        ["track", "Name", {"orderId": "12345"}],
        ["track", "Name", {"revenue": 0.01}],
        ["trackProduct", "p-1"],
    ],
)
def test_documented_commands_pass(command: list[Any]) -> None:
    """Each of the documented shapes."""
    assert None is fault_of(command)
    assert (204, None) == judged(SharpSpringAdsSimulator(), command)


@pytest.mark.parametrize(
    "command",
    [
        None,
        [],
        {},
        "track",
        ["track"],
        ["track", ""],
        ["track", " "],
        ["track", 7],
        ["track", "Name", {}],
        ["track", "Name", None],
        ["track", "Name", []],
        ["track", "Name", {"orderId": 7}],
        ["track", "Name", {"orderId": ""}],
        ["track", "Name", {"orderId": "a@b.example"}],
        ["track", "Name", {"revenue": 0}],
        ["track", "Name", {"revenue": -1}],
        ["track", "Name", {"revenue": "20"}],
        ["track", "Name", {"revenue": True}],
        ["track", "Name", {"revenue": float("inf")}],
        ["track", "Name", {"revenue": float("nan")}],
        ["track", "Name", {"orderId": "o", "currency": "EUR"}],
        ["track", "Name", {"revenue": 1}, "more"],
        ["trackProduct"],
        ["trackProduct", ""],
        ["trackProduct", 7],
        ["trackProduct", "p-1", "p-2"],
        ["util.addScript", "//evil.example/x.js"],
        ["push", "x"],
    ],
)
def test_everything_else_is_a_violation(command: Any) -> None:
    """A correct relay never hands it out."""
    assert fault_of(command)


async def test_violations_are_listed_and_nothing_is_stored(simulator: SharpSpringAdsSimulator) -> None:
    """One bad command refuses its neighbours too."""
    async with aiohttp.ClientSession() as http:
        body = orjson.dumps({"commands": [{"cmd": ["track", "Name"]}, {"cmd": ["track"]}]})
        async with http.post(f"{simulator.url}/commands", data=body) as answer:
            assert 400 == answer.status
        async with http.post(f"{simulator.url}/commands", data=b"{}") as answer:
            assert 400 == answer.status
    assert ["track takes a name and perhaps an order", "not commands"] == [
        violation.reason for violation in simulator.violations
    ]
    assert [] == simulator.received()


def test_a_switch_refuses_a_name() -> None:
    """Which is no fault of the sender's."""
    assert (400, None) == judged(SharpSpringAdsSimulator(refuse=["Name"]), ["track", "Name"])


PIXELS = [
    ("/seg?t=2&add=11", "audience"),
    ("/seg?t=2&add=11:5", "audience"),
    ("/seg/?add=11&source=js_tag&a_id=7", "own_audience"),
    ("/seg/?add=1:p-1&source=js_tag&a_id=7", "product"),
    ("/px?t=2&id=21&order_id=o-1&value=20&other=abcdefgh12345678", "conversion"),
    ("/px/?id=21&other=abcdefgh12345678&source=js_tag&a_id=7", "own_conversion"),
]


@pytest.mark.parametrize(("path", "kind"), PIXELS)
async def test_pixels_are_recorded(simulator: SharpSpringAdsSimulator, path: str, kind: str) -> None:
    """By their kind, with all they hold; the answer is always a small image."""
    status, image = await get(simulator, path)
    assert (200, b"GIF89a") == (status, image[:6])
    (received,) = simulator.received(kind)
    assert {name: values[0] for name, values in parse_qs(path.partition("?")[2]).items()} == received
    assert [] == simulator.violations


@pytest.mark.parametrize(
    "path",
    [
        "/seg?t=2&add=99",
        "/seg?add=11",
        "/seg/?add=11",
        "/seg/?add=11&source=js_tag&a_id=8",
        "/px?t=2&id=99&other=abcdefgh12345678",
        "/px?t=2&id=21",
        "/px?t=2&id=21&other=short",
        "/px?t=2&id=21&order_id=a@b.example&other=abcdefgh12345678",
        "/px?t=2&id=21&value=none&other=abcdefgh12345678",
        "/nothing",
    ],
)
async def test_pixels_of_nobody_are_violations(simulator: SharpSpringAdsSimulator, path: str) -> None:
    """The tag would never have requested them."""
    await get(simulator, path)
    assert 1 == len(simulator.violations)
    assert [] == simulator.received()


@pytest.mark.parametrize("path", ["/tagjs?a_id=7", "/cs/?partnerId=1", "/coo", "/favicon.ico"])
async def test_silent_paths_tell_nothing(simulator: SharpSpringAdsSimulator, path: str) -> None:
    """Partner scripts, cookie matching and opt-out."""
    assert 200 == (await get(simulator, path))[0]
    assert ([], []) == (simulator.received(), simulator.violations)


async def test_a_pixel_twice_is_a_duplicate(simulator: SharpSpringAdsSimulator) -> None:
    """Although each conversion pixel has a random part of its own."""
    for other in ("abcdefgh12345678", "ABCDEFGH12345678"):
        await get(simulator, f"/px?t=2&id=21&order_id=o-1&value=20&other={other}")
    assert {("conversion", "21/o-1/20"): 1} == simulator.duplicates
    assert 2 == len(simulator.received("conversion"))


async def test_the_tag_is_generated_for_the_account(simulator: SharpSpringAdsSimulator) -> None:
    """With its names inside, so that a name made later is not in a cached one; another account has none."""
    status, script = await get(simulator, f"/serve/{simulator.switches.site_id}.js")
    assert 200 == status
    assert b'"Order Completed":21' in script
    assert 404 == (await get(simulator, "/serve/ffffffffffffffffffffffff.js"))[0]
    assert 1 == len(simulator.violations)
    simulator.switches.never_loads = True
    assert 404 == (await get(simulator, f"/serve/{simulator.switches.site_id}.js"))[0]
    assert 1 == len(simulator.violations)
    simulator.switches.next_statuses = [503]
    assert 503 == (await get(simulator, f"/serve/{simulator.switches.site_id}.js"))[0]


def tag(**changes: Any) -> FakeTag:
    """Make a tag that knows an audience and a conversion of one name, and a conversion of another."""
    return FakeTag({"Both": 11}, {"Both": 21, "Sale": 22}, **changes)


def test_before_it_loads_the_queue_is_a_list() -> None:
    """Push gives its length; at load it is run in order."""
    page = tag()
    assert [1, 2] == [page.push(["track", "Sale"]), page.push(["trackProduct", "p"])]
    assert [] == page.pixels
    page.load()
    assert ["/px?t=2&id=22", "/px/?id=22", "/seg/?add=1:p"] == [
        pixel.partition("&other=")[0].partition("&source=")[0] for pixel in page.pixels
    ]


def test_a_loaded_tag_says_whether_it_fired() -> None:
    """Every audience and conversion of the name; one nobody defined requests nothing."""
    page = tag()
    page.load()
    assert [True, False] == [page.push(["track", "Both"]), page.push(["track", "both"])]
    assert 4 == len(page.pixels)
    assert len({pixel.partition("other=")[2][:16] for pixel in page.pixels if "other=" in pixel}) == 1


def test_an_order_as_the_tag_reads_it() -> None:
    """Cut at `@`, no falsy revenue, and the page's own where the command has none."""
    page = tag(order_id="page", revenue=5)
    page.load()
    page.push(["track", "Sale", {"orderId": "a b@c.example", "revenue": 0}])
    page.push(["track", "Sale", {"orderId": "o", "revenue": 9}])
    page.push(["track", "Sale"])
    assert ["order_id=a%20b&value=5", "order_id=o&value=9", "order_id=page&value=5"] == [
        pixel.partition("id=22&")[2].partition("&other")[0] for pixel in page.pixels[::2]
    ]


def test_it_eats_the_list_it_is_given() -> None:
    """Which is why a relay pushes a copy."""
    command, page = ["track", "Sale"], tag()
    page.load()
    page.push(command)
    assert ["Sale"] == command


def test_an_unknown_name_throws_and_ends_the_drain() -> None:
    """What was queued behind it is lost."""
    page = tag()
    page.push(["util.addScript", "x"])
    page.push(["track", "Sale"])
    with pytest.raises(TypeError):
        page.load()
    assert ([], False) == (page.pixels, page.loaded)


def test_some_browsers_skip_all_pixels() -> None:
    """And are told that it fired all the same."""
    page = tag(skips_pixels=True)
    page.load()
    assert page.push(["track", "Sale", {"segment_value": 3}])
    assert [] == page.pixels


def test_a_segment_value_goes_to_the_audience() -> None:
    """Observed, documented nowhere, and never sent by us."""
    page = tag()
    page.load()
    page.push(["track", "Both", {"segment_value": 3}])
    assert "/seg?t=2&add=11:3" == page.pixels[0]
