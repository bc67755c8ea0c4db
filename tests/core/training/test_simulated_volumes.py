"""Simulated stacks: the same seed gives the same stack, objects touch without overlap, sizes are as asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellspan.core.errors import CellspanError
from cellspan.core.objects.labels import areas, drop_on_edges, largest_pieces
from cellspan.core.objects.metrics import shared_pixels
from cellspan.core.training.simulate.volumes import KINDS, simulated_volume


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_stack(kind: str) -> None:
    (image, labels), (again, labels_again) = (simulated_volume(3, (8, 60, 70), 2.5, 16, kind) for _ in range(2))
    np.testing.assert_array_equal(image, again)
    np.testing.assert_array_equal(labels, labels_again)
    assert not np.array_equal(image, simulated_volume(4, (8, 60, 70), 2.5, 16, kind)[0])


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from(list(KINDS)),
    st.tuples(st.integers(1, 20), st.integers(1, 60), st.integers(1, 60)),
    st.floats(0.5, 8),
    st.floats(6, 40),
)
def test_stacks_have_the_shape_that_was_asked_for(
    seed: int, kind: str, shape: tuple[int, int, int], anisotropy: float, diameter: float
) -> None:
    image, labels = simulated_volume(seed, shape, anisotropy, diameter, kind)
    assert (image.shape, image.dtype) == (shape, np.uint16)
    assert (labels.shape, labels.dtype) == (shape, np.int32)
    assert np.array_equal(np.union1d(labels, [0]), np.arange(labels.max() + 1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("anisotropy", [1.0, 5.0])
def test_the_median_diameter_is_as_asked_at_any_anisotropy(kind: str, anisotropy: float) -> None:
    shape = (round(90 / anisotropy), 120, 120)
    volumes = [areas(drop_on_edges(simulated_volume(seed, shape, anisotropy, 20, kind)[1])) for seed in range(2)]
    found = 2 * np.cbrt(np.concatenate(volumes) * anisotropy * 3 / (4 * np.pi))
    assert len(found) > 40
    assert np.median(found) == pytest.approx(20, rel=0.1)


@pytest.mark.parametrize(("kind", "part"), [("nuclei", 0.4), ("cells", 0.9)])
def test_objects_are_whole_and_many_touch(kind: str, part: float) -> None:
    labels = simulated_volume(1, (40, 120, 120), 1.0, 20, kind)[1]
    np.testing.assert_array_equal(largest_pieces(labels), labels)
    touching: set[int] = set()
    for axis in range(3):
        along = np.moveaxis(labels, axis, 0)
        one, other, _ = shared_pixels(np.ascontiguousarray(along[1:]), np.ascontiguousarray(along[:-1]))
        touching |= set(one[one != other]) | set(other[one != other])
    assert len(touching) > part * labels.max()


def test_nuclei_are_as_tall_as_they_are_wide_on_average() -> None:
    """Slices that are 4 pixels apart cut a nucleus a quarter as often as rows do."""
    labels = drop_on_edges(simulated_volume(0, (40, 160, 160), 4.0, 24, "nuclei")[1])
    tall, wide = [], []
    for k in range(1, labels.max() + 1):
        z, y, x = (np.ptp(axis) + 1 for axis in np.nonzero(labels == k))
        tall.append(4 * z)
        wide.append((y + x) / 2)
    assert len(tall) > 40
    assert np.mean(tall) == pytest.approx(np.mean(wide), rel=0.15)


def test_objects_are_brighter_and_blurred_more_along_z() -> None:
    image, labels = simulated_volume(2, (64, 128, 128), 1.0, 24, "nuclei")
    inside = labels > 0
    assert image[inside].mean() > 2 * image[~inside].mean()
    grey = image.astype(np.float64)
    borders = [np.abs(np.diff(grey, axis=axis))[np.diff(inside, axis=axis)].mean() for axis in range(3)]
    assert borders[0] < 0.85 * min(borders[1:])


def test_light_fades_with_depth() -> None:
    brightness = []
    for seed in range(4):
        image, labels = simulated_volume(seed, (60, 96, 96), 3.0, 16, "nuclei")
        halves = [image[part][labels[part] > 0].mean() for part in (slice(0, 30), slice(30, None))]
        brightness.append(halves[1] / halves[0])
    assert max(brightness) < 0.95


def test_what_cannot_be_simulated() -> None:
    with pytest.raises(CellspanError, match="nuclei and cells, but not of 'worms'"):
        simulated_volume(0, (4, 20, 20), kind="worms")
    with pytest.raises(CellspanError, match="anisotropy above 0"):
        simulated_volume(0, (4, 20, 20), anisotropy=0)
