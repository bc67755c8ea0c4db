"""Results and overlays in notebooks: what they show, and that a real notebook shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.results.showing import show

YELLOW = (255, 230, 0)
CELLS = """
from cellspan.core import Parameters, Segmenter, show
from cellspan.core.training.simulate import simulate_nuclei
field = simulate_nuclei((160, 180), diameter=24, seed=1)
result = Segmenter("nuclei", "cpu").segment(field.image, Parameters(diameter=24))
result
---
show(field.image, result)
---
result.again(Parameters(diameter=24, min_size=10_000))
"""


@pytest.mark.quick
def test_outlines_over_an_array_and_a_file(disks: np.ndarray, tmp_path: Path) -> None:
    image = np.where(disks > 0, 2000, 100).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", image)
    shown = show(image, disks)
    assert (shown.count, shown.picture.shape) == (3, (80, 100, 3))
    yellow = (shown.picture == YELLOW).all(axis=2)
    assert yellow[disks == 2].any()
    assert not yellow[disks == 0].any()
    np.testing.assert_array_equal(show(tmp_path / "a.tif", disks).picture, shown.picture)
    assert "3 objects" in shown._repr_html_()


@pytest.mark.quick
def test_a_volume_from_above(disks: np.ndarray, tmp_path: Path) -> None:
    labels = np.stack([disks * 0, disks, disks])
    image = np.where(labels > 0, 2000, 100).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", image, imagej=True, metadata={"axes": "ZYX"})
    shown = show(tmp_path / "a.tif", labels)
    assert (shown.count, shown.picture.shape) == (3, (80, 100, 3))
    np.testing.assert_array_equal(show(image, labels).picture, shown.picture)


@pytest.mark.quick
def test_labels_of_another_image(disks: np.ndarray) -> None:
    for image, labels in ((np.zeros((9, 9)), disks), (np.zeros((3, 9, 9)), np.stack([disks] * 3))):
        with pytest.raises(CellspanError, match="are they of one image"):
            show(image, labels)


@pytest.mark.end_to_end
def test_in_a_real_notebook() -> None:
    nbformat: Any = pytest.importorskip("nbformat")
    nbclient: Any = pytest.importorskip("nbclient")
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(cell.strip()) for cell in CELLS.split("---")]
    nbclient.NotebookClient(notebook, timeout=200, kernel_name="python3").execute()
    first, second, third = (cell.outputs[-1]["data"]["text/html"] for cell in notebook.cells)
    assert "data:image/png;base64," in first
    assert "diameter 24.0 pixels (model nuclei" in first
    assert "objects" in second
    assert "data:image/png;base64," in second
    assert "<div>0 objects" in third
