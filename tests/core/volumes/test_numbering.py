"""Numbers of a volume's objects: the same in memory and on disk, in reading order, and what the parameters refuse."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from cellspan.core.dynamics.judging import drop_unwanted
from cellspan.core.errors import Cancelled
from cellspan.core.machine.cancelling import cancelled_by
from cellspan.core.objects.labels import areas, in_reading_order, keep, renumbered_by
from cellspan.core.parameters import Parameters
from cellspan.core.volumes.numbering import SLAB, number_objects, tally

pytestmark = pytest.mark.quick
Volume = tuple[NDArray[np.int32], NDArray[np.int32]]  # labels as blocks find them, and the objects that they belong to


@st.composite
def volumes(draw: st.DrawFn) -> Volume:
    """A volume cut into blocks anywhere, each with labels of its own; some labels are parts of one object."""
    shape = draw(st.tuples(st.integers(1, 2 * SLAB + 3), st.integers(1, 5), st.integers(1, 5)))
    picker = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels, count = np.zeros(shape, np.int32), 0
    cuts = [sorted({0, size, *draw(st.lists(st.integers(0, size), max_size=2))}) for size in shape]
    places = [list(itertools.pairwise(edges)) for edges in cuts]
    for z0, z1 in places[0]:
        for y0, y1 in places[1]:
            for x0, x1 in places[2]:
                own = picker.integers(0, 5, (z1 - z0, y1 - y0, x1 - x0))
                labels[z0:z1, y0:y1, x0:x1] = np.where(own, own + count, 0)
                count += 4
    objects = picker.integers(1, count + 1, count)
    _, roots = np.unique(objects, return_inverse=True)
    return labels, np.concatenate(([0], roots.ravel() + 1)).astype(np.int32)


def refusals() -> st.SearchStrategy[Parameters]:
    return st.builds(
        Parameters,
        do_3d=st.just(True),
        min_size=st.integers(0, 12),
        max_size_fraction=st.sampled_from([0.02, 0.1, 0.4, 1.0]),
        exclude_on_edges=st.booleans(),
    )


@settings(max_examples=60)
@given(volumes(), refusals(), st.integers(1, 20))
def test_memory_and_disk_agree(volume: Volume, parameters: Parameters, chunk: int) -> None:
    labels, roots = volume
    stored = zarr.zeros(labels.shape, chunks=(chunk, 3, 3), dtype="int32")
    stored[:] = labels
    count = number_objects(labels, roots, parameters)
    assert number_objects(stored, roots, parameters) == count == labels.max(initial=0)
    np.testing.assert_array_equal(stored[:], labels)


@settings(max_examples=60)
@given(volumes(), refusals())
def test_it_is_what_whole_volumes_would_get(volume: Volume, parameters: Parameters) -> None:
    labels, roots = volume
    joined = renumbered_by(labels, roots)
    fitting = keep(joined, areas(joined) <= parameters.max_size_fraction * joined.size)
    expected = in_reading_order(drop_unwanted(fitting, parameters))
    number_objects(labels, roots, parameters)
    np.testing.assert_array_equal(labels, expected)


def test_a_tally() -> None:
    labels = np.zeros((SLAB + 4, 3, 4), np.int32)
    labels[SLAB : SLAB + 2, 1, 1] = 1  # in the second slab, and with 3 one object
    labels[2, 1, 2] = 3
    labels[1, 1, 1:3] = 2
    labels[-1, 1, 2] = 4
    found = tally(labels, np.array([0, 1, 2, 1, 3], np.int32))
    assert found.sizes.tolist() == [labels.size - 6, 3, 2, 1]
    assert found.touching[1:].tolist() == [False, False, True]
    assert found.order.tolist() == [0, 2, 1, 3]
    assert found.numbers(Parameters(min_size=2)).tolist() == [0, 2, 1, 0]


def test_it_can_be_cancelled() -> None:
    labels = np.ones((3, 4, 5), np.int32)
    with cancelled_by(lambda: True), pytest.raises(Cancelled):
        number_objects(labels, np.array([0, 1], np.int32), Parameters())
    assert labels.all()


@settings(max_examples=40)
@given(volumes(), st.integers(0, 2**32 - 1))
def test_the_border_of_a_mask_counts_as_a_face(volume: Volume, seed: int) -> None:
    labels, roots = volume
    mask = np.random.default_rng(seed).random(labels.shape) < 0.8
    labels = np.where(mask, labels, 0).astype(np.int32)
    border = mask & ~ndimage.binary_erosion(mask, border_value=1)
    touching = tally(labels, roots).touching.copy()
    touching[roots[labels[border]]] = True
    np.testing.assert_array_equal(tally(labels, roots, mask).touching[1:], touching[1:])
