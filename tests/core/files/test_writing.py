"""Finding images and writing files."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import make_folder, write_atomically, write_json
from cellspan.core.pictures.inputs import find_inputs

pytestmark = pytest.mark.quick


@pytest.fixture
def plates(tmp_path: Path) -> Path:
    """Two plates with wells of the same names, one with results of an earlier run."""
    for name in ("p1/A01.tif", "p1/sub/A02.png", "p2/A01.tif", "p2/A01_labels.tif", "p2/A01_masks.png", "p2/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    return tmp_path


def stems(*names: object) -> list[str]:
    return [item.stem.as_posix() for item in find_inputs(map(str, names))]


def test_subfolders_are_kept(plates: Path) -> None:
    assert stems(plates) == ["p1/A01", "p1/sub/A02", "p2/A01"]
    assert stems(plates / "p1") == ["A01", "sub/A02"]
    assert stems(plates / "p1", plates / "p2") == ["p1/A01", "p1/sub/A02", "p2/A01"]
    assert stems(plates / "p*" / "*.tif") == ["p1/A01", "p2/A01"]
    assert stems(plates / "**" / "*.png") == ["p1/sub/A02"]


def test_each_image_comes_once_and_named_files_always(plates: Path) -> None:
    assert stems(plates / "p1" / "A01.tif", plates / "p1") == ["A01", "sub/A02"]
    assert stems(plates / "p1", plates / "missing.tif") == ["A01", "sub/A02", "missing"]
    assert stems(plates / "p2" / "A01_masks.png") == ["A01_masks"]


def test_an_empty_folder_does_not_stop_the_others(plates: Path) -> None:
    assert len(stems(plates / "p1", plates / "empty")) == 3
    with pytest.raises(CellspanError, match=r"empty.*no images were found"):
        find_inputs([str(plates / "empty")])


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
