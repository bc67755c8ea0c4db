"""Objects of volumes: pieces hang together by faces, cavities are filled."""

from __future__ import annotations

import numpy as np
import pytest

from cellspan.core.objects.labels import areas, fill_holes, largest_pieces

pytestmark = pytest.mark.quick


def test_the_largest_piece_stays() -> None:
    labels = np.zeros((6, 8, 8), np.int32)
    labels[0:3, 0:3, 0:3] = 1
    labels[3, 3, 3] = 1  # touches by a corner only
    labels[5, 5:7, 5:7] = 2
    kept = largest_pieces(labels)
    assert areas(kept).tolist() == [27, 4]
    assert kept[3, 3, 3] == 0


def test_a_cavity_is_filled_but_a_tunnel_is_not() -> None:
    labels = np.zeros((9, 9, 20), np.int32)
    labels[1:8, 1:8, 1:8] = 1
    labels[4, 4, 4] = 0
    labels[1:8, 1:8, 10:17] = 2
    labels[:, 4, 13] = 0
    filled = fill_holes(labels)
    assert filled[4, 4, 4] == 1
    assert (filled[:, 4, 13] == 0).all()
