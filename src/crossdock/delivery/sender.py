"""The only outbound HTTP: a request in, a response or the transport's fault out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import aiohttp

from crossdock.destinations.base import Request, Response

MAX_ANSWER_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The vendor could not be reached, or did not answer in time."""

    reason: str


class Sender:
    """One connection pool for all destinations."""

    def __init__(self) -> None:
        # Lanes are the only concurrency: the pool needs no limit of its own. Cookies of a vendor's load
        # balancer must not tie one account's requests to another's.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "crossdock", "Accept": "application/json"},
        )

    async def send(self, request: Request, patience: timedelta) -> Response | NoAnswer:
        """Send one request and read its answer, up to 1 MiB of it."""
        try:
            async with self._session.request(
                request.method,
                request.url,
                data=request.body,
                headers=dict(request.headers),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=patience.total_seconds()),
            ) as answer:
                body = await _read(answer)
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return Response(answer.status, body, headers)
        except TimeoutError:
            return NoAnswer(f"no answer within {patience.total_seconds():g} s")
        except (aiohttp.ClientError, OSError) as error:
            return NoAnswer(f"{type(error).__name__}: {_reason(error)}")

    async def close(self) -> None:
        """Close the pool."""
        await self._session.close()


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    try:
        while len(body) < MAX_ANSWER_BYTES and (piece := await answer.content.readany()):
            body += piece
    except (TimeoutError, aiohttp.ClientError, OSError):
        if not 200 <= answer.status < 300:
            raise
        # Taken is taken, however its words break off: sent again, the vendor might store it twice.
    return bytes(body[:MAX_ANSWER_BYTES])


def _reason(error: Exception) -> str:
    # A client error's text can hold the URL, and a URL can hold a key (Segmentify); name the cause alone.
    cause = getattr(error, "os_error", None) or error.__cause__
    return str(cause) if isinstance(cause, OSError) else "connection failed"
