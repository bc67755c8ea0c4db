"""Model folders of one's own, checkpoints as Cellpose saves them, and a file server that can misbehave."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

WIDTHS = (2, 4, 8)  # small, so that tests are fast; the names are those of the official ones
SaveCheckpoint = Callable[..., Path]


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of user's models of one's own."""
    folder = tmp_path / "user models"
    for module in ("registry", "importing"):
        monkeypatch.setattr(f"cellspan.core.models.{module}.user_models", lambda: folder)
    return folder


@pytest.fixture(autouse=True)
def cellpose_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which Cellpose keeps its models; not there yet."""
    folder = tmp_path / "dot cellpose" / "models"
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(folder))
    return folder


@pytest.fixture
def save_checkpoint() -> SaveCheckpoint:
    """save_checkpoint(path) writes a file as Cellpose does, with random weights."""
    torch = pytest.importorskip("torch")
    from cellspan.core.models.network import FlowNetwork

    def save(
        path: Path, widths: tuple[int, ...] = WIDTHS, diameter: float = 28.0, seed: int = 0, outputs: int = 3
    ) -> Path:
        torch.manual_seed(seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(FlowNetwork(widths, diameter=diameter, outputs=outputs).state_dict(), path)
        return path

    return save


@pytest.fixture
def save_sizes() -> Callable[..., Path]:
    """save_sizes(path) writes a size model as Cellpose does."""

    def save(path: Path, style_length: int = WIDTHS[-1], diameter: float = 30.0) -> Path:
        rng = np.random.default_rng(0)
        content = {"A": rng.normal(size=style_length), "smean": rng.random(style_length), "ymean": 0.1}
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, {**content, "diam_mean": diameter}, allow_pickle=True)
        return path

    return save


@dataclass
class FileServer:
    """What a server on loopback serves, how it misbehaves, and what it was asked for."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    failures: list[int] = field(default_factory=list)  # status codes of the next answers
    cuts: list[int] = field(default_factory=list)  # the next answers end after so many bytes
    ranges: bool = True  # whether parts can be had
    tags: bool = True  # whether versions of a file can be told apart
    asked: list[tuple[str, str | None]] = field(default_factory=list)  # file, Range


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A real HTTP server."""
    state = FileServer()
    web = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"state": state}))
    state.url = f"http://127.0.0.1:{web.server_address[1]}/models"
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    thread = threading.Thread(target=web.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield state
    web.shutdown()
    web.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: FileServer

    def do_GET(self) -> None:
        name, wanted = self.path.rpartition("/")[2], self.headers["Range"]
        self.state.asked.append((name, wanted))
        content = self.state.files.get(name)
        status = self.state.failures.pop(0) if self.state.failures else 200 if content is not None else 404
        if status != 200 or content is None:
            self.send_error(status)
            return
        tag = f'"{hashlib.sha256(content).hexdigest()}"'
        start = 0
        if wanted and self.state.ranges and self.headers["If-Range"] in (None, tag):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content) > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.state.tags:
            self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if self.state.cuts:
            self.wfile.write(content[start : start + self.state.cuts.pop(0)])
            self.close_connection = True
            return
        self.wfile.write(content[start:])

    def log_message(self, *arguments: object) -> None:
        """Nothing on the terminal."""
