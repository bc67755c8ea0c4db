"""Cellpose's own files: what the real cellpose writes is read, and it reads what we write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cellpose import io as peer_io
from cellpose import plot as peer_plot
from cellpose import utils as peer_utils

from cellspan.core.dynamics.flows import labels_to_flows
from cellspan.core.objects.labels import renumber
from cellspan.core.pictures.reading import read_labels
from cellspan.core.pictures.seg_npy import read_seg
from cellspan.core.results.cellpose_files import write_outlines, write_seg
from cellspan.core.training.simulate import simulate_nuclei

pytestmark = pytest.mark.filterwarnings("default")


def test_seg_files_there_and_back(tmp_path: Path) -> None:
    field = simulate_nuclei((160, 200), seed=3)
    labels = renumber(field.labels)
    flows, probability = labels_to_flows(labels), np.where(labels > 0, 4.0, -4.0).astype(np.float32)
    theirs = [peer_plot.dx_to_circ(5 * flows), 5 * flows, probability]
    for number, name in enumerate((str(tmp_path / "a.tif"), tmp_path / "b.tif")):  # Python users give either
        peer_io.masks_flows_to_seg(field.image, labels, theirs, name, diams=np.float32(20), channels=[2, number])
    for name, nuclei in (("a", None), ("b", 0)):
        found = read_seg(tmp_path / f"{name}_seg.npy")
        assert np.array_equal(found.masks, labels)
        assert (found.channel, found.nuclei_channel) == (1, nuclei)

    write_seg(tmp_path / "c_seg.npy", labels, flows, probability, 20.0, tmp_path / "c.tif", (1, 0))
    assert np.array_equal(peer_io.imread(str(tmp_path / "c_seg.npy")), labels)
    ours = np.load(tmp_path / "c_seg.npy", allow_pickle=True).item()
    same = np.load(tmp_path / "b_seg.npy", allow_pickle=True).item()
    assert set(ours) == set(same)
    for mine, other in zip(ours["flows"], same["flows"], strict=True):
        assert np.shape(mine) == np.shape(other)
    assert np.abs(ours["flows"][0].astype(int) - same["flows"][0].astype(int)).max() <= 1
    np.testing.assert_allclose(ours["flows"][4], same["flows"][4], atol=1e-5)


def test_their_training_folder_is_ours(tmp_path: Path) -> None:
    labels = renumber(simulate_nuclei((160, 200), seed=3).labels)
    peer_io.imsave(str(tmp_path / "a_cp_masks.png"), labels.astype(np.uint16))
    assert np.array_equal(read_labels(tmp_path / "a_cp_masks.png"), labels)


def test_outlines_as_text_are_theirs_moved_from_pixel_centres_to_corners(tmp_path: Path) -> None:
    labels = renumber(simulate_nuclei((160, 200), seed=3).labels)
    peer_io.outlines_to_text(str(tmp_path / "theirs"), peer_utils.outlines_list(labels))
    write_outlines(tmp_path / "ours.txt", labels)
    lines = [(tmp_path / name).read_text().splitlines() for name in ("theirs_cp_outlines.txt", "ours.txt")]
    assert len(lines[0]) == len(lines[1]) == labels.max()
    for theirs, ours in zip(*lines, strict=True):
        centres, corners = (np.array(line.split(","), float).reshape(-1, 2) for line in (theirs, ours))
        assert np.array_equal(centres.min(0), corners.min(0))
        assert np.array_equal(centres.max(0) + 1, corners.max(0))
