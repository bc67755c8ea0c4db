"""Simulated cells: the same seed gives the same field, labels are whole, sizes are as asked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellspan.core.errors import CellspanError
from cellspan.core.objects.labels import drop_on_edges, largest_pieces, median_diameter
from cellspan.core.training.simulate import LOOKS, SHAPES, simulate_cells

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("look", LOOKS)
def test_the_same_seed_gives_the_same_field(look: str) -> None:
    first, second = (simulate_cells((96, 96), 20, 3, look) for _ in range(2))
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.labels, second.labels)
    assert not np.array_equal(first.image, simulate_cells((96, 96), 20, 4, look).image)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from([None, *LOOKS]),
    st.sampled_from([None, *SHAPES]),
    st.tuples(st.integers(20, 120), st.integers(20, 120)),
    st.floats(8, 60),
)
def test_fields_are_images_with_labels_in_one_piece(
    seed: int, look: str | None, cells: str | None, shape: tuple[int, int], diameter: float
) -> None:
    field = simulate_cells(shape, diameter, seed, look, cells)
    assert field.image.shape == (2, *shape)
    assert field.image.dtype == np.float32
    assert np.isfinite(field.image).all()
    assert field.image.min() >= 0
    labels = field.labels
    assert labels.dtype == np.int32
    assert np.array_equal(np.union1d(labels, [0]), np.arange(labels.max() + 1))
    assert np.array_equal(largest_pieces(labels), labels)


@pytest.mark.parametrize("cells", SHAPES)
@pytest.mark.parametrize("diameter", [12, 30])
def test_the_median_diameter_is_as_asked(cells: str, diameter: float) -> None:
    found = [
        median_diameter(drop_on_edges(simulate_cells((320, 320), diameter, seed, cells=cells).labels))
        for seed in range(6)
    ]
    assert np.median([value for value in found if value]) == pytest.approx(diameter, rel=0.2)


def test_cells_are_visible() -> None:
    for seed in range(10):
        field = simulate_cells((160, 160), 30, seed, look="fluorescence", cells="round")
        inside = field.labels > 0
        assert field.image[0][inside].mean() > field.image[0][~inside].mean()


def test_some_fields_have_a_channel_of_nuclei() -> None:
    fields = [simulate_cells((96, 96), 24, seed, "fluorescence", "epithelial") for seed in range(12)]
    with_nuclei = [field for field in fields if field.image[1].any()]
    assert 2 <= len(with_nuclei) <= 10
    brighter = [field.image[1][field.labels > 0].mean() > field.image[1].min() for field in with_nuclei]
    assert all(brighter)


@pytest.mark.parametrize("look", ["phase", "brightfield", "relief"])
def test_nuclei_are_stained_beside_transmitted_light_too(look: str) -> None:
    fields = [simulate_cells((96, 96), 24, seed, look, "round") for seed in range(20)]
    assert 1 <= sum(field.image[1].any() for field in fields) <= 12


def test_some_fields_are_nearly_empty() -> None:
    """In such a field the 99th percentile, which becomes white, is hardly brighter than the background."""
    covered = [np.mean(simulate_cells((240, 240), 16, seed, "nuclei", "round").labels > 0) for seed in range(40)]
    assert 0 < min(covered) < 0.03


def test_unknown_names_are_refused() -> None:
    with pytest.raises(CellspanError, match="fluorescence"):
        simulate_cells(look="x-ray")
    with pytest.raises(CellspanError, match="spindle"):
        simulate_cells(cells="cube")
