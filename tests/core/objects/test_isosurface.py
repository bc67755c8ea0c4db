"""Areas and volumes of surfaces of known shapes, and that none has a hole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellspan.core.objects.isosurface import isosurface

pytestmark = pytest.mark.quick


def test_a_ball_has_the_surface_and_the_volume_of_a_ball() -> None:
    z, y, x = np.mgrid[-8:9, -20:21, -20:21]
    away = np.sqrt((3 * z) ** 2 + y**2 + x**2, dtype=np.float32)
    area, volume = isosurface(15.3 - away, 0.0, np.array([3.0, 1.0, 1.0]))
    assert area == pytest.approx(4 * np.pi * 15.3**2, rel=0.01)
    assert volume == pytest.approx(4 / 3 * np.pi * 15.3**3, rel=0.02)


def test_one_voxel_is_an_octahedron() -> None:
    values = np.zeros((3, 3, 3), np.float32)
    values[1, 1, 1] = 1
    area, volume = isosurface(values, 0.5, np.ones(3))
    assert area == pytest.approx(8 * np.sqrt(3) / 4 * 0.5)
    assert volume == pytest.approx(8 * 0.5**3 / 6)


def test_a_level_between_the_values_moves_the_surface() -> None:
    values = np.zeros((4, 6, 7), np.float32)
    values[1:3, 1:5, 1:6] = 1
    volumes = [isosurface(values, level, np.array([2.0, 1.0, 0.5]))[1] for level in (0.9, 0.5, 0.1)]
    assert volumes == sorted(volumes)
    assert volumes[0] == pytest.approx(1.2 * 2 * 3.2 * 4.2 * 0.5, rel=0.1)


@given(st.integers(0, 2**32 - 1))
def test_every_surface_is_closed(seed: int) -> None:
    """Of a closed surface the volume inside does not depend on where the origin is, and what is above lies within."""
    values = np.random.default_rng(seed).random((5, 6, 7)).astype(np.float32)
    values[[0, -1]] = values[:, [0, -1]] = values[:, :, [0, -1]] = 0
    here = isosurface(values, 0.5, np.ones(3))
    there = isosurface(np.pad(values, ((9, 0), (0, 3), (4, 0))), 0.5, np.ones(3))
    np.testing.assert_allclose(there, here, rtol=1e-9)
    assert 0 < here[1] < 3 * 4 * 5 + 60
