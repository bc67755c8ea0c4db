"""A cell with several nuclei is shared among them along the flows, in 2D and in 3D."""

from __future__ import annotations

import numpy as np
import pytest

from cellspan.core.objects.splitting import owners

pytestmark = pytest.mark.quick

SHARED = np.array([False, True, True])


def box_with_two_nuclei(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A cell that fills the image, with a nucleus near each end of its last axis."""
    cells, nuclei = np.ones(shape, np.int32), np.zeros(shape, np.int32)
    middle = tuple(slice(side // 2 - 1, side // 2 + 1) for side in shape[:-1])
    nuclei[(*middle, slice(1, 3))] = 1
    nuclei[(*middle, slice(-3, -1))] = 2
    return cells, nuclei


@pytest.mark.parametrize("shape", [(8, 20), (6, 8, 20)])
def test_without_flows_the_nearest_nucleus_takes_a_pixel(shape: tuple[int, ...]) -> None:
    cells, nuclei = box_with_two_nuclei(shape)
    found = owners(cells, nuclei, SHARED, np.zeros((len(shape), *shape), np.float32))
    assert (found[..., :9] == 1).all()
    assert (found[..., 11:] == 2).all()


@pytest.mark.parametrize(("dimensions", "along"), [(2, 2), (3, 3), (3, 2)])
def test_flows_decide_where_they_lead_to_a_nucleus(dimensions: int, along: int) -> None:
    """Flows aslant, to a nucleus that is a little farther than the other; of a volume also those within slices."""
    shape = (8, 8) if dimensions == 2 else (3, 8, 8)
    cells, nuclei = np.ones(shape, np.int32), np.zeros(shape, np.int32)
    plane, corner = (nuclei, (0, 0)) if dimensions == 2 else (nuclei[1], (1, 0, 0))
    plane[4, 0], plane[3, 3] = 1, 2
    flows = np.zeros((along, *shape), np.float32)
    assert owners(cells, nuclei, SHARED, flows)[corner] == 1
    flows[-2:] = 0.5**0.5
    found = owners(cells, nuclei, SHARED, flows)
    assert found[corner] == 2
    assert (found[nuclei > 0] == nuclei[nuclei > 0]).all(), "a nucleus keeps what it covers"


def test_slices_that_are_far_apart_are_far_to_go() -> None:
    cells, nuclei = np.ones((5, 21, 3), np.int32), np.zeros((5, 21, 3), np.int32)
    nuclei[0, 8], nuclei[4, 20] = 1, 2
    still = np.zeros((3, *cells.shape), np.float32)
    assert (owners(cells, nuclei, SHARED, still, anisotropy=1)[4, 10] == 1).all(), "4 up and 2 aside, not 10 aside"
    assert (owners(cells, nuclei, SHARED, still, anisotropy=4)[4, 10] == 2).all(), "16 up is farther than 10 aside"


def test_a_step_along_the_flows_is_shorter_in_slices() -> None:
    """Flows are in pixels along X and Y: with slices 2 apart, 4 steps along Z are 2 slices."""
    cells, nuclei = np.ones((9, 3, 21), np.int32), np.zeros((9, 3, 21), np.int32)
    nuclei[2, :, 10], nuclei[5, :, 12] = 1, 2
    up = np.zeros((3, *cells.shape), np.float32)
    up[0] = -1
    found = owners(cells, nuclei, SHARED, up, anisotropy=2)
    assert (found[4, :, 10] == 1).all(), "led up to the first, although the second is nearer"


@pytest.mark.parametrize("shape", [(8, 40), (6, 8, 40)])
def test_neighbours_that_touch_do_not_take_from_each_other(shape: tuple[int, ...]) -> None:
    """All flows lead out of the first cell into the second; still each nucleus gets pixels of its own cell alone."""
    one, nuclei_of_one = box_with_two_nuclei((*shape[:-1], 20))
    cells = np.concatenate([one, one + 1], axis=-1)
    nuclei = np.concatenate([nuclei_of_one, np.where(nuclei_of_one > 0, nuclei_of_one + 2, 0)], axis=-1)
    flows = np.zeros((len(shape), *shape), np.float32)
    flows[-1] = 1
    found = owners(cells, nuclei, SHARED, flows)
    assert set(np.unique(found[cells == 1])) == {1, 2}
    assert set(np.unique(found[cells == 2])) == {3, 4}
    alone = owners(cells, nuclei, np.array([False, False, True]), flows)
    assert not alone[cells == 1].any(), "a cell that is not shared has no owners"
