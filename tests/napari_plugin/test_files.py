"""napari opens and saves what the other doors write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.files.pickled import load_dictionary
from cellspan.core.objects.outlines import labels_to_rois
from cellspan.core.objects.roi_zip import write_roi_zip
from cellspan.core.pictures.reading import read_labels
from cellspan.core.results.cellpose_files import write_seg
from cellspan.napari_plugin.files import (
    FILE,
    read,
    reader_of,
    write_for_cellpose,
    write_labels_layer,
    write_outlines,
)

pytestmark = pytest.mark.quick

LABELS = np.zeros((20, 30), np.int32)
LABELS[2:8, 3:9], LABELS[10:20, 15:30] = 1, 2


def test_labels_come_back_as_they_were_saved(tmp_path: Path) -> None:
    path = str(tmp_path / "a_labels.tif")
    assert write_labels_layer(path, LABELS, {}) == [path]
    np.testing.assert_array_equal(read_labels(path), LABELS)
    reader = reader_of(path)
    assert reader is not None
    [(data, attributes, kind)] = reader(path)
    assert (attributes["name"], kind) == ("a_labels", "labels")
    np.testing.assert_array_equal(data, LABELS)


def test_outlines_of_imagej_become_labels(tmp_path: Path) -> None:
    path = tmp_path / "a_rois.zip"
    write_roi_zip(path, labels_to_rois(LABELS))
    [(data, _, kind)] = read(str(path))
    assert kind == "labels"
    np.testing.assert_array_equal(data, LABELS)


def test_outlines_go_back_to_imagej(tmp_path: Path) -> None:
    path = str(tmp_path / "a_RoiSet.zip")
    assert write_outlines(path, LABELS, {}) == [path]
    [(data, _, _)] = read(path)
    np.testing.assert_array_equal(data, LABELS)
    with pytest.raises(CellspanError, match="4 axes"):
        write_outlines(path, np.zeros((2, 2, 3, 3), int), {})


def test_what_cellposes_window_saved_becomes_labels(tmp_path: Path) -> None:
    path = tmp_path / "a_seg.npy"
    flows, probability = np.zeros((2, *LABELS.shape), np.float32), np.zeros(LABELS.shape, np.float32)
    write_seg(path, LABELS, flows, probability, 10.0, tmp_path / "a.tif", (0, None))
    assert reader_of(str(path)) is not None
    [(data, attributes, kind)] = read(str(path))
    assert (attributes["name"], kind) == ("a_seg", "labels")
    np.testing.assert_array_equal(data, LABELS)


@pytest.mark.parametrize("name", ["a_seg.npy", "a.npy"])
def test_labels_go_to_cellposes_window(tmp_path: Path, name: str) -> None:
    target = tmp_path / "a_seg.npy"
    assert write_for_cellpose(str(tmp_path / name), LABELS, {"metadata": {"cellspan": {"diameter": 17.0}}}) == [
        str(target)
    ]
    [(data, _, _)] = read(str(target))
    np.testing.assert_array_equal(data, LABELS)
    content = load_dictionary(target)
    assert (content["filename"], content["diameter"]) == (str(tmp_path / "a.tif"), 17.0)
    assert "flows" not in content, "what the network saw is not known here"


def test_labels_for_cellpose_name_their_image(tmp_path: Path) -> None:
    stack = np.stack([LABELS, LABELS])
    write_for_cellpose(str(tmp_path / "b_seg.npy"), stack, {"metadata": {FILE: str(tmp_path / "x" / "b.nd2")}})
    content = load_dictionary(tmp_path / "b_seg.npy")
    assert content["filename"] == str(tmp_path / "x" / "b.nd2")
    assert content["diameter"] > 0
    np.testing.assert_array_equal(read_labels(tmp_path / "b_seg.npy"), stack)
    with pytest.raises(CellspanError, match="4 axes"):
        write_for_cellpose(str(tmp_path / "c_seg.npy"), np.zeros((2, 2, 3, 3), int), {})


def test_other_files_are_left_to_other_readers() -> None:
    assert reader_of("a.tif") is None
    assert reader_of(["a_labels.tif", "b.tif"]) is None


def test_outlines_of_a_stack_are_refused(tmp_path: Path) -> None:
    rois = labels_to_rois(LABELS)
    rois[0].position, rois[1].position = 1, 2
    write_roi_zip(tmp_path / "a_rois.zip", rois)
    with pytest.raises(CellspanError, match="several planes"):
        read(str(tmp_path / "a_rois.zip"))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "b_rois.zip"
    path.write_bytes(b"PK nothing")
    with pytest.raises(CellspanError, match=r"b_rois\.zip"):
        read(str(path))


def test_labels_of_a_movie_of_stacks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CellspanError, match="4 axes"):
        write_labels_layer(str(tmp_path / "a.tif"), np.zeros((2, 2, 3, 3), int), {})
    assert not list(tmp_path.iterdir())


def test_tifffile_reads_them_too(tmp_path: Path) -> None:
    write_labels_layer(str(tmp_path / "a.tif"), LABELS, {})
    assert tifffile.imread(tmp_path / "a.tif").dtype == np.uint16
