"""The example macros in the real ImageJ: they give the numbers that they promise."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile
from roifile import ImagejRoi

from cellspan.core.training.simulate import simulate_nuclei

pytestmark = pytest.mark.end_to_end

EXAMPLES = Path(__file__).parents[2] / "macros" / "examples"
SAVE = """
arguments = split(getArgument(), "\\n");
open(arguments[0]);
runMacro(arguments[1]);
if (isOpen("Nuclei to cytoplasm"))
    selectWindow("Nuclei to cytoplasm");
else
    selectWindow("Results");
Table.save(arguments[2]);
"""
EARLIER = """
newImage("other", "8-bit black", 9, 9, 1);
makeOval(1, 1, 5, 5);
roiManager("add");
close();
"""
BOX = ImagejRoi.frompoints([[5, 5], [60, 5], [60, 50], [5, 50]]).tobytes()
DRAWN_ON = {"ROI": BOX, "Overlays": [BOX, BOX]}  # a selection and an overlay that were saved with an image


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def found(cellspan, image: Path, folder: Path, *options: object) -> np.ndarray:
    cellspan("segment", image, "-o", folder, *options, "--save", "labels")
    return tifffile.imread(next(folder.glob(f"{image.stem}_labels.tif")))


@pytest.fixture
def field(tmp_path: Path) -> Path:
    path = tmp_path / "Bilder ñ 1" / "field 'a' 1.tif"
    path.parent.mkdir()
    tifffile.imwrite(path, simulate_nuclei((160, 160), diameter=26, seed=1).image)
    return path


def test_cells_of_a_folder_are_counted(imagej, engine_home: Path, cellspan, field: Path, tmp_path: Path) -> None:
    tifffile.imwrite(field.with_name("empty.tif"), np.zeros((40, 40), np.uint8))
    tifffile.imwrite(field.with_name("drawn on.tif"), tifffile.imread(field), imagej=True, metadata=DRAWN_ON)
    report = imagej.in_window(EXAMPLES / "Count_Cells_in_Folder.ijm", field.parent)
    assert report.dialogs == []
    count = found(cellspan, field, tmp_path / "r", "--model", "nuclei").max()
    counted = {row["Image"]: int(row["Cells"]) for row in rows(field.with_name("cells.csv"))}
    assert counted == {"empty.tif": 0, "drawn on.tif": count, field.name: count}


def test_every_outline_is_measured(imagej, engine_home: Path, cellspan, field: Path, tmp_path: Path) -> None:
    macro = EARLIER + SAVE + 'print(roiManager("count"));'
    report = imagej.in_window(macro, field, EXAMPLES / "Measure_Every_Outline.ijm", tmp_path / "t.csv")
    assert report.dialogs == []
    labels = found(cellspan, field, tmp_path / "r", "--model", "nuclei")
    measured = rows(tmp_path / "t.csv")
    assert [float(row["Area"]) for row in measured] == np.bincount(labels.ravel())[1:].tolist()
    assert report.log == [str(1 + labels.max())]


def test_nuclei_and_cytoplasm(imagej, engine_home: Path, cellspan, tmp_path: Path) -> None:
    nuclei = simulate_nuclei((160, 160), diameter=26, seed=1).image
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, np.stack([nuclei, nuclei]), imagej=True, metadata={"axes": "CYX", **DRAWN_ON})
    report = imagej.in_window(SAVE, path, EXAMPLES / "Nuclei_to_Cytoplasm.ijm", tmp_path / "t.csv")
    assert report.dialogs == []
    inside = found(cellspan, path, tmp_path / "n", "--model", "nuclei", "--channel", 1) > 0
    cells = found(cellspan, path, tmp_path / "c", "--model", "cyto", "--channel", 0, "--nuclei-channel", 1)
    measured = rows(tmp_path / "t.csv")
    assert len(measured) == cells.max() > 0
    for k, row in enumerate(measured, 1):
        own = cells == k
        if (own & inside).any() and (own & ~inside).any():
            ratio = nuclei[own & inside].mean() / nuclei[own & ~inside].mean()
            assert float(row["Ratio"]) == pytest.approx(ratio, rel=0.01)
