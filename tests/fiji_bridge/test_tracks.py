"""`cellspan fiji-link`: the table of tracks of a label image, and that of `fiji-segment --link`."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from roifile import roiread

from cellspan.core.training.simulate import simulate_nuclei

pytestmark = pytest.mark.end_to_end


def movie() -> np.ndarray:
    """Three frames: an object that moves, one that divides, one that comes late; labels in another order each time."""
    frames = np.zeros((3, 40, 60), np.uint16)
    frames[0, 2:12, 2:12], frames[0, 20:30, 10:40] = 5, 2
    frames[1, 3:13, 4:14], frames[1, 20:30, 10:24], frames[1, 20:30, 26:40] = 1, 2, 3
    frames[2, 4:14, 6:16], frames[2, 20:30, 10:24], frames[2, 20:30, 26:40], frames[2, 2:9, 50:57] = 4, 3, 2, 1
    return frames


def rows(path: Path) -> list[tuple[int, ...]]:
    with path.open(encoding="ascii") as file:
        header, *lines = csv.reader(file)
    assert header == ["frame", "slice", "label", "track", "parent"]
    return [tuple(map(int, line)) for line in lines]


MOVIE = [(1, 2, 2, 0), (1, 5, 5, 0), (2, 1, 5, 0), (2, 2, 6, 2), (2, 3, 7, 2)]
MOVIE += [(3, 1, 8, 0), (3, 2, 7, 2), (3, 3, 6, 2), (3, 4, 5, 0)]


def test_tracks_and_parents_of_a_label_image(cellspan: Callable, tmp_path: Path) -> None:
    labels, table = tmp_path / "größe 1.tif", tmp_path / "t r.csv"
    for axes, pixels in (("TYX", movie()), ("TZYX", np.stack([movie(), movie()[:, ::-1]], axis=1))):
        tifffile.imwrite(labels, pixels, imagej=True, metadata={"axes": axes})
        done = cellspan("fiji-link", "--labels", labels, "--tracks", table)
        found = rows(table)
        assert done.stdout == f"OK {len(found)} {table}\n"
        for z in range(1, 1 + pixels[0].size // 2400):
            assert [(t, *row) for t, own, *row in found if own == z] == MOVIE, "each slice by itself"


def test_an_object_of_a_volume_has_one_track(cellspan: Callable, tmp_path: Path) -> None:
    """In the second slice alone, it would have jumped."""
    volume = np.zeros((2, 2, 40, 60), np.float32)
    volume[0, 0, 5:35, 5:35] = volume[1, 0, 5:35, 5:35] = 1
    volume[0, 1, 5:8, 5:8], volume[1, 1, 30:33, 30:33] = 1, 1
    tifffile.imwrite(tmp_path / "l.tif", volume, imagej=True, metadata={"axes": "TZYX"})
    tracks = {}
    for options in ((), ("--volumes",)):
        cellspan("fiji-link", "--labels", tmp_path / "l.tif", "--tracks", tmp_path / "t.csv", *options)
        tracks[options] = [row[3] for row in rows(tmp_path / "t.csv")]
    assert tracks == {(): [1, 1, 1, 2], ("--volumes",): [1, 1, 1, 1]}


def test_what_is_no_time_lapse(cellspan: Callable, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "l.tif", movie()[0])
    done = cellspan("fiji-link", "--labels", tmp_path / "l.tif", "--tracks", tmp_path / "t.csv")
    assert done.stdout == f"ERROR {tmp_path / 'l.tif'}: there is only one frame, so there is nothing to link.\n"
    assert not (tmp_path / "t.csv").exists()


def test_the_tracks_of_a_segmentation(cellspan: Callable, engine_home: Path, tmp_path: Path) -> None:
    first = simulate_nuclei((128, 144), diameter=26, seed=1).image
    tifffile.imwrite(tmp_path / "m.tif", np.stack([first, np.roll(first, 2, 1)]), imagej=True, metadata={"axes": "TYX"})
    outputs = ["--rois", tmp_path / "r.zip", "--link", "--tracks", tmp_path / "t.csv"]
    cellspan("fiji-segment", "--input", tmp_path / "m.tif", *outputs, "--model", "nuclei", "--diameter", 26)
    found = rows(tmp_path / "t.csv")
    assert [f"{t:04}-{track:04}" for t, _, _, track, _ in found] == [roi.name for roi in roiread(tmp_path / "r.zip")]
    assert len({row[3] for row in found}) < len(found) - 3
