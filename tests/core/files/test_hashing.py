"""The SHA-256 of a large file is computed once, and again when the file changes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from cellspan.core.files import hashing
from cellspan.core.files.hashing import sha256_of

pytestmark = pytest.mark.quick


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(hashing, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    monkeypatch.setattr(hashing, "LARGE", 100)
    return tmp_path / "cache"


def expected(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_large_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "large"
    file.write_bytes(b"a" * 200)
    first = sha256_of(file)
    assert first == expected(file)
    monkeypatch.setattr(hashing, "_digest", lambda file: "read again")
    assert sha256_of(file) == first
    file.write_bytes(b"b" * 200)
    assert sha256_of(file) == "read again"


def test_a_file_that_looks_as_old_as_before_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(b"a" * 200)
    sha256_of(file)
    times = file.stat()
    file.write_bytes(b"b" * 200)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert sha256_of(file) == expected(file)


def test_small_files_leave_nothing_and_damaged_memories_do_not_matter(tmp_path: Path, cache: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"a")
    assert sha256_of(small) == expected(small)
    assert not cache.exists()
    large.write_bytes(b"a" * 200)
    sha256_of(large)
    next(cache.glob("hashes/*")).write_bytes(b"\xff nonsense")
    assert sha256_of(large) == expected(large)


def test_without_a_place_for_the_memory(tmp_path: Path, cache: Path) -> None:
    cache.write_text("a file where a folder is wanted")
    large = tmp_path / "large"
    large.write_bytes(b"a" * 200)
    assert sha256_of(large) == expected(large)
