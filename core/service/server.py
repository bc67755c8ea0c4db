"""The service process: one per user and machine (a lock decides), announced in service.json, gone when idle."""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from cellspan.core.errors import CellspanError
from cellspan.core.service.client import runtime_folder, service_file

if TYPE_CHECKING:
    import uvicorn

    from cellspan.core.service.jobs import Jobs


def serve_forever(host: str, port: int, idle_minutes: float) -> bool:
    """Serve until stopped or idle; False at once if another service of this user runs on this machine."""
    folder = runtime_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CellspanError(
            f"{folder}: the engine cannot write there ({error.strerror}); set CELLSPAN_RUNTIME_DIR to another folder."
        ) from None
    lock = FileLock(folder / "service.lock")
    try:
        # Taken before anything heavy is imported, so that a surplus process is gone in a moment.
        lock.acquire(timeout=0)
    except Timeout:
        return False
    with lock:
        _serve(host, port, idle_minutes)
    return True


def _serve(host: str, port: int, idle_minutes: float) -> None:
    import uvicorn

    from cellspan.core.service.app import make_app
    from cellspan.core.service.jobs import Jobs

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    listener = _listen(host, port)
    token, jobs = secrets.token_urlsafe(32), Jobs()
    server: uvicorn.Server

    def stop() -> None:
        server.should_exit = True

    config = uvicorn.Config(make_app(jobs, token, stop), log_level="warning", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    idle = threading.Thread(target=_stop_when_idle, args=(server, jobs, idle_minutes * 60), daemon=True)
    idle.start()
    address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    _announce({"address": address, "token": token, "pid": os.getpid(), "version": version("cellspan")})
    logging.info("cellspan engine %s at %s", version("cellspan"), address)
    try:
        server.run(sockets=[listener])
    finally:
        service_file().unlink(missing_ok=True)
        logging.info("stopped")


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket: clients that find service.json can connect at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
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


def _announce(service: dict[str, object]) -> None:
    """Write service.json readable by this user only; the rename makes it appear whole."""
    part: Path = service_file().with_suffix(".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(service, file)
    os.replace(part, service_file())


def _stop_when_idle(server: uvicorn.Server, jobs: Jobs, seconds: float) -> None:
    while jobs.busy or time.monotonic() - jobs.last_activity < seconds:
        time.sleep(min(1.0, seconds / 4))
    logging.info("idle for %.0f s", seconds)
    server.should_exit = True
