"""The client of the engine: finds the running service or starts it, sends images, fetches labels.

This file also runs inside CellProfiler, so it uses only the standard library, numpy and Python 3.8. numpy is imported
only for arrays: ImageJ's command, which needs none, starts 0.07 s sooner.
"""

from __future__ import annotations

import contextlib
import hmac
import http.client
import io
import json
import os
import platform
import secrets
import shutil
import socket
import stat
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

START_SECONDS = 120.0  # for a first start on a slow disk
WAIT_SECONDS = 10.0  # of one long poll
HEALTH_SECONDS = 5.0  # timeout of the check whether it is running
RETURN_SECONDS = 15.0  # between two questions after a job, at most; the engine drops it if its client died
PATIENCE_SECONDS = 60.0  # without any answer, the service counts as frozen
LEASE_SECONDS = 90.0  # after which the engine may delete results that this client has not requested
KEPT_LEASE_SECONDS = 1800.0  # the same for results kept to try other thresholds
MOST_LOSSES = 10  # engines that may stop while an image waits
LONGEST_PAUSE = 4.0  # seconds between two starts of an engine
SERVICE, LOCK, LOG, MARKS = "service.json", "service.lock", "service.log", "running"  # in the engine's folder
CHALLENGE_PREFIX = "cellspan engine "
MASK_BYTES = "mask_bytes"  # in the query, because an engine without masks refuses what it does not know there
NPY = "application/x-npy"
MISSING = (
    "The cellspan engine was not found; install it with 'pip install cellspan', "
    "then run 'cellspan install cellprofiler --to PLUGIN_FOLDER' (or 'install fiji')."
)
FORGOTTEN = "The engine no longer has this image; segment it again."
SUMMARY = ("count", "diameter", "model", "model_sha256", "device", "seconds", "notes")
OnProgress = Callable[[float, str], None]
Fetch = Callable[[], Dict[str, bytes]]
Taken = TypeVar("Taken")


class EngineError(Exception):
    """An error for the user, as one sentence; `code` is one word for programs."""

    def __init__(self, sentence: str, code: str = "") -> None:
        """`code`: as in the engine's responses."""
        super().__init__(sentence)
        self.code = code


class EngineMissing(EngineError):
    """The engine cannot be found or started."""


class EngineForgot(EngineError):
    """The engine no longer has the outputs of this image, which has to be sent again."""


class _Lost(EngineError):
    """The service stopped during a request, or returns the job for the next service."""


class _TryLater(EngineError):
    """The service is full at the moment."""

    def __init__(self, sentence: str, code: str, seconds: float) -> None:
        super().__init__(sentence, code)
        self.seconds = seconds


@dataclass(frozen=True)
class EngineResult:
    """What the engine found in one image."""

    npy: bytes  # the labels as a .npy file
    count: int  # number of objects
    diameter: float  # pixels; given or estimated
    model: str  # its name
    model_sha256: str  # of its weights
    device: str  # that the network ran on
    seconds: float  # that it took
    notes: list[str] = field(default_factory=list)  # sentences for the user
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)  # further requested results, by name
    job: str | None = None  # for `Engine.again` to find the network's outputs, if they are kept

    @cached_property
    def labels(self) -> np.ndarray:
        """Label image, int32 (Y, X) or (Z, Y, X): 0 = background, 1..n."""
        return _from_npy(self.npy)


# ---- where the engine is


def runtime_folder() -> Path:
    """The folder with the addresses of this user's services on this computer; set CELLSPAN_RUNTIME_DIR to move it.

    Several computers may share a home folder, so each has its own folder.
    """
    if os.environ.get("CELLSPAN_RUNTIME_DIR"):
        return Path(os.environ["CELLSPAN_RUNTIME_DIR"])
    base = os.environ.get("LOCALAPPDATA") if os.name == "nt" else None
    try:
        home = Path(base) if base else Path.home() / ".cache"
    except RuntimeError:  # no home folder
        raise EngineMissing("This user has no home folder; set CELLSPAN_RUNTIME_DIR to a folder of yours.") from None
    return home / "cellspan" / "run" / (platform.node() or "localhost")


def service_file() -> Path:
    """The file with the first service's address, token, pid and version."""
    return runtime_folder() / SERVICE


def log_file() -> Path:
    """The log file of the service."""
    return runtime_folder() / LOG


def engine_environment() -> dict[str, str]:
    """The environment for the engine's programs, without the host program's own Python and frozen libraries."""
    foreign = {"PYTHONPATH", "PYTHONHOME", "LD_PRELOAD"}
    if getattr(sys, "frozen", False):
        foreign |= {"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FRAMEWORK_PATH"}
    return {name: value for name, value in os.environ.items() if name not in foreign}


def private_folder(folder: Path) -> None:
    """Make a folder that only this user can access, or check that it is one; raises EngineError."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise EngineError(
                f"{folder}: this is not a folder; delete it, or set CELLSPAN_RUNTIME_DIR to another folder."
            )
        if os.name == "posix":
            _require_own(folder, status)
            if status.st_mode & 0o077:
                folder.chmod(0o700)
    except OSError as error:
        raise EngineMissing(
            f"{folder}: the engine cannot write there ({error.strerror}); set CELLSPAN_RUNTIME_DIR to another folder."
        ) from None


def _require_own(path: Path, status: os.stat_result) -> None:
    if os.name == "posix" and status.st_uid != os.geteuid():
        raise EngineError(
            f"{path} belongs to another user, who could read your images; set CELLSPAN_RUNTIME_DIR to a folder "
            "of yours."
        )


def read_record(folder: Path) -> dict[str, Any] | None:
    """The record of the service of a folder, or None; raises EngineError if it belongs to another user."""
    path = folder / SERVICE
    try:
        folder_status = folder.lstat()
        descriptor = os.open(str(path), os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    with os.fdopen(descriptor, "rb", closefd=True) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return None
        _require_own(folder, folder_status)
        _require_own(path, status)
        if os.name == "posix" and (status.st_mode & 0o077 or folder_status.st_mode & 0o022):
            raise EngineError(f"{path}: other users can read or replace it; delete it and try again.")
        try:
            record = json.loads(file.read(1 << 16).decode("utf-8"))
        except (OSError, ValueError):
            return None
    return record if isinstance(record, dict) else None


def same_program(record: Mapping[str, Any], folders: Sequence[str]) -> bool:
    """Whether the service of this record was started from one of these folders of commands."""
    theirs = record.get("programs")
    return not isinstance(theirs, list) or not set(map(str, theirs)).isdisjoint(folders)


def _lock_is_held(folder: Path) -> bool:
    """Whether a process, even if starting, frozen or busy, holds the lock of the service in this folder."""
    try:
        descriptor = os.open(str(folder / LOCK), os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return False
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(descriptor)  # and with it the lock


@dataclass(frozen=True)
class Standing:
    """State of an engine: absent, starting, ready, busy (with jobs), stopping, or silent (running without answering).

    An engine whose program was replaced counts as absent for new clients.
    """

    state: str  # one of these
    service: Service | None = None  # if it answers
    record: Mapping[str, Any] = field(default_factory=dict)  # pid, version, started, ...

    @property
    def about(self) -> str:
        """The process and its start time."""
        return (
            f"process {self.record.get('pid', 'unknown')}, started {self.record.get('started', 'at an unknown time')}"
        )


def find_engine(command: Sequence[str] = ()) -> Standing:
    """The state of the engine of `command`, or of any engine; reads files and sends one request, but starts nothing."""
    program = shutil.which(command[0]) if command else None
    mine = [os.path.dirname(os.path.abspath(program))] if program else None
    top = runtime_folder()
    best = Standing("absent")
    for folder in [top, *sorted(path.parent for path in top.glob(f"*/{LOCK}"))]:
        record = read_record(folder)
        if record is not None and mine is not None and not same_program(record, mine):
            continue
        standing = _standing(folder, record)
        if standing.service is not None or best.state == "absent":
            best = standing
        if standing.service is not None:
            break
    return best


def _standing(folder: Path, record: Mapping[str, Any] | None) -> Standing:
    service = Service.of(record)
    if service is None:
        return Standing("starting" if _lock_is_held(folder) else "absent", None, record or {})
    assert record is not None
    try:
        health = service.health()
    except _Lost as loss:
        # A process that holds the lock is running, whether it answers or not.
        return Standing("silent" if _lock_is_held(folder) and loss.code != "impostor" else "absent", None, record)
    except EngineError:
        return Standing("absent", None, record)
    if health.get("status") != "ok":
        return Standing("stopping", None, record)
    return Standing("busy" if health.get("busy") else "ready", service, record)


def running_service() -> Service | None:
    """The service that answers, or None."""
    return find_engine().service


class Engine:
    """The running service, started on first use."""

    def __init__(self, command: Sequence[str], interactive: bool = False) -> None:
        """`command` starts the service, for example ["cellspan", "serve"].

        `interactive`: a person is waiting for each image, which then comes before images of other clients.
        """
        self.command = list(command)
        self.interactive = interactive
        self._name = uuid.uuid4().hex  # clients take turns
        self._service: Service | None = None  # that answered last

    def segment(
        self,
        pixels: np.ndarray,
        parameters: Mapping[str, Any],
        on_progress: OnProgress | None = None,
        also: Sequence[str] = (),
        keep: bool = False,
        mask: np.ndarray | None = None,
    ) -> EngineResult:
        """Find the objects in (Y, X), (C, Y, X) or (Y, X, 3) pixels; raises EngineError.

        `mask` (Y, X) or (Z, Y, X), 0 outside, limits where to look: what lies outside is background, takes no part in
        the normalisation, and no object lies there. `parameters`: those of `core.parameters`, and `device`. `also`:
        arrays to fetch into the result's `extra` (probability, flows, objects), while the caller continues with the
        labels. With `keep`, the engine keeps the network's outputs for half an hour, so that `again` can try other
        thresholds. An engine that dies is started again.
        """
        body, names = as_npy(pixels), dict.fromkeys(also, NPY)
        inside = b"" if mask is None else as_npy(mask)
        result, fetch = self._run(body, NPY, parameters, on_progress, names, lambda fetch: fetch, keep, mask=inside)

        def again() -> dict[str, bytes]:
            return self.run(body, NPY, parameters, None, names, mask=inside)[1]

        return replace(result, extra=_Extra(also, fetch, again))

    def run(
        self,
        body: bytes,
        content_type: str,
        parameters: Mapping[str, Any],
        on_progress: OnProgress | None = None,
        also: Mapping[str, str] | None = None,
        labels: bool = True,
        mask: bytes = b"",
        keep: bool = False,
    ) -> tuple[EngineResult, dict[str, bytes]]:
        """Send an encoded image (npy, TIFF or PNG); `also` names further results to fetch and their media types.

        With `labels` false the result has none, for callers that fetch them in another type. `mask`: an encoded mask
        (npy, TIFF or PNG; see `segment`). `keep`: for `again` and `run_again`, as of `segment`.
        """
        return self._run(
            body, content_type, parameters, on_progress, also or {}, lambda fetch: fetch(), keep, labels, mask
        )

    def again(
        self,
        result: EngineResult,
        changes: Mapping[str, Any],
        on_progress: OnProgress | None = None,
        also: Sequence[str] = (),
    ) -> EngineResult:
        """Segment the image of a kept result with other thresholds, sizes, edges, holes, iterations or `resample`.

        `changes`: the parameters that differ from those of the result; the labels are the same as in a new run. Raises
        EngineForgot if the image has to be sent again, and EngineError.
        """
        found, fetch = self._again(result, changes, on_progress, dict.fromkeys(also, NPY))
        return replace(found, job=result.job, extra=_Extra(also, fetch, fetch))

    def run_again(
        self,
        result: EngineResult,
        changes: Mapping[str, Any],
        on_progress: OnProgress | None = None,
        also: Mapping[str, str] | None = None,
        labels: bool = True,
    ) -> tuple[EngineResult, dict[str, bytes]]:
        """As `again`, with files as from `run`."""
        found, fetch = self._again(result, changes, on_progress, also or {}, labels)
        try:
            return replace(found, job=result.job), fetch()
        except _Lost:
            raise EngineForgot(FORGOTTEN) from None

    def _again(
        self,
        result: EngineResult,
        changes: Mapping[str, Any],
        on_progress: OnProgress | None,
        also: Mapping[str, str],
        labels: bool = True,
    ) -> tuple[EngineResult, Fetch]:
        service = self._service
        if result.job is None or service is None:
            raise EngineForgot("The engine did not keep the network's output for this image; segment it again.")
        try:
            # The request renews the lease of the kept result.
            headers = self._headers(NPY, uuid.uuid4().hex, False)
            job = service.json("POST", f"/v1/jobs/{result.job}/again?{_query(changes)}", b"", headers)
            return self._finished(service, job, on_progress, also, False, labels)
        except _Lost:
            raise EngineForgot(FORGOTTEN) from None

    def forget(self, result: EngineResult) -> None:
        """Let the engine delete the result that it keeps."""
        if result.job is not None and self._service is not None:
            self._service.forget(f"/v1/jobs/{result.job}")

    def _headers(self, content_type: str, key: str, keep: bool) -> dict[str, str]:
        return {
            "Content-Type": content_type,
            "Idempotency-Key": key,
            "Cellspan-Client": self._name,
            "Cellspan-Interactive": "true" if self.interactive else "false",
            "Cellspan-Lease": str(KEPT_LEASE_SECONDS if keep else LEASE_SECONDS),
        }

    def _run(
        self,
        body: bytes,
        content_type: str,
        parameters: Mapping[str, Any],
        on_progress: OnProgress | None,
        also: Mapping[str, str],
        take: Callable[[Fetch], Taken],
        keep: bool = False,
        labels: bool = True,
        mask: bytes = b"",
    ) -> tuple[EngineResult, Taken]:
        """The labels, and the value of `take` for the function that fetches further results.

        The key identifies an image that is sent again because an engine stopped: the third engine refuses an image that
        crashed two engines.
        """
        headers = self._headers(content_type, uuid.uuid4().hex, keep)
        address = "/v1/jobs?" + _query({**parameters, **({MASK_BYTES: len(mask)} if mask else {})})
        body += mask
        losses = 0
        while True:
            service = self.connect(on_progress)
            try:
                job = service.json("POST", address, body, headers)
                result, fetch = self._finished(service, job, on_progress, also, keep, labels)
                return result, take(fetch)
            except _TryLater as later:
                if on_progress is not None:
                    on_progress(0.0, str(later))
                time.sleep(later.seconds)
            except _Lost as loss:
                losses += 1
                if losses == MOST_LOSSES:
                    raise EngineError(
                        f"The cellspan engine stopped {losses} times while this image was waiting ({loss}); "
                        f"its log is {log_file()}."
                    ) from None

    def _finished(
        self,
        service: Service,
        job: dict[str, Any],
        on_progress: OnProgress | None,
        also: Mapping[str, str],
        keep: bool,
        labels: bool,
    ) -> tuple[EngineResult, Fetch]:
        """The result of a job once it has finished, and a function that fetches the rest."""
        address = "/v1/jobs/" + job["id"]
        try:
            job = _wait(service, address, job, on_progress)
            if job["state"] == "cancelled":
                raise EngineError("The segmentation was cancelled.", "cancelled")
            if job["state"] == "failed":
                raise EngineError(job["message"], job.get("error", {}).get("code", ""))
            npy = service.content(address + "/labels", NPY) if labels else b""
        except (_Lost, _TryLater):
            raise
        except BaseException:
            # The user pressed stop, or the job failed: free the engine for others.
            service.forget(address)
            raise
        result = EngineResult(
            npy=npy, **{name: job["result"][name] for name in SUMMARY}, job=job["id"] if keep else None
        )

        def fetch() -> dict[str, bytes]:
            try:
                return {name: service.content(address + "/" + name, kind) for name, kind in also.items()}
            finally:
                if not keep:
                    service.forget(address)

        return result, fetch

    def _require_program(self) -> None:
        if not self.command or shutil.which(self.command[0]) is None:
            raise EngineMissing(MISSING)

    def connect(self, on_progress: OnProgress | None = None) -> Service:
        """The running service; starts it if there is none, and says so through `on_progress`. Raises EngineError.

        Several clients may do this at once: the service that gets the lock stays, the others end with exit code 0, and
        every client finds the one that stays. A client starts a service only while no process holds the lock, and waits
        longer before each further start.
        """
        if self._service is not None and self._service.serves():
            return self._service
        self._service = self._found_or_started(on_progress)
        return self._service

    def _found_or_started(self, on_progress: OnProgress | None) -> Service:
        began = time.monotonic()
        silent_since: float | None = None
        child: subprocess.Popen[bytes] | None = None
        next_start, pause, told = 0.0, 0.5, ""
        while True:
            standing = find_engine(self.command)
            if standing.service is not None:
                return standing.service
            now = time.monotonic()
            code = None if child is None else child.poll()
            if code not in (None, 0):
                raise EngineMissing(f"The cellspan engine could not be started: {_last_line(log_file())}")
            # A process that was just killed may still hold the lock for a moment.
            silent_since = (silent_since or now) if standing.state == "silent" else None
            if silent_since is not None:
                if now - silent_since > PATIENCE_SECONDS:
                    raise EngineError(
                        f"The cellspan engine does not answer ({standing.about}); stop it with: "
                        "cellspan service stop --force",
                        "silent",
                    )
            elif now - began > START_SECONDS:
                raise EngineMissing(
                    f"The cellspan engine did not start within {START_SECONDS:.0f} s; its log is {log_file()}."
                )
            elif standing.state in ("absent", "stopping") and (child is None or code == 0) and now >= next_start:
                self._require_program()
                child = self._spawn()
                next_start, pause = now + pause, min(2 * pause, LONGEST_PAUSE)
            words = "starting" if silent_since is None else "waiting for an answer of"
            message = f"{words} the cellspan engine ({now - began:.0f} s)"
            if on_progress is not None and message != told:
                on_progress(0.0, message)
                told = message
            time.sleep(0.05)

    def _spawn(self) -> subprocess.Popen[bytes]:
        folder = runtime_folder()
        private_folder(folder)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
            log = os.fdopen(os.open(str(folder / LOG), flags, 0o600), "ab")
        except OSError as error:
            raise EngineMissing(
                f"{folder}: the engine cannot write there ({error.strerror}); "
                "set CELLSPAN_RUNTIME_DIR to another folder."
            ) from None
        apart: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
        with log:
            return subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=engine_environment(),
                cwd=str(folder),
                **apart,
            )


class _Extra(Mapping[str, "np.ndarray"]):
    """Further results by name, fetched while the caller continues with the labels."""

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


class _LocalConnection(http.client.HTTPConnection):
    """HTTP through a socket in a folder that only this user can access."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Service:
    """A running service with its address and token; each thread keeps a connection."""

    def __init__(self, address: str, token: str, path: str | None = None, certificate: str | None = None) -> None:
        """`path`: its socket; without one, it first has to prove that it knows the token."""
        parts = urlsplit(address)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self.token, self._path, self._certificate = token, path, certificate
        self._of_thread = threading.local()

    @classmethod
    def of(cls, record: Mapping[str, Any] | None) -> Service | None:
        """The service of a record, unless it is still starting or the record is damaged."""
        address, token, path, certificate = (
            _text_of(record or {}, name) for name in ("address", "token", "socket", "certificate")
        )
        if address is None or token is None or not token.isascii():
            return None
        usable = path if path and hasattr(socket, "AF_UNIX") and os.path.exists(path) else None
        try:
            return cls(address, token, usable, certificate)
        except ValueError:  # the port in the address is not a number
            return None

    def content(self, path: str, accept: str) -> bytes:
        """A result in the requested media type."""
        return self._request("GET", path, None, {"Accept": accept})

    def json(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """An answer in JSON."""
        answer: dict[str, Any] = json.loads(self._request(method, path, body, headers or {}))
        return answer

    def forget(self, path: str) -> None:
        """Cancel or delete a job; errors are ignored if the service is gone."""
        with contextlib.suppress(EngineError):
            self._request("DELETE", path, None, {})

    def health(self) -> dict[str, Any]:
        """The state of the service; raises EngineError if it does not answer."""
        answer = json.loads(self._request("GET", "/v1/health", None, {}, HEALTH_SECONDS))
        return answer if isinstance(answer, dict) else {}

    def serves(self) -> bool:
        """Whether it answers and serves its existing clients; it may be outdated for new ones."""
        try:
            return self.health().get("status") in ("ok", "outdated")
        except EngineError:
            return False

    def _connection(self, patience: float) -> http.client.HTTPConnection:
        """A connection to the service itself; no other program gets the token."""
        connection: http.client.HTTPConnection
        if self._path is not None:
            connection = _LocalConnection(self._path, patience)
        elif self._certificate is not None:
            import ssl

            context = ssl.create_default_context(cafile=self._certificate)
            context.check_hostname = False  # the certificate is the one in the service's record
            connection = http.client.HTTPSConnection(self.host, self.port, timeout=patience, context=context)
        else:
            # http.client, because urllib would send loopback requests through a proxy.
            connection = http.client.HTTPConnection(self.host, self.port, timeout=patience)
        try:
            connection.connect()
            connection.auto_open = 0  # do not reconnect automatically; another program may listen there by then
            if self._path is None:
                self._require_proof(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _require_proof(self, connection: http.client.HTTPConnection) -> None:
        challenge = secrets.token_hex(32)
        connection.request("GET", f"/v1/hello?challenge={challenge}")
        answer = connection.getresponse()
        content = answer.read(4096)
        proof = hmac.new(self.token.encode(), (CHALLENGE_PREFIX + challenge).encode(), "sha256").hexdigest()
        try:
            given = str(json.loads(content.decode("utf-8"))["proof"])
        except (ValueError, KeyError, TypeError):
            given = ""
        if not hmac.compare_digest(given.encode("utf-8", "replace"), proof.encode()):
            raise _Lost(f"another program answers at {self.host}:{self.port}", "impostor")

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        patience: float = PATIENCE_SECONDS,
    ) -> bytes:
        headers = {"Authorization": "Bearer " + self.token, **headers}
        kept: http.client.HTTPConnection | None = getattr(self._of_thread, "connection", None)
        if kept is not None:
            try:
                return self._exchange(kept, method, path, body, headers, patience)
            except socket.timeout as error:
                raise _Lost(str(error) or "it does not answer") from None
            except (OSError, http.client.HTTPException):
                pass  # it was closed between two requests; ours are safe to repeat
        try:
            return self._exchange(self._connection(patience), method, path, body, headers, patience)
        except (OSError, http.client.HTTPException) as error:
            raise _Lost(str(error) or type(error).__name__) from None

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        patience: float,
    ) -> bytes:
        self._of_thread.connection = None
        try:
            if connection.sock is not None:
                connection.sock.settimeout(patience)
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            content = answer.read()
        except BaseException:
            connection.close()
            raise
        self._of_thread.connection = connection
        if answer.status < 400:
            return content
        raise _failure(content, answer.status, answer.getheader("Retry-After"))


def _failure(content: bytes, status: int, retry_after: str | None) -> EngineError:
    """The error for a response with a status from 400 on."""
    try:
        problem = json.loads(content.decode("utf-8"))
        sentence, code = str(problem["sentence"]), str(problem["code"])
    except (ValueError, KeyError, TypeError):
        sentence, code = f"The cellspan engine answered with HTTP status {status}.", ""
    if code in ("unknown_job", "stopping", "gone"):
        return _Lost(sentence, code)
    if status == 503 or code == "results_full":
        try:
            seconds = float(retry_after or 2)
        except ValueError:
            seconds = 2.0
        return _TryLater(sentence, code, min(max(seconds, 0.1), 30.0))
    return EngineError(sentence, code)


def _wait(service: Service, address: str, job: dict[str, Any], on_progress: OnProgress | None) -> dict[str, Any]:
    """Poll until the job ends; short polls if a person watches the progress."""
    seconds = 0.5 if on_progress is not None else WAIT_SECONDS
    while job["state"] in ("queued", "running"):
        job = service.json("GET", f"{address}?wait={seconds}&within={RETURN_SECONDS}")
        if on_progress is not None:
            on_progress(job["progress"], _told(job))
    return job


def _told(job: Mapping[str, Any]) -> str:
    """What to tell whoever waits for this job, with the number of jobs that keep the engine busy."""
    running, before = job.get("running") or 0, job.get("before")
    if job["state"] == "queued" and before is not None:
        return f"waiting for the engine: {_jobs(before + running)} before yours"
    others = f" (the engine also works on {_jobs(running, 'other job')})" if running else ""
    return f"{job['message']}{others}"


def _jobs(count: int, word: str = "job") -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _query(parameters: Mapping[str, Any]) -> str:
    return urlencode({name: _as_text(value) for name, value in parameters.items()})


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


def _text_of(record: Mapping[str, Any], name: str) -> str | None:
    value = record.get(name)
    return value if isinstance(value, str) else None


def _as_text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, (tuple, list)):
        return ",".join(str(part) for part in value)
    return str(value)


def model_for_engine(name: str) -> str:
    """The model as the engine can find it from another folder: paths become absolute, names stay unchanged.

    A plain name never refers to a folder in the working directory, and `cellpose/NAME` is a name.
    """
    path = os.path.expanduser(name.strip())
    is_name = os.path.basename(path) == path or path.startswith("cellpose/")
    return path if is_name else os.path.abspath(path)


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else "there was no message"
