"""
The success answer, written as bytes made once.

Building, preparing and writing a response of its own costs aiohttp about as much as the door needs to
validate an event, and this one is always the same. One instance serves every request that keeps its
connection open; all other answers go the usual way.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from time import time

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import SERVER_SOFTWARE


class PromptAnswer(web.StreamResponse):
    """A fixed 200 answer to a request over HTTP/1.1 that keeps its connection open."""

    def __init__(self, body: bytes, headers: Mapping[str, str]) -> None:
        super().__init__()
        self._fixed = body
        self._fixed_headers = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._at = lru_cache(2)(self._written_at)

    @property
    def keep_alive(self) -> bool:
        """The connection stays open; others are answered the usual way."""
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write the whole answer."""
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the sender went away before its answer")
        transport.write(self._at(int(time())))
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to write."""

    def _written_at(self, second: int) -> bytes:
        head = (
            f"HTTP/1.1 200 OK\r\n{self._fixed_headers}Content-Length: {len(self._fixed)}\r\n"
            f"Date: {formatdate(second, usegmt=True)}\r\nServer: {SERVER_SOFTWARE}\r\n\r\n"
        )
        return head.encode() + self._fixed


def fits(request: web.BaseRequest) -> bool:
    """Tell whether a request may be answered promptly."""
    return request.keep_alive and request.version == (1, 1)
