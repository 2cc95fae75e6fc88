"""
What a user agent, or an app's operating system, is in Segmentify's words.

The words: https://segmentify.github.io/segmentify-dev-doc/integration_rest (read 2026-11-22); which agent
means which is ours. An iPad that asks for desktop pages looks like a Mac and counts as a PC.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

DEVICES = frozenset({"PC", "TABLET", "MOBILE", "ANDROID", "IOS"})
"""`IOS` and `ANDROID` mean native apps."""
BROWSERS = {
    name.lower(): name
    for name in (
        "Chrome",
        "Firefox",
        "Internet Explorer",
        "Microsoft Edge",
        "Safari",
        "Android",
        "Opera",
        "Maxthon",
        "iPhone",
        "iPad",
    )
}
"""The browsers by their names in lower case."""

_LONGEST = 1024
"""Real user agents stay below it."""
_SYSTEMS = {
    "windows": "Windows",
    "linux": "Linux",
    "ubuntu": "Linux",
    "debian": "Linux",
    "fedora": "Linux",
    "mac os x": "MacOS",
    "mac os": "MacOS",
    "macos": "MacOS",
    "os x": "MacOS",
    "macintosh": "MacOS",
    "mac": "MacOS",
    "android": "Android",
    "ios": "iOS",
    "ipados": "iOS",
    "iphone os": "iOS",
}
# Later ones also carry the names of earlier ones, so the order decides: Edge says Chrome, Chrome says Safari.
_BROWSERS = (
    ("Microsoft Edge", re.compile(r"Edge?(?:A|iOS)?/")),
    ("Opera", re.compile(r"OPR/|OPT/|Opera|OPiOS/")),
    ("Maxthon", re.compile(r"Maxthon|MXiOS|MxBrowser")),
    ("Internet Explorer", re.compile(r"MSIE |Trident/")),
    ("Firefox", re.compile(r"Firefox/|FxiOS/")),
    # A web view, or the browser that Android had before Chrome.
    ("Android", re.compile(r"Android.*(?:; wv\)|Version/[\d.]+ (?:Mobile )?Safari/)")),
    ("Chrome", re.compile(r"Chrome/|CriOS/|Chromium/|HeadlessChrome/")),
    ("Safari", re.compile(r"Safari/")),
    ("iPad", re.compile(r"iPad.*AppleWebKit")),
    ("iPhone", re.compile(r"iP(?:hone|od).*AppleWebKit")),
)
_TABLET = re.compile(r"iPad|Tablet|Kindle|Silk(?!.*Mobile)|PlayBook|Android(?!.*Mobile)")
_MOBILE = re.compile(r"iPhone|iPod|Mobile|Windows Phone|Opera Mini|BlackBerry")
_OS = (
    ("Other", re.compile(r"Windows Phone(?: OS)? ?([\d.]*)")),
    ("Windows", re.compile(r"Windows(?: NT)? ?([\d.]*)")),
    ("iOS", re.compile(r"(?:iPhone|iPad|iPod).*?OS ([\d_.]+)")),
    ("iOS", re.compile(r"iPhone|iPad|iPod")),
    ("Android", re.compile(r"Android ?([\d.]*)")),
    ("MacOS", re.compile(r"Mac OS X ?([\d_.]*)")),
    ("Linux", re.compile(r"Linux|X11")),
)


class Agent(NamedTuple):
    """What a user agent tells; ``None`` where it does not."""

    device: str | None = None
    browser: str | None = None
    os: str | None = None
    osversion: str | None = None


@lru_cache(maxsize=4096)
def read(user_agent: str) -> Agent:
    """Read a user agent; one without a word we know tells nothing."""
    given = user_agent[:_LONGEST]
    browser = next((name for name, pattern in _BROWSERS if pattern.search(given)), None)
    for name, pattern in _OS:
        if found := pattern.search(given):
            numbers = found[1] if found.re.groups else ""
            return Agent(_device(given), browser, name, version(numbers))
    return Agent(_device(given), browser)


def _device(given: str) -> str:
    if _TABLET.search(given):
        return "TABLET"
    return "MOBILE" if _MOBILE.search(given) else "PC"


def system(name: Any) -> str | None:
    """Give the vendor's name of an operating system; one it does not list is `Other`."""
    if name.__class__ is not str or not name.strip():
        return None
    word = name.strip().lower()
    return _SYSTEMS.get(word) or (
        "Windows" if word.startswith("windows") and "phone" not in word else "Other"
    )


def browser(name: Any) -> str | None:
    """Give a browser's name as the vendor writes it."""
    return BROWSERS.get(name.strip().lower()) if name.__class__ is str else None


def version(value: Any) -> str | None:
    """Give a version with dots: ``17_2`` is 17.2."""
    if value.__class__ in (int, float):
        return str(value)
    return value.strip().replace("_", ".") or None if value.__class__ is str else None
