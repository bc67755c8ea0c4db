"""The engine's process: claims its folder, listens, stops when idle, and loses no work."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import ipaddress
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from cellspan.core.errors import CellspanError
from cellspan.core.service.claim import Claim, claim_place, installation
from cellspan.core.service.client import LOG

if TYPE_CHECKING:
    import uvicorn

    from cellspan.core.service.engine import Engine

TICK = 0.5  # seconds between checks of leases, idleness and the program on disk
FINISH_SECONDS = 20.0  # for running jobs when the engine is asked to stop
FETCH_SECONDS = 10.0  # for clients to fetch finished results
END_SECONDS = 30.0  # for threads to leave native code
OUTDATED_IDLE_SECONDS = 60.0  # without requests, for an engine whose program was replaced
FRESH = 1.0  # seconds until the program on disk is checked again

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServeOptions:
    """The options of an engine."""

    host: str = "127.0.0.1"
    port: int = 0  # 0 = any free one
    idle_minutes: float = 15.0
    max_upload: int = 2 << 30  # bytes
    allow_remote: bool = False
    certificate: Path | None = None  # for TLS, with its key
    key: Path | None = None
    metrics: bool = False

    def check(self) -> list[str]:
        """Refuse unsafe options with CellspanError; returns warnings."""
        if (self.certificate is None) != (self.key is None):
            raise CellspanError("TLS needs both files: --tls-certificate and --tls-key.")
        if self.is_local:
            return []
        if not self.allow_remote:
            raise CellspanError(
                f"--host {self.host} lets other computers use this engine; add --allow-remote if you want this."
            )
        if self.certificate is None:
            return [
                f"Images and the token are sent to {self.host} without encryption; give --tls-certificate and "
                "--tls-key to encrypt them."
            ]
        return []

    @property
    def is_local(self) -> bool:
        """Whether only this computer can reach the engine."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:  # a name
            return False


def serve_forever(options: ServeOptions) -> bool:
    """Serve until stopped or idle; False at once if this program already has an engine. Raises CellspanError."""
    warnings = options.check()
    # Claimed before heavy imports, so that a surplus process ends quickly.
    claim = claim_place()
    if claim is None:
        return False
    try:
        from cellspan.core.service.logs import start_log

        start_log(claim.folder / LOG)
        for warning in warnings:
            log.warning(warning)
        _Service(claim, options).run()
    finally:
        claim.give_up()
    return True


class _Service:
    """An engine with its listeners, watched by the main thread."""

    def __init__(self, claim: Claim, options: ServeOptions) -> None:
        from cellspan.core.service.connections import raise_file_limit
        from cellspan.core.service.engine import Engine

        raise_file_limit()
        faulthandler.enable()  # logs where native code crashes
        self._claim, self._options = claim, options
        self._installation, self._looked = installation(), time.monotonic()
        self._engine: Engine = Engine(max_upload=options.max_upload, marks=claim.marks)
        self._asked_to_stop = threading.Event()
        self._impatient = threading.Event()  # asked twice

    def run(self) -> None:
        """Run from the first listener to the last thread."""
        listener = _listen(self._options.host, self._options.port)
        # uvicorn would ask for TLS at the path as well.
        by_path = _listen_at(self._claim.socket_path()) if self._options.certificate is None else None
        token = secrets.token_urlsafe(32)
        server = self._server(token)
        sockets = [listener, *([by_path[1]] if by_path else [])]
        thread = threading.Thread(target=server.run, args=(sockets,), name="http")
        with self._signals():
            thread.start()
            self._announce(listener, token, by_path[0] if by_path else None)
            # Load everything now, because the program on disk may be replaced later.
            importlib.import_module("cellspan.core.volumes.pipeline")
            try:
                self._watch(thread)
                self._finish()
            finally:
                server.should_exit = True
                thread.join(END_SECONDS)
                if by_path:
                    by_path[0].unlink(missing_ok=True)
        ended = self._engine.join(END_SECONDS)
        log.info("stopped")
        if not ended or thread.is_alive():
            # Python would wait forever for a thread in native code, or abort.
            logging.shutdown()
            os._exit(0)

    def _server(self, token: str) -> uvicorn.Server:
        import uvicorn

        from cellspan.core.service.app import make_app
        from cellspan.core.service.connections import BoundedProtocol
        from cellspan.core.service.guard import LOOPBACK
        from cellspan.core.service.routes import Context

        context = Context(self._engine, token, self._asked_to_stop.set, self._replaced, self._options.metrics)
        app = make_app(context, (*LOOPBACK, self._options.host) if self._options.is_local else None)
        files: dict[str, Any] = {}
        if self._options.certificate is not None:
            files = {"ssl_certfile": self._options.certificate, "ssl_keyfile": self._options.key}
        config = uvicorn.Config(
            app,
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=120,
            timeout_graceful_shutdown=2,
            **files,
        )
        try:
            config.load()
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise CellspanError(f"{self._options.certificate}: the TLS files cannot be used ({error}).") from None
        return uvicorn.Server(config)

    def _announce(self, listener: socket.socket, token: str, path: Path | None) -> None:
        host, port = self._options.host, listener.getsockname()[1]
        reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        scheme = "http" if self._options.certificate is None else "https"
        address = f"{scheme}://{f'[{reached}]' if ':' in reached else reached}:{port}"
        certificate = None if self._options.certificate is None else str(self._options.certificate.absolute())
        self._claim.announce(
            address=address, token=token, socket=None if path is None else str(path), certificate=certificate
        )
        log.info("cellspan engine %s at %s", version("cellspan"), address)

    def _watch(self, thread: threading.Thread) -> None:
        """Wait until the engine is asked to stop or is idle."""
        idle = self._options.idle_minutes * 60
        while not self._asked_to_stop.wait(min(TICK, idle / 4)):
            self._engine.drop_expired()
            if self._replaced():
                idle = OUTDATED_IDLE_SECONDS
            quiet = time.monotonic() - self._engine.last_activity
            if quiet > idle and not self._engine.wanted:
                log.info("idle for %.0f s", quiet)
                return
            if not thread.is_alive():
                raise CellspanError("The engine's listener stopped; see its log.")

    def _finish(self) -> None:
        """Stop: accept no clients, finish or return running jobs, and let clients fetch finished results."""
        self._engine.stop()
        self._claim.give_up()
        self._until(lambda: not self._engine.busy, FINISH_SECONDS)
        self._engine.hand_back()
        self._until(lambda: not self._engine.wanted, FETCH_SECONDS)

    def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end and not self._impatient.is_set():
            self._engine.drop_expired()
            time.sleep(0.05)

    def _replaced(self) -> bool:
        """Release the claim for the next engine if the program on disk was replaced; returns whether it was."""
        if not self._engine.outdated and time.monotonic() - self._looked > FRESH:
            self._looked = time.monotonic()
            if installation() != self._installation:
                log.info("the program was replaced; new clients get an engine of their own")
                self._engine.outdated = True
                self._claim.give_up()
        return self._engine.outdated

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Stop on Ctrl-C and SIGTERM; the second signal does not wait."""

        def stop(number: int, frame: FrameType | None) -> None:
            if self._asked_to_stop.is_set():
                self._impatient.set()
            self._asked_to_stop.set()

        numbers = [signal.SIGINT, signal.SIGTERM]
        if sys.platform == "win32":
            numbers.append(signal.SIGBREAK)
        before = {number: signal.signal(number, stop) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket: clients that find service.json can connect at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sends responses at once (TCP_NODELAY); otherwise each takes 40 ms longer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name == "posix":  # on Windows the option would let another program take the port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise CellspanError(
            f"The address {host}:{port} cannot be used ({error.strerror}); choose another --port."
        ) from None
    listener.listen(128)
    return listener


def _listen_at(path: Path | None) -> tuple[Path, socket.socket] | None:
    """A socket in the engine's own folder, which other users cannot reach; None where that is not possible."""
    if path is None:
        return None
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        path.chmod(0o600)
    except OSError:  # some network file systems have no sockets; the other listener is there
        listener.close()
        return None
    listener.listen(128)
    return path, listener
