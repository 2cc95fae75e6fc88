"""Where a request really came from, when proxies stand before us."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import web

Networks = Sequence[IPv4Network | IPv6Network]


def client_ipv4(request: web.Request, trusted: Networks) -> str | None:
    """
    Give the sender's address where it is IPv4, which is all Segment fills in.

    ``X-Forwarded-For`` is believed only from a trusted proxy, and then its right-most address that is not
    one: everything left of that the sender could have written.
    """
    if not trusted:
        return _ipv4_text(request.remote)
    address = _address(request.remote)
    if is_trusted(address, trusted):
        forwarded = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
        for part in reversed(forwarded):
            earlier = _address(part.strip())
            if earlier is None:
                break
            address = earlier
            if not is_trusted(earlier, trusted):
                break
    return str(address) if isinstance(address, IPv4Address) else None


def is_trusted(address: IPv4Address | IPv6Address | None, trusted: Networks) -> bool:
    """Tell whether an address is one of the trusted proxies."""
    return address is not None and any(address in network for network in trusted)


def public_base(request: web.Request, trusted: Networks) -> tuple[str, str]:
    """Give the scheme and host by which the sender reached us, believing a trusted proxy's word."""
    scheme, host = request.scheme, request.host
    if trusted and is_trusted(_address(request.remote), trusted):
        said = request.headers.get("X-Forwarded-Proto", "").split(",")[0].strip().lower()
        scheme = said if said in ("http", "https") else scheme
        host = request.headers.get("X-Forwarded-Host", "").split(",")[0].strip() or host
    return scheme, host


@lru_cache(4096)
def _ipv4_text(text: str | None) -> str | None:
    address = _address(text)
    return str(address) if isinstance(address, IPv4Address) else None


def _address(text: str | None) -> IPv4Address | IPv6Address | None:
    if not text:
        return None
    if text.startswith("["):  # [::1]:1234
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:  # 192.0.2.1:1234
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
