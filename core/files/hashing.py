"""The SHA-256 of files.

That of a large one is remembered: else every program that starts would read a gigabyte for it.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from platformdirs import user_cache_path

from cellspan.core.files.regular import open_regular
from cellspan.core.files.writing import write_atomically

LARGE = 64 << 20  # bytes, which take 0.1 s


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with open_regular(path) as file:
        state = os.fstat(file.fileno())
        if state.st_size < LARGE:
            return _digest(file)
        # Whoever writes to a file changes these, or gets another file.
        seen = f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {state.st_ino}"
        memory = _memory_of(path)
        with suppress(OSError, ValueError):
            remembered, digest = memory.read_text(encoding="ascii").splitlines()
            if remembered == seen:
                return digest
        digest = _digest(file)
    with suppress(Exception):  # without a place to remember it, it is computed again
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(memory, lambda part: part.write_text(f"{seen}\n{digest}\n", encoding="ascii"))
    return digest


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def _memory_of(path: Path) -> Path:
    name = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()
    return user_cache_path("cellspan", appauthor=False) / "hashes" / name
