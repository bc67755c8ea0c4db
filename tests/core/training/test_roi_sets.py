"""Outlines from ImageJ as annotations: every kind of ROI, files that hold none, and what lies outside."""

from __future__ import annotations

import contextlib
import os
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile
from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE, ImagejRoi

from cellspan.core.errors import CellspanError
from cellspan.core.objects.outlines import labels_to_rois, write_roi_zip
from cellspan.core.training.roi_sets import has_overlay, note_on, read_annotation

pytestmark = pytest.mark.quick

SHAPE = (40, 50)


def box(kind: ROI_TYPE, left: int, top: int, right: int, bottom: int, **more: object) -> ImagejRoi:
    return ImagejRoi(roitype=kind, left=left, top=top, right=right, bottom=bottom, **more)  # type: ignore[arg-type]


def line() -> ImagejRoi:
    return box(ROI_TYPE.LINE, 0, 0, 9, 9, name="line")


def saved(folder: Path, rois: Sequence[ImagejRoi]) -> Path:
    path = folder / "Zellen é_RoiSet.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, roi in enumerate(rois):
            archive.writestr(f"{number}.roi", roi.tobytes())
    return path


def test_what_cellspan_wrote_comes_back(tmp_path: Path) -> None:
    labels = np.zeros(SHAPE, np.int32)
    labels[2:20, 2:20] = 1
    labels[6:12, 6:12] = 2  # in a hole of 1
    labels[30:35, 5:9] = labels[36:39, 20:25] = 3  # in two parts
    labels[0:4, 40:50] = 4  # at the border
    write_roi_zip(tmp_path / "a_rois.zip", labels_to_rois(labels))
    np.testing.assert_array_equal(read_annotation(tmp_path / "a_rois.zip", SHAPE), labels)
    assert note_on(tmp_path / "a_rois.zip") == ""


def test_boxes_ovals_and_shapes_with_corners_between_pixels(tmp_path: Path) -> None:
    sharp, round_, oval = (
        box(ROI_TYPE.RECT, 1, 1, 11, 9),
        box(ROI_TYPE.RECT, 1, 11, 11, 19),
        box(ROI_TYPE.OVAL, 20, 1, 30, 11),
    )
    round_.rounded_rect_arc_size = 8
    drawn = ImagejRoi.frompoints(np.float32([[20.6, 20.4], [30.4, 20.4], [30.4, 25.6], [20.6, 25.6]]))
    drawn.roitype = ROI_TYPE.FREEHAND
    labels = read_annotation(saved(tmp_path, [sharp, round_, oval, drawn]), SHAPE)
    assert [int((labels == k).sum()) for k in (1, 2)] == [80, 68]  # as counted in ImageJ 1.54p
    assert (labels == 3).sum() == 80
    np.testing.assert_array_equal(np.argwhere(labels == 4)[[0, -1]], [[20, 21], [25, 29]])


def test_a_fitted_spline_is_wider_than_its_corners(tmp_path: Path) -> None:
    corners = np.float32([[10, 5], [30, 5], [30, 25], [10, 25]])
    rois = [ImagejRoi.frompoints(corners), ImagejRoi.frompoints(corners)]
    for roi in rois:
        roi.roitype = ROI_TYPE.POLYGON
    rois[1].options |= ROI_OPTIONS.SPLINE_FIT
    areas = [int((read_annotation(saved(tmp_path, [roi]), SHAPE) > 0).sum()) for roi in rois]
    assert areas[0] == 400
    assert 500 < areas[1] < 640  # the circle around the corners has 628


def test_curved_sides_of_composites(tmp_path: Path) -> None:
    # A half circle of radius 10: one straight side and two Bezier curves, as java.awt draws arcs.
    k = 5.523
    path = [0, 10, 20, 3, 10, 20 - k, 20 - k, 10, 20, 10, 3, 20 + k, 10, 30, 20 - k, 30, 20, 4]
    roi = box(ROI_TYPE.RECT, 10, 10, 30, 20, shape_roi_size=len(path), multi_coordinates=np.array(path, np.float32))
    assert (read_annotation(saved(tmp_path, [roi]), SHAPE) > 0).sum() == pytest.approx(np.pi * 50, rel=0.02)


def test_lines_and_text_are_left_out_with_a_note(tmp_path: Path) -> None:
    text = box(ROI_TYPE.RECT, 0, 0, 5, 5, subtype=ROI_SUBTYPE.TEXT)
    path = saved(tmp_path, [line(), box(ROI_TYPE.RECT, 1, 1, 4, 4), text])
    assert read_annotation(path, SHAPE).max() == 1
    assert "2 of 3 ROIs are lines, points or text" in note_on(path)


def test_the_overlay_of_a_tiff(tmp_path: Path) -> None:
    path = tmp_path / "cells.tif"
    roi = box(ROI_TYPE.RECT, 1, 2, 4, 6)
    tifffile.imwrite(path, np.zeros(SHAPE, np.uint8), imagej=True, metadata={"Overlays": [roi.tobytes()]})
    assert has_overlay(path)
    assert (read_annotation(path, SHAPE) == 1).sum() == 12
    tifffile.imwrite(path, np.zeros(SHAPE, np.uint8))
    assert not has_overlay(path)
    path.write_bytes(b"no TIFF")
    assert not has_overlay(path)


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CellspanError, match=r"é_RoiSet\.zip: it contains no ROIs"):
        read_annotation(saved(tmp_path, []), SHAPE)
    with pytest.raises(CellspanError, match="lines, points or text, which enclose no pixels"):
        read_annotation(saved(tmp_path, [line()]), SHAPE)
    far = box(ROI_TYPE.OVAL, 60, 2, 70, 9, name="0007")
    with pytest.raises(CellspanError, match="'0007' lies outside the image of 50 x 40 pixels"):
        read_annotation(saved(tmp_path, [far]), SHAPE)
    broken = tmp_path / "broken_rois.zip"
    broken.write_bytes(b"PK")
    with pytest.raises(CellspanError, match=r"broken_rois\.zip: its ROIs cannot be read"):
        read_annotation(broken, SHAPE)


def test_what_reaches_over_the_border_is_cut(tmp_path: Path) -> None:
    rois = [box(ROI_TYPE.RECT, -5, -5, 3, 3), box(ROI_TYPE.OVAL, 45, 35, 55, 45)]
    labels = read_annotation(saved(tmp_path, rois), SHAPE)
    assert (labels == 1).sum() == 9
    assert (labels == 2).sum() == 20  # a quarter of the oval


def test_archives_that_declare_gigabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, [box(ROI_TYPE.RECT, 1, 1, 4, 4)])
    content = bytearray(path.read_bytes())
    directory = content.rfind(b"PK\1\2")
    content[directory + 24 : directory + 28] = struct.pack("<I", 0xFFFFFFF0)
    path.write_bytes(content)
    with pytest.raises(CellspanError, match=r"_RoiSet\.zip: .*declares? .*4\.3 GB"):
        read_annotation(path, SHAPE)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(5):
            archive.writestr(f"{number}.roi", bytes(20_000_000))
    monkeypatch.setattr("cellspan.core.machine.memory.available_memory", lambda: 10_000_000)
    with pytest.raises(CellspanError, match=r"declares 5 ROIs of 100 MB; .* 10 MB are free"):
        read_annotation(path, SHAPE)


def test_ovals_of_any_size_cost_no_more_than_the_image(tmp_path: Path) -> None:
    labels = read_annotation(saved(tmp_path, [box(ROI_TYPE.OVAL, -4999, -4999, 60000, 5100)]), SHAPE)
    assert labels.all()


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e30, 7.0])
@pytest.mark.parametrize("place", [0, 1, 5])
def test_paths_that_lead_nowhere(tmp_path: Path, number: float, place: int) -> None:
    path = np.array([0, 10, 20, 1, 12, 25, 1, 30, 30, 4], np.float32)
    path[place] = number
    roi = box(ROI_TYPE.RECT, 10, 10, 30, 20, name="0007", shape_roi_size=len(path), multi_coordinates=path)
    if number == 7.0 and place:  # an ordinary coordinate
        assert read_annotation(saved(tmp_path, [roi]), SHAPE).any()
        return
    with pytest.raises(CellspanError, match="the ROI '0007' is damaged"):
        read_annotation(saved(tmp_path, [roi]), SHAPE)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes have names on Unix only")
def test_pipes_block_nobody(tmp_path: Path) -> None:
    for name in ("a_rois.zip", "a.tif"):
        os.mkfifo(tmp_path / name)
    assert not has_overlay(tmp_path / "a.tif")
    with pytest.raises(CellspanError, match=r"a_rois\.zip: this is a pipe"):
        read_annotation(tmp_path / "a_rois.zip", SHAPE)


def test_damaged_sets_give_labels_or_a_sentence(tmp_path: Path) -> None:
    labels = np.zeros(SHAPE, np.int32)
    labels[2:20, 2:20] = 1
    labels[6:12, 6:12] = 0
    write_roi_zip(tmp_path / "whole.zip", labels_to_rois(labels))
    rois = [roi.tobytes() for roi in labels_to_rois(labels)]
    rng = np.random.default_rng(0)
    for seed in range(200):
        path = tmp_path / "damaged.zip"
        content = bytearray((tmp_path / "whole.zip").read_bytes() if seed % 2 else rois[0])
        for place in rng.integers(0, len(content), 3):
            content[place] = rng.integers(0, 256)
        if seed % 2:
            path.write_bytes(content[: rng.integers(0, len(content))] if seed % 3 == 0 else content)
        else:  # the archive is whole, what is in it is not
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("a.roi", bytes(content))
        with contextlib.suppress(CellspanError):
            assert read_annotation(path, SHAPE).shape == SHAPE
