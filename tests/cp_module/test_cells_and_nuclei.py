"""A real CellProfiler identifies cells and nuclei together, and its later modules work on what comes out."""

from __future__ import annotations

import csv
import re
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

PIPELINE = Path(__file__).parent / "pipelines" / "cells_and_nuclei.cppipe"

pytestmark = [pytest.mark.end_to_end, pytest.mark.data]


def column(table: Path, name: str) -> list[float]:
    with table.open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file)]


def test_later_modules_work_on_cells_nuclei_and_cytoplasm(
    run_pipeline: Callable[..., subprocess.CompletedProcess[str]],
    shared_data: Path,
    tmp_path: Path,
) -> None:
    """Neighbours, intensity, secondary objects, relations, filter, tracking, spreadsheet, database, images."""
    images, output = shared_data / "cellprofiler_examples" / "human", tmp_path / "out"
    done = run_pipeline(PIPELINE, images, output)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Failed" not in done.stderr, done.stderr

    numbers = column(output / "Cells.csv", "ObjectNumber")
    assert len(numbers) > 100
    assert column(output / "Nuclei.csv", "ObjectNumber")[: len(numbers)] == numbers
    assert column(output / "Cells.csv", "Parent_Nuclei") == numbers, "a cell has the number of its nucleus"
    assert set(column(output / "Cytoplasm.csv", "Parent_Cells")) <= set(numbers)
    assert max(column(output / "Cells.csv", "Neighbors_NumberOfNeighbors_Expanded")) > 2
    assert min(column(output / "Cytoplasm.csv", "Intensity_MeanIntensity_CellBody")) > 0
    grown = column(output / "Grown.csv", "Parent_Nuclei")
    assert len(grown) == len(column(output / "Nuclei.csv", "ObjectNumber"))
    assert 0 < len(column(output / "LargeCells.csv", "ObjectNumber")) < len(numbers)
    assert len(set(column(output / "Cells.csv", "TrackObjects_Label_50"))) == len(numbers)

    (labels,) = (tifffile.imread(path) for path in output.glob("*_CellLabels.tiff"))
    (probability,) = (tifffile.imread(path) for path in output.glob("*_Probability.tiff"))
    assert labels.max() == len(numbers)
    assert probability[labels > 0].mean() > 0.8
    frame = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    assert not frame.any(), "objects at the border are discarded"

    with sqlite3.connect(output / "cells.db") as database:
        (image,) = database.execute(
            "SELECT Image_Count_Cells, Image_Flow_Diameter_Cells, Image_Flow_Model_Nuclei, Image_Flow_Seconds_Cells "
            "FROM MyExpt_Per_Image"
        )
        assert image[:3] == (len(numbers), 45.0, "nuclei")
        assert image[3] > 0
        errors = database.execute("SELECT Cells_Flow_FlowError, Cells_Flow_MeanProbability FROM MyExpt_Per_Object")
        assert sum(error is not None and probable > 0 for error, probable in errors) == len(numbers)
        ((relations,),) = database.execute("SELECT count(*) FROM MyExpt_Per_Relationships")
        assert relations >= 3 * len(numbers) - 3


def block_of(name: str, **settings: str) -> str:
    """The first block of this module in the pipeline, with other values of the settings that start so."""
    block = next(block for block in PIPELINE.read_text().split("\n\n") if block.startswith(name + ":"))
    for start, value in settings.items():
        pattern = rf"(?m)^(    {start.replace('_', ' ')}[^:\n]*):.*$"
        block, replaced = re.subn(pattern, lambda match, value=value: f"{match[1]}:{value}", block, count=1)
        assert replaced, start
    return block


def pipeline_of(blocks: list[str], path: Path) -> Path:
    """A pipeline of the header and the input modules, and these."""
    header, *inputs = PIPELINE.read_text().split("\n\n")[:5]
    modules = [
        re.sub(r"module_num:\d+", f"module_num:{number}", block) for number, block in enumerate([*inputs, *blocks], 1)
    ]
    path.write_text("\n\n".join([re.sub(r"ModuleCount:\d+", f"ModuleCount:{len(modules)}", header), *modules]))
    return path


def saving(objects: str) -> list[str]:
    """Modules that save a label image."""
    convert = block_of("ConvertObjectsToImage", Select_the_input=objects, Name_the_output=f"{objects}Image")
    return [convert, block_of("SaveImages", Select_the_image_to_save=f"{objects}Image", Text_to_append=f"_{objects}")]


def assert_same_objects(found: np.ndarray, expected: np.ndarray) -> None:
    """The same but for their order: cells and nuclei that belong together are numbered alike."""
    pairs = np.unique(np.stack([found.ravel(), expected.ravel()]), axis=1)
    assert pairs.shape[1] == found.max() + 1 == expected.max() + 1
    assert (pairs[:, 0] == 0).all()


def test_the_labels_are_those_of_the_command_line(
    run_pipeline: Callable[..., subprocess.CompletedProcess[str]],
    cellspan: Callable[..., subprocess.CompletedProcess[str]],
    shared_data: Path,
    tmp_path: Path,
) -> None:
    """Cells with an image of the nuclei as a second channel, alone and with their nuclei; and ImageJ's pairs."""
    images, output = shared_data / "cellprofiler_examples" / "human", tmp_path / "out"
    keep_all = {"Cells_without": "Keep", "Cells_with_several": "Keep", "Nuclei_without": "Keep"}
    alone = block_of("IdentifyObjectsByFlow", Identify_cells="No", Use_an_image="Yes", Name_the_objects="Alone")
    together = block_of("IdentifyObjectsByFlow", Discard_objects_touching="No", Save_the_probability="No", **keep_all)
    names = {f"Name_the_{kind}": f"Paired{kind.title()}" for kind in ("objects", "nuclei", "cytoplasm")}
    paired = block_of("IdentifyObjectsByFlow", Cells_with_several="Split along the flows", **names)
    saved = ["Alone", "Cells", "Nuclei", *names.values()]
    blocks = [alone, together, paired, *(block for name in saved for block in saving(name))]
    pipeline = pipeline_of(blocks, tmp_path / "labels.cppipe")
    done = run_pipeline(pipeline, images, output)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {name: tifffile.imread(next(output.glob(f"*_{name}.tiff"))) for name in saved}

    nuclei, bodies = (tifffile.imread(next(images.glob(f"*{channel}.tif"))) for channel in ("d0", "d2"))
    both = tmp_path / "both.tif"
    tifffile.imwrite(both, np.stack([bodies, nuclei]), photometric="minisblack", metadata={"axes": "CYX"})

    def segment(name: str, *options: object) -> np.ndarray:
        cellspan("segment", both, "-o", tmp_path / name, "--save", "labels", *options)
        return np.asarray(tifffile.imread(tmp_path / name / "both_labels.tif"))

    cell_options = ["--model", "cyto", "--diameter", 45, "--channel", 0, "--nuclei-channel", 1]
    np.testing.assert_array_equal(found["Alone"], segment("alone", *cell_options, "--exclude-on-edges"))
    assert_same_objects(found["Cells"], segment("cells", *cell_options))
    assert_same_objects(found["Nuclei"], segment("nuclei", "--model", "nuclei", "--diameter", 24, "--channel", 1))
    assert found["Alone"].max() > 100
    assert found["Cells"].max() > found["Alone"].max()

    rois, labels = tmp_path / "pairs.zip", tmp_path / "pairs.tif"
    pair_options = [*cell_options, "--exclude-on-edges", "--nuclei-diameter", 24]
    cellspan("fiji-cells", "--input", both, "--rois", rois, "--labels", labels, *pair_options)
    cells, own_nuclei, cytoplasm = tifffile.imread(labels)
    np.testing.assert_array_equal(cells, found["PairedObjects"])
    np.testing.assert_array_equal(own_nuclei, found["PairedNuclei"])
    np.testing.assert_array_equal(cytoplasm > 0, found["PairedCytoplasm"] > 0)
    np.testing.assert_array_equal(cytoplasm, np.where(cytoplasm > 0, cells, 0))
    assert cells.max() > 100
