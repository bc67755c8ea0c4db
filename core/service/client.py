"""The client of the engine: finds the running service or starts it, sends images, fetches labels.

This file also runs inside CellProfiler, so it needs the standard library and numpy only, and Python 3.8. numpy waits
until there are arrays: ImageJ's command, which needs none, starts 0.07 s earlier.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, Mapping, Sequence, TypeVar
from urllib.parse import urlencode, urlsplit

if TYPE_CHECKING:
    import numpy as np

START_SECONDS = 120.0  # a first start on a slow disk
WAIT_SECONDS = 10.0  # of one long poll
HEALTH_SECONDS = 5.0  # for the question whether it is there at all
PATIENCE_SECONDS = 60.0  # without any answer, the service counts as dead
NPY = "application/x-npy"
MISSING = (
    "The cellspan engine was not found; install it with 'pip install cellspan', "
    "then run 'cellspan install cellprofiler --to PLUGIN_FOLDER' (or 'install fiji')."
)
OnProgress = Callable[[float, str], None]
Fetch = Callable[[], Dict[str, bytes]]
Taken = TypeVar("Taken")


class EngineError(Exception):
    """Something that the user has to know, in one sentence."""


class EngineMissing(EngineError):
    """The engine cannot be found or started."""


class _Lost(EngineError):
    """The service went away in the middle of a conversation."""


@dataclass(frozen=True)
class EngineResult:
    """What the engine found in one image."""

    npy: bytes  # the labels as a .npy file
    count: int  # of objects
    diameter: float  # pixels; given or estimated
    model: str
    model_sha256: str
    device: str
    seconds: float
    notes: list[str] = field(default_factory=list)
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)  # further results that were asked for, by their names

    @cached_property
    def labels(self) -> np.ndarray:
        """Label image, int32 (Y, X) or (Z, Y, X): 0 = background, 1..n."""
        return _from_npy(self.npy)


def runtime_folder() -> Path:
    """Where the service of this user on this machine leaves its address; CELLSPAN_RUNTIME_DIR moves it.

    A home folder may be shared by several machines, so each has a folder of its own.
    """
    if os.environ.get("CELLSPAN_RUNTIME_DIR"):
        return Path(os.environ["CELLSPAN_RUNTIME_DIR"])
    base = os.environ.get("LOCALAPPDATA") if os.name == "nt" else None
    return Path(base or Path.home() / ".cache") / "cellspan" / "run" / (platform.node() or "localhost")


def service_file() -> Path:
    """The file with the running service's address, token, pid and version."""
    return runtime_folder() / "service.json"


def log_file() -> Path:
    """Where the service writes what it has to say."""
    return runtime_folder() / "service.log"


class Engine:
    """The running service, or one that is started on first use."""

    def __init__(self, command: Sequence[str]) -> None:
        """`command` starts the service, for example ["cellspan", "serve"]."""
        self.command = list(command)

    def segment(
        self,
        pixels: np.ndarray,
        parameters: Mapping[str, Any],
        on_progress: OnProgress | None = None,
        also: Sequence[str] = (),
    ) -> EngineResult:
        """Find the objects in (Y, X), (C, Y, X) or (Y, X, 3) pixels; raises EngineError.

        `parameters` are those of `core.parameters`, and `device`; `also` names arrays to fetch into the result's
        `extra`: probability, flows, objects; they come while the caller goes on with the labels. A service that dies
        is started again once.
        """
        body, names = as_npy(pixels), dict.fromkeys(also, NPY)
        result, fetch = self._run(body, NPY, parameters, on_progress, names, lambda fetch: fetch)
        return replace(result, extra=_Extra(also, fetch, lambda: self.run(body, NPY, parameters, None, names)[1]))

    def run(
        self,
        body: bytes,
        content_type: str,
        parameters: Mapping[str, Any],
        on_progress: OnProgress | None = None,
        also: Mapping[str, str] | None = None,
    ) -> tuple[EngineResult, dict[str, bytes]]:
        """Send an encoded image (npy, TIFF or PNG); `also` names further results to fetch and their media types."""
        return self._run(body, content_type, parameters, on_progress, also or {}, lambda fetch: fetch())

    def _run(
        self,
        body: bytes,
        content_type: str,
        parameters: Mapping[str, Any],
        on_progress: OnProgress | None,
        also: Mapping[str, str],
        take: Callable[[Fetch], Taken],
    ) -> tuple[EngineResult, Taken]:
        """The labels, and what `take` makes of the function that fetches the further results."""
        key = uuid.uuid4().hex
        for attempt in (1, 2):
            service = self.connect(on_progress)
            try:
                result, fetch = self._converse(service, key, body, content_type, parameters, on_progress, also)
                return result, take(fetch)
            except _Lost as loss:
                if attempt == 2:
                    raise EngineError(
                        f"The cellspan engine stopped twice while it worked on this image ({loss}); "
                        f"its log is {log_file()}."
                    ) from None
        raise AssertionError("unreachable")

    def _converse(
        self,
        service: _Service,
        key: str,
        body: bytes,
        content_type: str,
        parameters: Mapping[str, Any],
        on_progress: OnProgress | None,
        also: Mapping[str, str],
    ) -> tuple[EngineResult, Callable[[], dict[str, bytes]]]:
        query = urlencode({name: _as_text(value) for name, value in parameters.items()})
        headers = {"Content-Type": content_type, "Idempotency-Key": key}
        job = service.json("POST", "/v1/jobs?" + query, body, headers)
        address = "/v1/jobs/" + job["id"]
        try:
            job = _wait(service, address, job, on_progress)
            if job["state"] == "cancelled":
                raise EngineError("The segmentation was cancelled.")
            if job["state"] == "failed":
                raise EngineError(job["message"])
            labels = service.content(address + "/labels", NPY)
        except _Lost:
            raise
        except BaseException:
            # The user pressed stop, or the job failed: let the engine work for others.
            service.forget(address)
            raise
        names = ("count", "diameter", "model", "model_sha256", "device", "seconds", "notes")
        result = EngineResult(npy=labels, **{name: job["result"][name] for name in names})
        return result, lambda: _fetch_and_forget(service, address, also)

    def _require_program(self) -> None:
        if not self.command or shutil.which(self.command[0]) is None:
            raise EngineMissing(MISSING)

    def connect(self, on_progress: OnProgress | None = None) -> _Service:
        """The running service; starts it if there is none, and says so through `on_progress`. Raises EngineMissing."""
        service = running_service()
        return service if service is not None else self._start(on_progress)

    def _start(self, on_progress: OnProgress | None) -> _Service:
        """Start the service and wait until it answers.

        Several clients may do this at once: the services settle by a lock which of them stays, the others end with
        exit code 0, and every client finds the one that stayed.
        """
        self._require_program()
        started = time.monotonic()
        child = self._spawn()
        while True:
            elapsed = time.monotonic() - started
            service = running_service()
            if service is not None:
                return service
            if elapsed > START_SECONDS:
                raise EngineMissing(
                    f"The cellspan engine did not start within {START_SECONDS:.0f} s; its log is {log_file()}."
                )
            code = child.poll()
            if code not in (None, 0):
                raise EngineMissing(f"The cellspan engine could not be started: {_last_line(log_file())}")
            if code == 0 and elapsed > 2:
                # Another service held the lock but is gone now, for example one that was just stopping.
                child = self._spawn()
            if on_progress is not None:
                on_progress(0.0, f"starting the cellspan engine ({elapsed:.0f} s)")
            time.sleep(0.1)

    def _spawn(self) -> subprocess.Popen:
        folder = runtime_folder()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            log = log_file().open("ab")
        except OSError as error:
            raise EngineMissing(
                f"{folder}: the engine cannot write there ({error.strerror}); "
                "set CELLSPAN_RUNTIME_DIR to another folder."
            ) from None
        # The settings of the host program's own Python, or of its frozen libraries, must not reach the engine's Python.
        foreign = {"PYTHONPATH", "PYTHONHOME", "LD_PRELOAD"}
        if getattr(sys, "frozen", False):
            foreign |= {"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FRAMEWORK_PATH"}
        environment = {name: value for name, value in os.environ.items() if name not in foreign}
        apart: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
        with log:
            return subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=str(folder),
                **apart,
            )


class _Extra(Mapping[str, "np.ndarray"]):
    """Further results by their names, fetched while the caller goes on with the labels."""

    def __init__(
        self,
        names: Sequence[str],
        fetch: Callable[[], dict[str, bytes]],
        again: Callable[[], dict[str, bytes]],
    ) -> None:
        """`again` is how to get them if the service is gone before `fetch` has them; the same image gives the same."""
        self._names, self._again = tuple(names), again
        self._content: dict[str, bytes] | None = None
        self._thread = threading.Thread(target=self._fetch, args=(fetch,), daemon=True)
        self._thread.start()

    def _fetch(self, fetch: Callable[[], dict[str, bytes]]) -> None:
        with contextlib.suppress(EngineError):
            self._content = fetch()

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise KeyError(name)
        self._thread.join()
        if self._content is None:
            self._content = self._again()
        return _from_npy(self._content[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _fetch_and_forget(service: _Service, address: str, also: Mapping[str, str]) -> dict[str, bytes]:
    """The further results of a job that is done; with that the service need not keep it."""
    try:
        return {name: service.content(address + "/" + name, kind) for name, kind in also.items()}
    finally:
        service.forget(address)


class _Service:
    """One running service: its address and its token."""

    def __init__(self, address: str, token: str) -> None:
        parts = urlsplit(address)
        self.host, self.port, self.token = parts.hostname or "127.0.0.1", parts.port or 80, token

    def content(self, path: str, accept: str) -> bytes:
        return self._request("GET", path, None, {"Accept": accept})

    def json(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._request(method, path, body, headers or {}))
        return answer

    def forget(self, path: str) -> None:
        """Cancel or delete a job; a service that is gone has forgotten it anyway."""
        with contextlib.suppress(EngineError):
            self._request("DELETE", path, None, {})

    def healthy(self) -> bool:
        try:
            answer = json.loads(self._request("GET", "/v1/health", None, {}, HEALTH_SECONDS))
            return bool(answer["status"] == "ok")
        except (EngineError, ValueError, KeyError):
            return False

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        patience: float = PATIENCE_SECONDS,
    ) -> bytes:
        # http.client, because urllib would send loopback requests through a proxy.
        connection = http.client.HTTPConnection(self.host, self.port, timeout=patience)
        try:
            connection.request(method, path, body, {"Authorization": "Bearer " + self.token, **headers})
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise _Lost(str(error) or type(error).__name__) from None
        finally:
            connection.close()
        if answer.status == 404 and path.startswith("/v1/jobs/"):
            raise _Lost("a new engine does not know the job")
        if answer.status >= 400:
            raise EngineError(_sentence(content, answer.status))
        return content


def running_service() -> _Service | None:
    """The service that answers at the recorded address, or None."""
    try:
        found = json.loads(service_file().read_text(encoding="utf-8"))
        service = _Service(found["address"], found["token"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return service if service.healthy() else None


def _wait(service: _Service, address: str, job: dict[str, Any], on_progress: OnProgress | None) -> dict[str, Any]:
    """Poll until the job ends; short polls where somebody watches the progress."""
    seconds = 0.5 if on_progress is not None else WAIT_SECONDS
    while job["state"] in ("queued", "running"):
        job = service.json("GET", f"{address}?wait={seconds}")
        if on_progress is not None:
            on_progress(job["progress"], job["message"])
    return job


def as_npy(pixels: np.ndarray) -> bytes:
    """An array as the bytes of a .npy file."""
    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(pixels), allow_pickle=False)
    return buffer.getvalue()


def _from_npy(content: bytes) -> np.ndarray:
    import numpy as np

    array: np.ndarray = np.load(io.BytesIO(content), allow_pickle=False)
    return array


def _as_text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, (tuple, list)):
        return ",".join(str(part) for part in value)
    return str(value)


def model_for_engine(name: str) -> str:
    """A model as the engine finds it, which runs in another folder: paths become absolute, names stay as they are.

    A bare name never means a folder that happens to be there, and `cellpose/NAME` is a name.
    """
    path = os.path.expanduser(name.strip())
    is_name = os.path.basename(path) == path or path.startswith("cellpose/")
    return path if is_name else os.path.abspath(path)


def _sentence(content: bytes, status: int) -> str:
    try:
        return str(json.loads(content)["error"])
    except (ValueError, KeyError, TypeError):
        return f"The cellspan engine answered with HTTP status {status}."


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else "it said nothing"
