"""Claims the runtime folder for one engine, with a lock and the address in service.json."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import sysconfig
from collections.abc import Iterator
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cellspan.core.errors import CellspanError
from cellspan.core.machine.processes import has_ended
from cellspan.core.service.client import (
    LOCK,
    MARKS,
    SERVICE,
    EngineError,
    private_folder,
    read_record,
    runtime_folder,
    same_program,
)

PATIENCE = 0.3  # seconds; clients that test the lock hold it for a moment


class Claim:
    """The claim of one engine, from the moment when it holds the lock."""

    def __init__(self, folder: Path, lock: FileLock) -> None:
        """Write at once that an engine is starting."""
        self.folder, self._lock = folder, lock
        self._record: dict[str, Any] = {
            "pid": os.getpid(),
            "version": version("cellspan"),
            "programs": programs(),
            "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }
        self.announce()

    @property
    def marks(self) -> Path:
        """The folder for marks of running jobs."""
        return self.folder / MARKS

    def announce(self, **more: Any) -> None:
        """Write service.json, readable by this user only; the rename makes it appear whole."""
        self._record.update(more)
        target = self.folder / SERVICE
        part = self.folder / f"{SERVICE}.{os.getpid()}.part"
        try:
            part.unlink(missing_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(self._record, file)
            os.replace(part, target)
        except OSError as error:
            raise CellspanError(
                f"{target}: the engine cannot write its address there ({error.strerror}); remove it, or set "
                "CELLSPAN_RUNTIME_DIR to another folder."
            ) from None

    def socket_path(self) -> Path | None:
        """The path of the socket, if the platform and the length of the path allow one."""
        path = self.folder / f"engine-{os.getpid()}.sock"
        return path if len(os.fsencode(path)) < 100 and os.name == "posix" else None

    def give_up(self) -> None:
        """Release the claim for the next engine; this one continues with its jobs. Safe to call twice."""
        if not self._lock.is_locked:
            return
        record = read_record(self.folder)
        if record is not None and record.get("pid") == os.getpid():
            with contextlib.suppress(OSError):
                (self.folder / SERVICE).unlink()
        self._lock.release()


def claim_place() -> Claim | None:
    """Claim the folder for this program's engine; None if one is running. Raises CellspanError if that is unknown.

    An engine of another version or environment keeps its own claim; each program has one.
    """
    top = runtime_folder()
    for folder in (top, top / hashlib.sha256(os.fsencode(programs()[0])).hexdigest()[:8]):
        lock = _locked(folder)
        if lock is not None:
            _remove_sockets(folder)
            return Claim(folder, lock)
        record = read_record(folder)
        if record is None or same_program(record, programs()):
            return None
    return None


def programs() -> list[str]:
    """The folders with the commands that start this program."""
    schemes = [sysconfig.get_path("scripts")]
    with contextlib.suppress(KeyError):
        schemes.append(sysconfig.get_path("scripts", f"{os.name}_user"))
    return list(dict.fromkeys([os.path.dirname(os.path.abspath(sys.executable)), *schemes]))


def _locked(folder: Path) -> FileLock | None:
    """The lock of a folder, or None if another process holds it; raises CellspanError."""
    try:
        private_folder(folder)
        lock = FileLock(folder / LOCK, mode=0o600, is_singleton=False)
        lock.acquire(timeout=PATIENCE, poll_interval=0.02)
    except Timeout:
        return None
    except EngineError as error:
        raise CellspanError(str(error)) from None
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CellspanError(
            f"{folder}: the engine cannot work there ({reason}); set CELLSPAN_RUNTIME_DIR to another folder."
        ) from None
    return lock


def _remove_sockets(folder: Path) -> None:
    """Remove sockets of engines that died; an engine that released its claim may still use its own."""
    for path in folder.glob("engine-*.sock"):
        with contextlib.suppress(OSError, ValueError):
            if has_ended(int(path.stem.partition("-")[2])):
                path.unlink()


def installation() -> str:
    """A hash of the files of the program on disk, with their sizes and times."""
    digest = hashlib.sha256()
    for line in sorted(_files(Path(__file__).parents[1])):
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[str]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":
                    yield from _files(Path(entry.path))
            elif entry.name.endswith(".py"):
                status = entry.stat()
                yield f"{entry.path} {status.st_size} {status.st_mtime_ns}"
