"""The properties of objects as napari shows them."""

from __future__ import annotations

import numpy as np
import pytest

from cellspan.napari_plugin.found import Found, features_of

pytestmark = pytest.mark.quick


def found(labels: np.ndarray, *probability: float) -> Found:
    numbers = np.array(probability, np.float32)
    return Found((), labels.astype(np.int32), numbers, numbers / 10, 20.0, "cyto", ())


def test_a_row_for_each_object_and_the_background() -> None:
    table = features_of([found(np.array([[1, 1, 0], [2, 2, 2]]), 3, 4)])
    assert list(table["index"]) == [0, 1, 2]
    assert list(table["area"]) == [0, 2, 3]
    assert list(table["probability"])[1:] == [3, 4]


def test_planes_share_a_row_for_a_label() -> None:
    table = features_of([found(np.array([[1, 1, 0]]), 3), found(np.array([[1, 1, 1]]), 5)])
    assert list(table["probability"])[1:] == [5]


def test_nothing_found() -> None:
    assert len(features_of([found(np.zeros((2, 2)))])) == 1
