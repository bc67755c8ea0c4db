"""`cellspan fiji-cells`: cells, nuclei and cytoplasm of one number; rules, selections, stacks; one line for errors.

That the pairs are CellProfiler's is tested with CellProfiler (tests/cp_module/test_cells_and_nuclei.py).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import roifile
import tifffile

from cellspan.core.objects.outlines import rois_to_labels

pytestmark = pytest.mark.end_to_end

SHAPE = (240, 360)
OPTIONS = ["--channel", 0, "--nuclei-channel", 1, "--diameter", 60, "--nuclei-diameter", 22]


@pytest.fixture(scope="module")
def field() -> np.ndarray:
    """Six cells and their nuclei, as two channels: the third cell has two nuclei, the fourth none."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    cells, nuclei = np.full(SHAPE, 15.0), np.full(SHAPE, 15.0)

    def add(image: np.ndarray, y: float, x: float, radius: float, height: float, long: float = 1.0) -> None:
        image += height / (1 + np.exp((np.hypot(rows - y, (columns - x) / long) - radius) / 1.2))

    for k, (y, x) in enumerate([(60, 60), (60, 170), (60, 290), (180, 60), (180, 180), (180, 300)]):
        add(cells, y, x, 30, 120, 1.4 if k == 2 else 1.0)
        for shift in {2: (-16, 16), 3: ()}.get(k, (0,)):
            add(nuclei, y, x + shift, 11, 170)
    noise = np.random.default_rng(1).normal(0, 3, (2, *SHAPE))
    return np.clip(np.stack([cells, nuclei]) + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def engine_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One engine for all tests of this file; stopped at the end."""
    folder = tmp_path_factory.mktemp("runtime")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CELLSPAN_RUNTIME_DIR", str(folder))
        yield folder
        subprocess.run([sys.executable, "-m", "cellspan.core.cli", "service", "stop"], check=True, capture_output=True)


Found = Callable[..., tuple[np.ndarray, dict[str, roifile.ImagejRoi]]]


@pytest.fixture
def found(tmp_path: Path, engine_home: Path, cellspan: Callable) -> Found:
    """Write an image as ImageJ does; its labels (..., 3, Y, X), and the outlines by name."""

    def run(image: np.ndarray, axes: str, *options: object) -> tuple[np.ndarray, dict[str, roifile.ImagejRoi]]:
        path, rois, labels = tmp_path / "größe 1.tif", tmp_path / "r o i.zip", tmp_path / "l.tif"
        tifffile.imwrite(path, image, imagej=True, metadata={"axes": axes})
        done = cellspan("fiji-cells", "--input", path, "--rois", rois, "--labels", labels, *OPTIONS, *options)
        outlines = roifile.roiread(rois)
        assert done.stdout == f"OK {len(outlines)} {rois}\n"
        return tifffile.imread(labels), {roi.name: roi for roi in outlines}

    return run


def test_a_cell_its_nucleus_and_its_cytoplasm_have_one_number(field: np.ndarray, found: Found) -> None:
    labels, rois = found(field, "CYX", "--several-nuclei", "keep")
    cells, nuclei, cytoplasm = labels
    assert cells.max() == 5
    assert nuclei.max() == 6, "of two nuclei in one cell, one comes after the pairs"
    for number in range(1, 6):
        assert (nuclei[cells == number] == number).sum() > 200
    np.testing.assert_array_equal(cytoplasm, np.where(nuclei > 0, 0, cells))
    pairs = [f"{kind}-{number:04}" for number in range(1, 6) for kind in ("cell", "cytoplasm", "nucleus")]
    assert list(rois) == [*pairs, "nucleus-0006"]
    for kind, expected in zip(("cell", "nucleus", "cytoplasm"), labels, strict=True):
        own = [roi for name, roi in rois.items() if name.startswith(kind)]
        np.testing.assert_array_equal(rois_to_labels(own, SHAPE), expected)


def test_the_rules(field: np.ndarray, found: Found) -> None:
    counts = {}
    for rules in (
        {},
        {"several-nuclei": "discard"},
        {"several-nuclei": "keep", "without-nucleus": "keep"},
        {"without-nucleus": "keep"},
    ):
        labels, _ = found(field, "CYX", *(word for rule in rules.items() for word in (f"--{rule[0]}", rule[1])))
        counts[" ".join(rules.values())] = labels.max(axis=(1, 2)).tolist()
    assert counts == {"": [6, 6, 6], "discard": [4, 4, 4], "keep keep": [6, 6, 6], "keep": [7, 6, 7]}


def test_what_is_dropped_takes_its_partner_along(field: np.ndarray, found: Found, tmp_path: Path) -> None:
    """Cells at the edge, small cells, cells outside a selection."""
    at_edge, _ = found(field[:, 40:], "CYX", "--exclude-on-edges")
    assert at_edge.max(axis=(1, 2)).tolist() == [2, 2, 2]
    assert not at_edge[:, :100].any()
    large, _ = found(field, "CYX", "--min-size", 3500, "--without-nucleus", "keep")  # of nuclei as well
    assert large.max(axis=(1, 2)).tolist() == [1, 0, 1]
    selection = np.zeros(SHAPE, np.uint8)
    selection[:, :175] = 255  # with the centre of a cell, and not with that of its nucleus or the other way round
    tifffile.imwrite(tmp_path / "inside.tif", selection)
    inside, _ = found(field, "CYX", "--inside", tmp_path / "inside.tif", "--without-nucleus", "keep")
    assert inside[0, 60, 60] == inside[1, 60, 60] > 0
    assert not inside[:, :, 220:].any()
    assert set(np.unique(inside[1])) - {0} <= set(np.unique(inside[0]))


def test_planes_and_frames_have_pairs_of_their_own(field: np.ndarray, found: Found) -> None:
    alone, _ = found(field, "CYX")
    stack = np.stack([np.stack([field, field[:, ::-1]]), np.stack([field[..., ::-1], field])])  # frames, slices
    labels, rois = found(stack, "TZCYX")
    assert labels.shape == (2, 2, 3, *SHAPE)
    np.testing.assert_array_equal(labels[0, 0], alone)
    np.testing.assert_array_equal(labels[1, 1], alone)
    assert {name for name in rois if name.endswith("-0001")} == {
        f"{kind}-{t:04}-{z:04}-0001" for kind in ("cell", "nucleus", "cytoplasm") for t in (1, 2) for z in (1, 2)
    }
    roi = rois["nucleus-0002-0001-0003"]
    assert (roi.t_position, roi.z_position, roi.c_position, roi.position) == (2, 1, 0, 0)
    np.testing.assert_array_equal(rois_to_labels([roi], SHAPE) > 0, labels[1, 0, 1] == 3)


def test_a_pair_in_a_volume_has_one_number_in_all_slices(field: np.ndarray, found: Found) -> None:
    volume = np.stack([field] * 4)
    labels, rois = found(volume, "ZCYX", "--stitch-threshold", 0.2)
    assert labels.shape == (4, 3, *SHAPE)
    assert labels.max(axis=(0, 2, 3)).tolist() == [6, 6, 6]
    for z in range(4):
        np.testing.assert_array_equal(labels[z, 0] > 0, labels[0, 0] > 0)
    assert {f"cell-{z:04}-0006" for z in (1, 2, 3, 4)} <= set(rois)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--nuclei-channel", "none"], "ERROR Cells are paired with nuclei: give the channel of the nuclei"),
        (["--nuclei-channel", 2], "ERROR nuclei_channel = 2, but the image has 2 channel(s)"),
        (["--min-size", "few"], "ERROR min_size = 'few' is not possible"),
        (["--several-nuclei", "merge"], "ERROR Invalid value for '--several-nuclei': 'merge' is not one of"),
        (["--nuclei-diameter", -3], "ERROR diameter = "),
    ],
)
def test_errors_are_one_line(
    field: np.ndarray, engine_home: Path, cellspan: Callable, tmp_path: Path, options: list[object], message: str
) -> None:
    tifffile.imwrite(tmp_path / "i.tif", field, imagej=True, metadata={"axes": "CYX"})
    done = cellspan("fiji-cells", "--input", tmp_path / "i.tif", "--rois", tmp_path / "r.zip", *OPTIONS, *options)
    (line,) = done.stdout.splitlines()
    assert line.startswith(message)
    assert not (tmp_path / "r.zip").exists()
