"""What Cellpose's window saves: the objects in it, of every version, and nothing run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.reading import read_labels
from cellspan.core.pictures.seg_npy import is_seg, read_seg

pytestmark = pytest.mark.quick
MASKS = np.zeros((20, 30), np.uint16)
MASKS[2:9, 3:12], MASKS[10:18, 15:28] = 1, 3


def save(path: Path, **content: object) -> Path:
    np.save(path, content, allow_pickle=True)  # type: ignore[arg-type]
    return path


def as_window(masks: np.ndarray) -> dict[str, object]:
    """All entries that the window of cellpose 3.1.1.2 writes for a plane."""
    rgb = np.zeros((1, *masks.shape, 3), np.uint8)
    return {
        "outlines": masks * 0,
        "colors": np.zeros((3, 3), np.uint8),
        "masks": masks,
        "chan_choose": [2, 3],
        "filename": "C:\\images\\a.tif",
        "flows": [rgb, rgb[..., 0], rgb, [], np.zeros((3, *masks.shape), np.float32)],
        "ismanual": np.array([True, False, True]),
        "manual_changes": [["11/29/2025, 12:00:00", "added mask", [[1, 2, 3]]]],
        "model_path": 0,
        "flow_threshold": 0.4,
        "cellprob_threshold": np.float64(0),
        "normalize_params": {"lowhigh": None, "percentile": [1.0, 99.0], "invert": False},
        "restore": None,
        "ratio": 1.0,
        "diameter": np.float32(20),
        "zdraw": list(-1 * np.ones(3, np.int16)),
        "img_path": Path("/images/a.tif"),
    }


def test_the_objects_and_channels_of_a_plane(tmp_path: Path) -> None:
    path = save(tmp_path / "a_seg.npy", **as_window(MASKS))
    found = read_seg(path)
    assert np.array_equal(found.masks, MASKS)
    assert (found.channel, found.nuclei_channel) == (1, 2)
    assert np.array_equal(read_labels(path), MASKS)


@pytest.mark.parametrize(
    "masks",
    [MASKS[None], MASKS.astype(np.int64) - 1 + (MASKS > 0) * 0, np.asfortranarray(MASKS), MASKS.astype(np.float32)],
    ids=["one plane", "background -1", "columns first", "floats"],
)
def test_masks_as_different_versions_keep_them(tmp_path: Path, masks: np.ndarray) -> None:
    found = read_labels(save(tmp_path / "a_seg.npy", masks=masks))
    assert np.array_equal(found, MASKS)


def test_a_volume(tmp_path: Path) -> None:
    masks = np.stack([MASKS, MASKS])
    assert np.array_equal(read_labels(save(tmp_path / "a_seg.npy", masks=masks)), masks)


@pytest.mark.parametrize(
    ("channels", "expected"),
    [([0, 0], (None, None)), ([1, 1], (0, None)), ([9, -1], (None, None)), ([3], (2, None)), (2, (1, None))],
)
def test_channels_that_are_none(tmp_path: Path, channels: object, expected: tuple[int | None, int | None]) -> None:
    found = read_seg(save(tmp_path / "a_seg.npy", masks=MASKS, chan_choose=channels))
    assert (found.channel, found.nuclei_channel) == expected


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"outlines": [MASKS]}, "it holds no masks"),
        ({"masks": [[1, 2], [3, 4]]}, "it holds no masks"),
        ({"masks": np.array([["a"]])}, "its entry 'masks' is damaged"),
        ({"masks": MASKS * 0.5}, "this one has fractions"),
        ({"masks": MASKS.astype(int) - 5}, "this one has -5"),
        ({"masks": MASKS[0]}, "holds whole numbers in"),
        ({"masks": MASKS, "chan_choose": ["red"]}, "its entry 'chan_choose' is damaged"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, content: dict[str, object], reason: str) -> None:
    with pytest.raises(CellspanError, match=rf"a_seg\.npy: .*{reason}"):
        read_labels(save(tmp_path / "a_seg.npy", **content))


def test_a_plain_array_and_a_missing_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a_seg.npy", MASKS)
    with pytest.raises(CellspanError, match=r"a_seg\.npy: this NumPy file cannot be read"):
        read_labels(tmp_path / "a_seg.npy")
    with pytest.raises(CellspanError, match=r"b_seg\.npy: "):
        read_labels(tmp_path / "b_seg.npy")


def test_only_the_end_of_a_name_counts() -> None:
    assert is_seg(Path("a_seg.npy"))
    assert is_seg(Path("A_SEG.NPY"))
    assert not is_seg(Path("a_seg.npy.tif"))
    assert not is_seg(Path("seg.npy"))
