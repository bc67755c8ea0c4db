"""Results in Cellpose's own files: the same objects, and all that its window and its macro need."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.objects.outlines import paint_loops
from cellspan.core.pictures.reading import read_labels
from cellspan.core.pictures.seg_npy import read_seg
from cellspan.core.results import cellpose_files
from cellspan.core.results.cellpose_files import write_outlines, write_seg

pytestmark = pytest.mark.quick


@pytest.fixture
def labels() -> np.ndarray:
    labels = np.zeros((40, 50), np.int32)
    labels[5:15, 5:15], labels[20:30, 30:50], labels[39, 0] = 1, 2, 3
    return labels


def saved(path: Path, labels: np.ndarray, flows: np.ndarray, channels: tuple[int | None, int | None]) -> dict:
    probability = np.linspace(-6, 6, labels.size, dtype=np.float32).reshape(labels.shape)
    write_seg(path, labels, flows, probability, 12.5, Path("images/a.tif"), channels)
    content: dict = np.load(path, allow_pickle=True).item()
    return content


def test_a_plane_as_the_window_saves_it(tmp_path: Path, labels: np.ndarray) -> None:
    flows = np.stack([np.full(labels.shape, 0.6, np.float32), np.full(labels.shape, -0.8, np.float32)])
    content = saved(tmp_path / "a_seg.npy", labels, flows, (1, 2))
    assert np.array_equal(content["masks"], labels)
    assert content["masks"].dtype == content["outlines"].dtype == np.uint16
    assert np.array_equal(np.unique(content["outlines"]), [0, 1, 2, 3])
    assert not (content["outlines"][6:14, 6:14]).any()
    assert content["chan_choose"] == [2, 3]
    assert content["ismanual"].tolist() == [False] * 3
    assert content["filename"] == str(Path.cwd() / "images" / "a.tif")
    assert content["diameter"] == 12.5
    colours, likely, _, _, numbers = content["flows"]
    assert (colours.shape, colours.dtype) == ((1, 40, 50, 3), np.uint8)
    assert (likely.min(), likely.max()) == (0, 255)
    np.testing.assert_allclose(numbers[:2], 5 * flows)
    assert numbers[2].max() == 6
    assert np.array_equal(read_labels(tmp_path / "a_seg.npy"), labels)
    assert read_seg(tmp_path / "a_seg.npy").channel == 1


def test_without_flows(tmp_path: Path, labels: np.ndarray) -> None:
    write_seg(tmp_path / "a_seg.npy", labels, None, None, 12.5, Path("a.tif"), (None, None))
    content = np.load(tmp_path / "a_seg.npy", allow_pickle=True).item()
    assert "flows" not in content
    assert np.array_equal(read_labels(tmp_path / "a_seg.npy"), labels)


def test_colours_show_directions(tmp_path: Path, labels: np.ndarray) -> None:
    turns = np.linspace(0, 2 * np.pi, labels.size).reshape(labels.shape)
    content = saved(
        tmp_path / "a_seg.npy", labels, np.stack([np.sin(turns), np.cos(turns)]).astype(np.float32), (None, None)
    )
    assert content["chan_choose"] == [0, 0]
    hues = content["flows"][0][0].reshape(-1, 3)[:: labels.size // 7]
    assert len({tuple(hue // 8) for hue in hues[:-1]}) == len(hues) - 1


@pytest.mark.parametrize("components", [2, 3])
def test_a_volume(tmp_path: Path, labels: np.ndarray, components: int) -> None:
    volume = np.stack([labels, labels, 0 * labels])
    content = saved(tmp_path / "a_seg.npy", volume, np.ones((components, *volume.shape), np.float32), (None, None))
    assert np.array_equal(content["masks"], volume)
    assert content["outlines"].shape == volume.shape
    shapes = [np.shape(part) for part in content["flows"]]
    assert shapes == [(*volume.shape, 3), volume.shape, volume.shape, (0,), (components + 1, *volume.shape)]


def test_many_objects_and_none(tmp_path: Path) -> None:
    many = np.arange(70_000, dtype=np.int32).reshape(200, 350)
    nothing = np.zeros((2, 200, 350), np.float32)
    assert saved(tmp_path / "a_seg.npy", many, nothing, (None, None))["masks"].dtype == np.uint32
    assert not saved(tmp_path / "a_seg.npy", 0 * many, nothing, (None, None))["masks"].any()


def test_what_does_not_fit_into_the_memory_is_named(
    tmp_path: Path, labels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cellpose_files, "BYTES", 1 << 50)
    with pytest.raises(CellspanError, match=r"a\.tif: the result `seg` needs .* save labels instead"):
        saved(tmp_path / "a_seg.npy", labels, np.zeros((2, *labels.shape), np.float32), (None, None))


def polygons(path: Path) -> list[np.ndarray]:
    """As Cellpose's macro for ImageJ reads them: every line is one polygon."""
    return [np.array(list(map(int, line.split(",")))).reshape(-1, 2) for line in path.read_text().splitlines()]


def test_outlines_as_text_enclose_exactly_the_objects(tmp_path: Path, labels: np.ndarray) -> None:
    write_outlines(tmp_path / "a_cp_outlines.txt", labels)
    painted = np.zeros_like(labels)
    for number, polygon in enumerate(polygons(tmp_path / "a_cp_outlines.txt"), 1):
        paint_loops(painted, [polygon], number)
    assert np.array_equal(painted, labels)


def test_a_line_is_the_largest_piece_without_its_holes(tmp_path: Path) -> None:
    labels = np.zeros((40, 50), np.int32)
    labels[2:4, 2:4] = labels[10:30, 10:30] = 1
    labels[15:20, 15:20] = 0
    write_outlines(tmp_path / "a.txt", labels)
    [polygon] = polygons(tmp_path / "a.txt")
    assert (polygon.min(), polygon.max(), len(polygon)) == (10, 30, 4)


def test_no_object_is_no_line_and_a_volume_is_refused(tmp_path: Path) -> None:
    write_outlines(tmp_path / "a.txt", np.zeros((5, 5), np.int32))
    assert polygons(tmp_path / "a.txt") == []
    with pytest.raises(CellspanError, match="Outlines as text are for planes; save rois for volumes"):
        write_outlines(tmp_path / "a.txt", np.zeros((2, 5, 5), np.int32))
