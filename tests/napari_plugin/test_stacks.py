"""The engine gets planes and volumes of napari's layers in the axes that it knows."""

from __future__ import annotations

import numpy as np
import pytest

from cellspan.napari_plugin.stacks import anisotropy_of, stack_of

pytestmark = pytest.mark.quick


def test_every_plane_with_its_place() -> None:
    movie = np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5)
    found = dict(stack_of(movie, None).planes())
    assert len(found) == 6
    np.testing.assert_array_equal(found[1, 2], movie[1, 2])


def test_the_plane_on_show_is_that_of_the_sliders() -> None:
    movie = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    where, pixels = stack_of(movie, None).plane((1, 2, 0, 4))
    assert where == (1, 2)
    np.testing.assert_array_equal(pixels, movie[1, 2])


def test_nuclei_are_the_second_channel() -> None:
    cells, nuclei = np.zeros((3, 4, 5), np.uint8), np.ones((3, 4, 5), np.uint16)
    stack = stack_of(cells, nuclei)
    [(where, volume)] = stack.volumes()
    assert where == ()
    assert volume.shape == (3, 2, 4, 5)
    assert volume[:, 1].min() == 1
    assert stack.options == {"channel": 0, "nuclei_channel": 1}


def test_colours_go_to_the_engine_as_they_are() -> None:
    picture = np.zeros((4, 5, 4), np.uint8)
    stack = stack_of(picture, None, is_rgb=True)
    assert stack.shape == (4, 5)
    assert stack.plane((2, 2))[1].shape == (4, 5, 3)


def test_layers_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in size, 4 x 5 and 4 x 6"):
        stack_of(np.zeros((4, 5)), np.zeros((4, 6)))


@pytest.mark.parametrize(("scale", "wanted"), [((1, 1), 1), ((2.0, 0.5, 0.5), 4), ((9, 3.0, 1.0, 1.0), 3)])
def test_the_anisotropy_is_that_of_the_scale(scale: tuple[float, ...], wanted: float) -> None:
    assert anisotropy_of(scale) == wanted
