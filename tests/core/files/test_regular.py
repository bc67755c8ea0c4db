"""What kind of thing a name stands for, and names as text."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.files.regular import exists, is_folder, is_regular, open_regular, readable

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a.tif", "a.tif"),
        ("ö µ 細胞.tif", "ö µ 細胞.tif"),
        ("b\udce4.tif", "b\\udce4.tif"),
        ("c\nd\te\r.tif", "c\\nd\\te\\r.tif"),
        ("e\u2028\x1b[31m.tif", "e\\u2028\\x1b[31m.tif"),
    ],
)
def test_names_are_shown_on_one_line(name: str, shown: str) -> None:
    assert readable(name) == readable(Path(name)) == shown
    assert readable(name).encode("utf-8")


@pytest.mark.parametrize("name", ["l" * 300, "a\0b", "x/" * 3000])
def test_names_that_no_file_can_have_are_of_no_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert [exists(path), is_folder(path), is_regular(path)] == [False] * 3


def test_what_could_block_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(CellspanError, match="this is a folder, not a file"):
        open_regular(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(CellspanError, match="a pipe, a device or a socket, not a file"):
            open_regular(tmp_path / "pipe")
