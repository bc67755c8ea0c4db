"""Limits the number and lifetime of idle connections, so that they do not block active ones."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 512  # connections at once; beyond this, the longest idle one is closed
HEADER_SECONDS = 15.0  # from the first byte of a request, or from the connection, to the end of its headers


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol, which by itself waits for ever for the headers of a request.

    It has its own limit for connections that are kept between requests (timeout_keep_alive).
    """

    idle: dict[BoundedProtocol, None] = {}  # noqa: RUF012 - shared by all, oldest first
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A client has connected."""
        super().connection_made(transport)
        self._expect_headers()
        if len(self.connections) > MOST:
            for oldest in self.idle:
                if oldest is not self:
                    oldest._end()
                    break

    def data_received(self, data: bytes) -> None:
        """Part of a request has arrived."""
        super().data_received(data)
        if self._in_request():
            self._forget()
        else:
            self._expect_headers()

    def on_response_complete(self) -> None:
        """The connection is kept for the next request."""
        super().on_response_complete()
        if not self._in_request():
            self.idle.setdefault(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has disconnected."""
        self._forget()
        super().connection_lost(exc)

    def _in_request(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_headers(self) -> None:
        self.idle.setdefault(self)
        if self._timer is None:
            self._timer = self.loop.call_later(HEADER_SECONDS, self._end)

    def _forget(self) -> None:
        self.idle.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        self._forget()
        if self.transport is not None and not self.transport.is_closing():
            self.transport.abort()


def raise_file_limit() -> None:
    """Raise the limit of open files to the maximum; each connection and each large result needs one."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
