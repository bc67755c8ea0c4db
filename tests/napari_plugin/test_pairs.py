"""Corrected layers become the training pairs that `cellspan train` reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cellspan.core.pictures.reading import read_image, read_labels
from cellspan.core.training.pairs import find_pairs
from cellspan.napari_plugin.pairs import write_pairs
from cellspan.napari_plugin.stacks import stack_of

pytestmark = pytest.mark.quick


def test_only_planes_with_objects_teach(tmp_path: Path) -> None:
    cells, nuclei = np.random.default_rng(0).integers(0, 999, (2, 3, 40, 40), np.uint16)
    labels = np.zeros((3, 40, 40), np.int32)
    labels[1, 5:15, 5:15], labels[1, 20:30, 20:30] = 4, 7
    [image] = write_pairs(stack_of(cells, nuclei), labels, "my cells: A1", tmp_path)
    assert image.name == "my_cells_A1_0001_img.tif"
    [pair] = find_pairs(tmp_path)
    np.testing.assert_array_equal(read_image(pair.image).channels, np.stack([cells[1], nuclei[1]]))
    np.testing.assert_array_equal(read_labels(pair.masks), labels[1])


def test_labels_of_another_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="labels are 4 x 4, but the image is 4 x 5"):
        write_pairs(stack_of(np.zeros((4, 5)), None), np.ones((4, 4), int), "a", tmp_path)
