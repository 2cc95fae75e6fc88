"""One destination looked at from outside: address, TLS, clock, and the vendor's own harmless calls."""

from __future__ import annotations

import asyncio
import ssl
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from crossdock.cli import terminal
from crossdock.cli.doctor.finding import Section
from crossdock.cli.masked import masked
from crossdock.delivery.plan import Route
from crossdock.delivery.sender import NoAnswer, Sender
from crossdock.destinations.base import Checkup, Destination, Request, Response

CONNECT_SECONDS: Final = 5.0
SKEW_SECONDS: Final = 30.0
"""A clock that is wrong by more dates events wrongly: their times are corrected by ours."""
_EXPIRES_SOON: Final = timedelta(days=14)


async def look(route: Route, sender: Sender) -> Section:
    """Look at one destination; nothing is sent that a vendor would count."""
    vendor = route.vendor
    section = Section(route.name)
    asked = vendor.checkups()
    address = asked[0].request.url if asked else getattr(vendor, "base_url", None)
    if vendor.caution:
        section.add("caution", "warning", vendor.caution)
    if address is not None and (asked or vendor.transport == "http") and await _connect(section, address):
        answers = [(one, await _ask(sender, one.request, route.timeout)) for one in asked]
        heard = [answer for _, answer in answers] or [
            await _ask(sender, Request("GET", address, b""), route.timeout)
        ]
        _clock(section, heard)
        for one, answer in answers:
            _check(section, vendor, one, answer)
    for what in vendor.unchecked:
        name, _, why = what.partition(": ")
        section.add(name, "unchecked", why)
    return section


async def _connect(section: Section, address: str) -> bool:
    """Open a connection to the host, TLS and all, without a request."""
    url = urlsplit(address)
    host, secure = url.hostname or "", url.scheme == "https"
    port = url.port or (443 if secure else 80)
    began = time.monotonic()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(
                host, port, ssl=ssl.create_default_context() if secure else None
            )
    except TimeoutError:
        section.add("connection", "failed", f"{host}:{port}: no connection within {CONNECT_SECONDS:g} s")
        return False
    except (OSError, ssl.SSLError) as error:
        said = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or str(error)
        section.add("connection", "failed", f"{host}:{port}: {said}")
        return False
    took = (time.monotonic() - began) * 1000
    session: Any = writer.get_extra_info("ssl_object")
    writer.close()
    if session is not None:
        _tls(section, f"{host}:{port}", session, took)
    else:
        open_ = not _is_local(host)
        says = f"{host}:{port}, {took:.0f} ms, not encrypted"
        section.add("connection", "warning" if open_ else "ok", says)
    return True


def _tls(section: Section, where: str, session: Any, took: float) -> None:
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(session.getpeercert()["notAfter"]), UTC)
    soon = until - datetime.now(UTC) < _EXPIRES_SOON
    says = f"{where}, {session.version()}, certificate until {until:%Y-%m-%d}, {took:.0f} ms"
    section.add("connection", "warning" if soon else "ok", says)


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_private
    except ValueError:
        return host == "localhost"


async def _ask(sender: Sender, request: Request, patience: timedelta) -> Response | NoAnswer:
    return await sender.send(request, patience)


def _clock(section: Section, heard: list[Response | NoAnswer]) -> None:
    """Hold our clock against the Date of an answer, which is whole seconds."""
    stamps = [answer.headers.get("date") for answer in heard if isinstance(answer, Response)]
    try:
        theirs = parsedate_to_datetime(next(stamp for stamp in stamps if stamp))
    except (StopIteration, ValueError):
        section.add("clock", "unchecked", "the vendor's answers carry no readable Date")
        return
    ahead = (datetime.now(UTC) - theirs).total_seconds() - 0.5
    if abs(ahead) < SKEW_SECONDS:
        section.add("clock", "ok", f"within {max(1, round(abs(ahead)))} s of the vendor's")
        return
    by = terminal.span(abs(ahead))
    says = f"{by} {'ahead of' if ahead > 0 else 'behind'} the vendor's; set this machine's clock by NTP"
    section.add("clock", "failed", says)


def _check(section: Section, vendor: Destination, one: Checkup, answer: Response | NoAnswer) -> None:
    if isinstance(answer, NoAnswer):
        section.add(one.what, "failed", answer.reason)
        return
    found = one.read(answer)
    state = {True: "ok", False: "failed", None: "unchecked"}[found.passed]
    section.add(one.what, state, masked(vendor, found.says))  # type: ignore[arg-type]
