"""Files that end too early are found; every sound file, of whatever kind, is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from cellspan.cp_module.batch.damaged import cut_short, damaged_sets

pytestmark = pytest.mark.quick

PIXELS = np.random.default_rng(0).integers(0, 60_000, (3, 64, 80), dtype=np.uint16)


def cut(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "zlib"},
        {"tile": (32, 32)},
        {"imagej": True},
        {"bigtiff": True},
        {"ome": True},
        {"rowsperstrip": 7},
    ],
)
def test_kinds_of_tiff(options: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "a.TIF"
    tifffile.imwrite(path, PIXELS[0], photometric="minisblack", **options)
    assert cut_short([str(path)]) == {}
    cut(path, 0.6)
    (fault,) = cut_short([str(path)]).values()
    assert fault.startswith("a.TIF is cut short: ")


@pytest.mark.parametrize("options", [{}, {"imagej": True}, {"ome": True}, {"bigtiff": True}])
def test_a_stack_is_looked_at_to_its_end(options: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, PIXELS, photometric="minisblack", **options)
    assert cut_short([str(path)]) == {}
    cut(path, 0.9)
    assert list(cut_short([str(path)])) == [str(path)]


def test_what_is_no_tiff_is_left_to_cellprofiler(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif", "c.png"):
        (tmp_path / name).write_bytes(b"" if name == "a.tif" else b"no image")
    assert cut_short([str(path) for path in tmp_path.iterdir()] + ["/no/such/file.tif"]) == {}


def test_a_set_is_damaged_if_one_of_its_channels_is(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(tmp_path / name, PIXELS[0], photometric="minisblack")
    cut(tmp_path / "b.tif", 0.5)
    good, bad = str(tmp_path / "a.tif"), str(tmp_path / "b.tif")
    faults = damaged_sets({1: {"DNA": good, "Actin": good}, 2: {"DNA": good, "Actin": bad}})
    assert list(faults) == [2]
    assert "b.tif is cut short" in faults[2]
