"""Members of zip archives that declare more than there is."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.files import archives
from cellspan.core.files.archives import read_member

pytestmark = pytest.mark.quick


def archive(folder: Path, how: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipFile:
    with zipfile.ZipFile(folder / "a.zip", "w", how) as file:
        file.writestr("a.roi", b"abc" * 1000)
    return zipfile.ZipFile(folder / "a.zip")


def test_a_member_is_read(tmp_path: Path) -> None:
    with archive(tmp_path) as file:
        assert read_member(file, file.infolist()[0], 3000) == b"abc" * 1000


def test_more_than_such_a_file_can_have_is_refused(tmp_path: Path) -> None:
    with archive(tmp_path) as file, pytest.raises(zipfile.BadZipFile, match=r"'a\.roi' declares"):
        read_member(file, file.infolist()[0], 2999)


def test_unusual_compression_is_refused(tmp_path: Path) -> None:
    with archive(tmp_path, zipfile.ZIP_BZIP2) as file, pytest.raises(zipfile.BadZipFile, match="unusual way"):
        read_member(file, file.infolist()[0])


def test_more_than_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def require(size: int, words: str) -> None:
        raise CellspanError(f"{words} needs {size}")

    monkeypatch.setattr(archives, "require_memory", require)
    with archive(tmp_path) as file, pytest.raises(CellspanError, match=r"'a\.roi' in the archive.*needs 6000"):
        read_member(file, file.infolist()[0])
