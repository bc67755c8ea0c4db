"""The engine's log: limited in size, readable only by its user, and without repetitions."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from cellspan.core.errors import CellspanError

LARGEST = 2_000_000  # bytes per file; the previous file is kept
QUIET = 60.0  # seconds before a message is repeated
_OPTIONS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)


class EachOnce(logging.Filter):
    """Filters repeated messages, and reports later how often they occurred."""

    def __init__(self, quiet: float = QUIET) -> None:
        """No messages yet."""
        super().__init__()
        self._quiet = quiet
        self._lock = threading.Lock()
        self._said: dict[tuple[str, str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the message is new; several handlers may ask for the same record."""
        with self._lock:
            known: dict[str, Any] = vars(record)
            if "is_news" not in known:
                known["is_news"] = self._is_news(record)
            return bool(known["is_news"])

    def _is_news(self, record: logging.LogRecord) -> bool:
        # Jobs differ in names, which are not in `msg`; errors differ in their text.
        error = f"{record.exc_info[0]}: {record.exc_info[1]}" if record.exc_info else ""
        key, now = (record.name, str(record.msg), error), time.monotonic()
        since, left_out = self._said.get(key, (-self._quiet, 0))
        if now - since < self._quiet:
            self._said[key] = since, left_out + 1
            return False
        if left_out:
            record.msg = f"{record.msg} (and {left_out} times more)"
        if len(self._said) > 1000:
            self._said.clear()
        self._said[key] = now, 0
        return True


class _EngineLog(RotatingFileHandler):
    """Rotates files, and redirects the process's standard error to the new file."""

    def _open(self) -> Any:
        descriptor = os.open(self.baseFilename, _OPTIONS, 0o600)
        with contextlib.suppress(AttributeError, OSError):
            os.fchmod(descriptor, 0o600)  # for an existing file
        return os.fdopen(descriptor, self.mode, encoding=self.encoding, errors=self.errors)

    def doRollover(self) -> None:
        """Start a new file."""
        follows = _is_standard_error(Path(self.baseFilename))
        super().doRollover()
        if follows and self.stream is not None:
            for descriptor in (1, 2):
                os.dup2(self.stream.fileno(), descriptor)


def start_log(path: Path) -> None:
    """Log to this file and to the terminal, if any; raises CellspanError if the file cannot be written."""
    try:
        file = _EngineLog(path, maxBytes=LARGEST, backupCount=1, encoding="utf-8", errors="replace")
    except OSError as error:
        raise CellspanError(
            f"{path}: the engine cannot write its log there ({error.strerror}); set CELLSPAN_RUNTIME_DIR to another "
            "folder."
        ) from None
    handlers: list[logging.Handler] = [file]
    if not _is_standard_error(path) and sys.stderr is not None:
        handlers.append(logging.StreamHandler())
    once = EachOnce()
    for handler in handlers:
        handler.addFilter(once)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", handlers=handlers, force=True
    )
    logging.raiseExceptions = False  # a full disk must not end a job


def _is_standard_error(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(2), path.stat())
    return False
