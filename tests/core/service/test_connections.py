"""Connections that do nothing, through a real listener on loopback."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn

from cellspan.core.service import connections
from cellspan.core.service.connections import BoundedProtocol

from .fakes import LONG, until

pytestmark = pytest.mark.quick
Connect = Callable[[], socket.socket]
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def gate() -> threading.Event:
    """Until it opens, /slow is not answered."""
    return threading.Event()


@pytest.fixture
def begun() -> threading.Event:
    """/slow was asked for."""
    return threading.Event()


@pytest.fixture
def connect(gate: threading.Event, begun: threading.Event, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """A new connection to a server that has room for two."""
    monkeypatch.setattr(connections, "MOST", 2)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while scope["path"] == "/slow" and not gate.is_set():
            begun.set()
            await asyncio.sleep(0.005)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    config = uvicorn.Config(app, http=BoundedProtocol, ws="none", lifespan="off", log_config=None)
    server, listener = uvicorn.Server(config), socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    until(lambda: server.started)
    made: list[socket.socket] = []

    def connected() -> socket.socket:
        made.append(socket.create_connection(listener.getsockname(), timeout=LONG))
        return made[-1]

    yield connected
    gate.set()
    for connection in made:
        connection.close()
    server.should_exit = True
    thread.join(LONG)
    listener.close()
    assert not BoundedProtocol.idle


def is_ended(connection: socket.socket) -> bool:
    """Whether the server ends the connection; waits until it says something."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def answer(connection: socket.socket, request: bytes = REQUEST) -> bytes:
    connection.sendall(request)
    return received(connection)


def received(connection: socket.socket) -> bytes:
    """An answer, or what came of it."""
    content = b""
    while not content.endswith(b"ok"):
        part = connection.recv(1000)
        if not part:
            break
        content += part
    return content


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers have half a second."""
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.5)


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost:"])
def test_a_connection_without_a_whole_request_is_ended(short: None, connect: Connect, sent: bytes) -> None:
    connection, began = connect(), time.monotonic()
    connection.sendall(sent)
    assert is_ended(connection)
    assert time.monotonic() - began < 10


def test_headers_that_come_drop_by_drop_have_no_longer_time(short: None, connect: Connect) -> None:
    connection, began = connect(), time.monotonic()
    connection.settimeout(0.02)
    for byte in REQUEST[:-2] * 100:
        try:
            connection.sendall(bytes([byte]))
            if is_ended(connection):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    assert time.monotonic() - began < 10


def test_a_connection_is_kept_between_requests(short: None, connect: Connect) -> None:
    connection = connect()
    for _ in range(3):
        assert answer(connection).endswith(b"ok")
    time.sleep(0.7)  # longer than headers may take
    assert answer(connection).endswith(b"ok")


def test_of_too_many_the_one_that_was_idle_longest_goes(connect: Connect) -> None:
    first, second = connect(), connect()
    assert answer(first).endswith(b"ok")
    assert answer(second).endswith(b"ok")
    assert answer(first).endswith(b"ok")  # so that the second one is idle longer
    third = connect()
    assert answer(third).endswith(b"ok")
    assert is_ended(second)
    assert answer(first).endswith(b"ok")


def test_one_that_waits_for_its_answer_never_goes(
    connect: Connect, gate: threading.Event, begun: threading.Event
) -> None:
    waits = connect()
    waits.sendall(REQUEST.replace(b"GET /", b"GET /slow"))
    until(begun.is_set)
    for _ in range(4):
        assert answer(connect()).endswith(b"ok")
    gate.set()
    assert received(waits).endswith(b"ok")
