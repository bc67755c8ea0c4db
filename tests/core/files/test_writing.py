"""Writing files so that nothing half-written ever stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import make_folder, write_atomically, write_json

pytestmark = pytest.mark.quick


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def fail(part: Path) -> None:
        part.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(CellspanError, match=r"a\.txt.*No space left"):
        write_atomically(tmp_path / "a.txt", fail)
    assert list(tmp_path.iterdir()) == []


def test_impossible_places_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CellspanError, match="cannot be made"):
        make_folder(tmp_path / "file" / "folder")
    with pytest.raises(CellspanError, match=r"x\.json.*cannot be written"):
        write_json(tmp_path / "file" / "x.json", {})


def test_names_that_are_no_text_are_kept_in_json(tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", {"name": "b\udce4\n.tif"})
    assert "b\\udce4\\n.tif" in path.read_text(encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "b\udce4\n.tif"}
