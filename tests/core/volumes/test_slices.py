"""The network on slices along three axes: each direction of flow from two of them, whatever slabs they come in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cellspan.core.errors import Cancelled
from cellspan.core.inference.tile_rules import TileRules
from cellspan.core.models.architecture import FLOW_SCALE
from cellspan.core.parameters import Parameters
from cellspan.core.volumes.slices import predict_slices, sampled_styles

pytestmark = pytest.mark.quick
SHAPE = (9, 24, 17)
STYLE = np.array([1, 0, 0, 0], np.float32)
IN_3D = Parameters(do_3d=True)


class Pixelwise:
    """A stand-in network: the image as the flow along rows, twice that along columns, minus it as probability."""

    device, batch, tensors, rules = "cpu", 4, False, TileRules()

    def encode(self, tiles: np.ndarray, beside: int = 0) -> tuple[np.ndarray, np.ndarray]:
        means = tiles[:, :1].mean((2, 3), keepdims=True)
        return tiles, np.broadcast_to(np.concatenate([1 + means, means, means, means], 1), (len(tiles), 4, 1, 1))

    def decode(self, features: np.ndarray, style: np.ndarray, beside: int = 0) -> np.ndarray:
        return np.stack([features[:, 0], 2 * features[:, 0], -features[:, 0]], 1)


@pytest.fixture
def image() -> np.ndarray:
    """(2, Z, Y, X), which rises along all axes, so that what lies between two slices is what would be seen there."""
    z, y, x = np.indices(SHAPE, np.float32)
    return np.stack([z + 2 * y + 3 * x, np.zeros(SHAPE, np.float32)])


def predicted(image: np.ndarray, thickness: int | None = None) -> np.ndarray:
    outputs = np.zeros((4, *SHAPE), np.float32)
    network: Any = Pixelwise()
    styles = (STYLE, STYLE, STYLE)
    heard: list[float] = []

    def slab(box: Any) -> np.ndarray:
        return image[(slice(None), *box)]

    predict_slices(network, slab, outputs, styles, IN_3D, heard.append, thickness)
    assert heard == sorted(heard)
    assert heard[0] >= 0
    assert heard[-1] < 1
    return outputs


def test_each_direction_is_the_mean_of_two_axes(image: np.ndarray) -> None:
    """Along z twice as rows (factor 1), along y as columns and rows (1.5), along x twice as columns (2)."""
    outputs = predicted(image)
    inner = (slice(0, 9), slice(0, 23), slice(0, 17))  # the last of an even number of slices has none after it
    for component, factor in enumerate((1, 1.5, 2)):
        expected = factor * image[0] / FLOW_SCALE
        np.testing.assert_allclose(outputs[component][inner], expected[inner], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(outputs[3][inner], -image[0][inner], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("thickness", [1, 2, 3, 8, 100])
def test_slabs_do_not_matter(image: np.ndarray, thickness: int) -> None:
    np.testing.assert_allclose(predicted(image, thickness), predicted(image), rtol=1e-5, atol=1e-5)


def test_styles_are_means_of_slices_of_unit_length(image: np.ndarray) -> None:
    network: Any = Pixelwise()
    asked: list[tuple[slice, ...]] = []

    def slab(box: Any) -> np.ndarray:
        asked.append(box)
        return image[(slice(None), *box)]

    styles = sampled_styles(network, slab, SHAPE)
    assert [np.linalg.norm(style) for style in styles] == pytest.approx([1, 1, 1])
    assert all(sorted(part.stop - part.start == 1 for part in box) == [False, False, True] for box in asked)
    assert len(asked) == 18


def test_whoever_hears_of_the_progress_may_end_it(image: np.ndarray) -> None:
    def stop(part: float) -> None:
        raise Cancelled

    network: Any = Pixelwise()
    with pytest.raises(Cancelled):
        predict_slices(
            network, lambda box: image[(slice(None), *box)], np.zeros((4, *SHAPE)), (STYLE,) * 3, IN_3D, stop
        )
