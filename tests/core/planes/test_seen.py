"""What the network said leads to objects at the size of the image, with any thresholds."""

from dataclasses import replace

import numpy as np
import pytest

from cellspan.core.dynamics.flows import labels_to_flows
from cellspan.core.objects.metrics import best_overlaps
from cellspan.core.parameters import Parameters
from cellspan.core.planes.seen import Seen
from cellspan.core.planes.stages import ArrayStages

pytestmark = pytest.mark.quick


@pytest.fixture
def seen(disks: np.ndarray) -> Seen:
    """The network looked at the image at its own size, and the image is 1.5 times as large as that."""
    outputs = np.concatenate([labels_to_flows(disks), np.where(disks > 0, 5, -5).astype(np.float32)[None]])
    return Seen(outputs, (120, 150), 40.0, 1 / 1.5, np.ones(4, np.float32) / 2, ArrayStages())


@pytest.mark.parametrize("resample", [True, False])
def test_objects_have_the_size_of_the_image(seen: Seen, resample: bool, disks: np.ndarray) -> None:
    found, outputs = seen.objects(Parameters(resample=resample))
    assert found.labels.shape == (120, 150)
    assert outputs.shape == (3, 120, 150)
    rows, columns = (np.arange(120) / 1.5).astype(int), (np.arange(150) / 1.5).astype(int)
    assert best_overlaps(disks[np.ix_(rows, columns)], found.labels).min() > 0.85
    assert (found.errors is None) == (not resample)


@pytest.mark.parametrize("resample", [True, False])
def test_everything_is_more_than_what_is_wanted(seen: Seen, resample: bool) -> None:
    strict = Parameters(resample=resample, min_size=500, exclude_on_edges=True)
    assert seen.objects(strict)[0].labels.max() == 2
    assert seen.everything(strict)[0].max() == 3


@pytest.mark.parametrize("resample", [True, False])
def test_no_object_lies_outside_a_mask(seen: Seen, resample: bool) -> None:
    # The flows are those of whole objects, so the errors of cut ones are large.
    usual = {"resample": resample, "flow_threshold": 0}
    whole = seen.objects(Parameters(**usual))[0].labels
    mask = np.zeros(seen.shape, bool)
    column = int(np.nonzero(whole == 1)[1].mean())
    mask[:, : column + 1] = True  # cuts the first object
    within = replace(seen, mask=mask)
    found, outputs = within.objects(Parameters(**usual))
    assert not found.labels[~mask].any()
    assert 1 <= found.labels.max() < whole.max()
    assert sorted(np.unique(found.labels)) == list(range(found.labels.max() + 1))
    np.testing.assert_array_equal(outputs, seen.objects(Parameters(**usual))[1])
    cut = (whole == 1) & mask
    assert np.mean(found.labels[cut] > 0) > 0.9
    # What the mask cuts is at an edge, and its size is that of what is left of it.
    inner, _ = within.objects(Parameters(**usual, exclude_on_edges=True))
    assert not inner.labels[cut].any()
    large, _ = within.objects(Parameters(**usual, min_size=int(cut.sum() * 1.2)))
    assert not large.labels[cut].any()


def test_a_hole_in_a_mask_is_not_filled(seen: Seen) -> None:
    whole = seen.objects(Parameters())[0].labels
    mask = np.ones(seen.shape, bool)
    y, x = (int(axis.mean()) for axis in np.nonzero(whole == 1))
    mask[y - 2 : y + 2, x - 2 : x + 2] = False
    found = replace(seen, mask=mask).objects(Parameters(flow_threshold=0))[0].labels
    assert found.max() == whole.max()
    np.testing.assert_array_equal(found > 0, (whole > 0) & mask)
