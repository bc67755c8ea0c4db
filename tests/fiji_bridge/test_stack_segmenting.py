"""Where the ROIs of a stack go in the user's image: planes, names, places; and objects keep their outlines."""

from __future__ import annotations

import numpy as np
import pytest
from roifile import ImagejRoi

from cellspan.core.objects.outlines import labels_to_rois, rois_to_labels
from cellspan.core.objects.roi_places import Position, position_of
from cellspan.fiji_bridge.hyperstack import Hyperstack
from cellspan.fiji_bridge.moving import move
from cellspan.fiji_bridge.numbering import Frame, keep_selected, link
from cellspan.fiji_bridge.stack_segmenting import Layout, _placed

pytestmark = pytest.mark.quick


def frame_of(labels: np.ndarray, is_volume: bool = False) -> Frame:
    return Frame(labels, [list(enumerate(labels_to_rois(plane), 1)) for plane in labels], is_volume)


def placed(layout: Layout, frames: int, slices: int) -> list[ImagejRoi]:
    labels = np.zeros((slices, 9, 8), np.int32)
    labels[:, 2:5, 2:5] = 1
    given = Hyperstack(np.zeros((frames, slices, 9, 8), np.uint8), "YX")
    return _placed([frame_of(labels) for _ in range(frames)], layout, layout.stack(given))


@pytest.mark.parametrize(
    ("layout", "frames", "slices", "name", "position"),
    [
        (Layout(), 1, 1, "0001", Position()),
        (Layout(), 1, 3, "0003-0001", Position(3)),
        (Layout(), 4, 1, "0004-0001", Position(4)),
        (Layout(), 2, 3, "0002-0003-0001", Position(0, 0, 3, 2)),
        (Layout(is_hyperstack=False), 2, 3, "0002-0003-0001", Position(6)),
        (Layout((5, 5, 7, 0)), 1, 1, "0007-0001", Position(7)),
        (Layout((5, 5, 1, 0)), 1, 1, "0001-0001", Position(1)),
        (Layout((5, 5, 0, 9)), 1, 1, "0009-0001", Position(9)),
        (Layout((5, 5, 0, 0)), 1, 1, "0001", Position()),
        (Layout((5, 5, 7, 0), is_hyperstack=True), 1, 1, "0007-0001", Position(0, 0, 7, 0)),
        (Layout((5, 5, 7, 2), is_hyperstack=True), 1, 1, "0002-0007-0001", Position(0, 0, 7, 2)),
        (Layout((5, 5, 7, 2)), 1, 1, "0002-0007-0001", Position(0, 0, 7, 2)),
        (Layout((5, 5, 2, 3)), 2, 3, "0004-0004-0001", Position(0, 0, 4, 4)),
    ],
)
def test_the_last_roi(layout: Layout, frames: int, slices: int, name: str, position: Position) -> None:
    rois = placed(layout, frames, slices)
    assert len(rois) == frames * slices
    assert rois[-1].name == name
    assert position_of(rois[-1]) == position
    x, y, *_ = layout.origin or (0, 0)
    assert (rois[-1].left, rois[-1].top) == (2 + x, 2 + y)


def test_every_kind_of_outline_moves() -> None:
    labels = np.zeros((30, 30), np.int32)
    labels[2:9, 2:9] = 1
    labels[4:6, 4:6] = 0  # a hole
    labels[12:15, 12:15] = 2
    rois = labels_to_rois(labels)
    for roi in rois:
        move(roi, 10, 5)
    np.testing.assert_array_equal(rois_to_labels(rois, (40, 50))[5:35, 10:40], labels)


def test_objects_outside_a_selection_go_from_each_plane() -> None:
    labels = np.zeros((2, 9, 9), np.int32)
    labels[:, 1:4, 1:4], labels[:, 5:8, 5:8] = 1, 2
    selection = np.zeros((9, 9), bool)
    selection[5:, 5:] = True
    frame = frame_of(labels)
    keep_selected(frame, selection)
    np.testing.assert_array_equal(frame.labels, labels == 2)
    assert [[number for number, _ in rois] for rois in frame.rois] == [[1], [1]]


def test_an_object_of_a_volume_has_one_number_in_all_slices() -> None:
    labels = np.zeros((2, 9, 9), np.int32)
    labels[0, 1:4, 1:4], labels[1, 5:8, 5:8] = 1, 2
    frame = Frame(labels, [[], []], is_volume=True)
    keep_selected(frame, None)
    np.testing.assert_array_equal(frame.labels, labels)
    planes = frame_of(labels[:1])
    planes.labels = labels[1:]
    keep_selected(planes, None)
    assert planes.labels.max() == 1


def test_numbers_are_linked_over_frames() -> None:
    first = np.zeros((1, 9, 9), np.int32)
    first[0, 1:4, 1:4], first[0, 5:8, 5:8] = 1, 2
    second = np.where(first > 0, 3 - first, 0).astype(np.int32)  # the same objects, numbered the other way round
    frames = [frame_of(first), frame_of(second)]
    link(frames)
    np.testing.assert_array_equal(frames[1].labels, first)
    assert sorted(number for number, _ in frames[1].rois[0]) == [1, 2]
