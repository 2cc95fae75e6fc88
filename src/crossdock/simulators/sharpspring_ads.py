"""
SharpSpring Ads: the tag a shop's page loads, the pixels it requests, and a strict reading of its commands.

Commands from support.perfectaudience.com/477058-Segmenting-API (read 2026-08-20); tag and pixels as observed
in public archives, where the pixels' two hosts are one here. What a relay hands out may also be posted to
``/commands`` as it is, where there is no browser.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from typing import ClassVar

import orjson
from aiohttp import web
from pydantic import Field, NonNegativeInt

from crossdock.simulators._sharpspring_commands import fault_of
from crossdock.simulators._store import Event
from crossdock.simulators.base import Simulator, Switches, Verdict

KINDS = (
    "track",
    "trackProduct",
    "audience",
    "own_audience",
    "conversion",
    "own_conversion",
    "product",
)
_TAG = resources.files("crossdock.simulators").joinpath("_sharpspring_tag.js").read_text("utf-8")
_GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
_GIF_HEADERS = {"Content-Type": "image/gif", "Cache-Control": "no-store"}
_SILENT = ("/tagjs", "/cs/", "/coo", "/favicon.ico")
"""Partner scripts, cookie matching and opt-out: answered, and nothing to be told of."""


class SharpSpringSwitches(Switches):
    """What may be changed about the SharpSpring Ads simulator while it runs."""

    site_id: str = "0123456789abcdef01234567"
    audiences: dict[str, int] = Field(default={"Product Viewed": 11, "Newsletter Subscribed": 12})
    """The account's audiences by the event's name."""
    conversions: dict[str, int] = Field(default={"Order Completed": 21})
    """The account's conversion goals by the event's name."""
    all_visitors: int = 1
    advertiser: int = 7
    never_loads: bool = False
    """The tag is not served: it is blocked, or the platform is gone."""
    slow_load_ms: NonNegativeInt = Field(default=0)
    """The tag takes so long to become active."""


class SharpSpringAdsSimulator(Simulator):
    """``GET /serve/<siteId>.js``, the pixels, and ``POST /commands``."""

    vendor: ClassVar[str] = "sharpspring_ads"
    kinds: ClassVar[tuple[str, ...]] = KINDS
    paths: ClassVar[tuple[str, ...]] = ("/commands",)
    switches_type: ClassVar[type[Switches]] = SharpSpringSwitches
    holds_repeats: ClassVar[bool] = True
    switches: SharpSpringSwitches

    def judge(self, path: str, headers: Mapping[str, str], body: bytes) -> Verdict:  # noqa: ARG002
        """Read ``{"commands": [{"cmd": […]}, …]}`` strictly: one bad command, and all are refused."""
        try:
            commands = [entry["cmd"] for entry in orjson.loads(body)["commands"]]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return Verdict(400, b"not commands", violation="not commands")
        for command in commands:
            fault = fault_of(command)
            if fault is not None:
                return Verdict(400, fault.encode(), violation=fault)
            if command[1] in self.switches.refuse:
                return Verdict(400, b"refused by a switch")
        events = (
            Event(command[0], orjson.dumps(command[1:]).decode(), {"cmd": command}) for command in commands
        )
        return Verdict(204, events=tuple(events))

    def _verdict(self, request: web.Request, body: bytes) -> Verdict:
        if request.method != "GET":
            return super()._verdict(request, body)
        if self.switches.next_statuses:
            return self.scripted(self.switches.next_statuses.pop(0))
        if request.path.startswith("/serve/"):
            return self.tag(request.path.removeprefix("/serve/").removesuffix(".js"))
        return self.pixel(request.path, request.query)

    def tag(self, site_id: str) -> Verdict:
        """Serve the account's tag; it was generated with the names the account knows."""
        if self.switches.never_loads:
            return Verdict(404)
        if site_id != self.switches.site_id:
            return Verdict(404, violation=f"no account {site_id[:40]!r}")
        known = self._known()
        settings = {
            "pixels": self.url,
            **known,
            "all_visitors": self.switches.all_visitors,
            "advertiser": self.switches.advertiser,
            "slow_load_ms": self.switches.slow_load_ms,
        }
        script = _TAG.replace("/*settings*/ {}", orjson.dumps(settings).decode())
        headers = {"Content-Type": "text/javascript; charset=utf-8", "Cache-Control": "max-age=1800"}
        return Verdict(200, script.encode(), headers)

    def _known(self) -> dict[str, dict[str, int]]:
        hidden = set(self.switches.refuse)
        named = {"audiences": self.switches.audiences, "conversions": self.switches.conversions}
        return {
            kind: {name: number for name, number in names.items() if name not in hidden}
            for kind, names in named.items()
        }

    def pixel(self, path: str, query: Mapping[str, str]) -> Verdict:
        """Record a pixel; the answer is always the same image."""
        if path in _SILENT:
            return Verdict(200, _GIF, _GIF_HEADERS)
        read = {"/seg": self._audience, "/seg/": self._own_audience, "/px": _conversion, "/px/": _conversion}
        if path not in read:
            return Verdict(404, violation=f"GET {path}: no such path")
        told = dict(query)
        found = read[path](told, own=path.endswith("/"))
        if isinstance(found, str):
            return Verdict(200, _GIF, _GIF_HEADERS, violation=f"GET {path}: {found}")
        if found.kind.endswith("conversion") and told["id"] not in map(
            str, self.switches.conversions.values()
        ):
            return Verdict(200, _GIF, _GIF_HEADERS, violation=f"no conversion {told['id']}")
        return Verdict(200, _GIF, _GIF_HEADERS, events=(found,))

    def _audience(self, told: dict[str, str], *, own: bool) -> Event | str:
        segment = told.get("add", "").partition(":")[0]
        if segment not in map(str, self.switches.audiences.values()):
            return f"no audience {segment[:40]!r}"
        if not own and told.get("t") != "2":
            return "t is not 2"
        return Event("own_audience" if own else "audience", told["add"], told)

    def _own_audience(self, told: dict[str, str], *, own: bool) -> Event | str:
        if "source" not in told or told.get("a_id") != str(self.switches.advertiser):
            return "not of this account's tag"
        segment, _, product = told.get("add", "").partition(":")
        if product and segment == str(self.switches.all_visitors):
            return Event("product", product, told)
        return self._audience(told, own=own)


def _conversion(told: dict[str, str], *, own: bool) -> Event | str:
    if not told.get("id") or not re.fullmatch(r"[A-Za-z0-9]{16}", told.get("other", "")):
        return "id or other is missing"
    if "@" in told.get("order_id", ""):
        return "order_id holds an @"
    if "value" in told and not re.fullmatch(r"\d+(\.\d+)?(e[+-]?\d+)?", told["value"]):
        return "value is no amount"
    key = "/".join(told.get(name, "") for name in ("id", "order_id", "value"))
    return Event("own_conversion" if own else "conversion", key, told)


SIMULATOR = SharpSpringAdsSimulator
