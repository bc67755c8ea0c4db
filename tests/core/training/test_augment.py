"""Augmentation: crops turn their flows along, and change contrast only as often as asked."""

from dataclasses import replace

import numpy as np
import pytest

from cellspan.core.dynamics.flows import labels_to_flows
from cellspan.core.training.augment import UNKNOWN, Contrast, Crop, _across_planes, random_crop
from cellspan.core.training.data import Field

pytestmark = pytest.mark.quick


@pytest.fixture
def field() -> Field:
    """One bright ellipse with a nucleus in the second channel."""
    y, x = np.mgrid[:160, :160]
    labels = ((y - 80) ** 2 / 900 + (x - 80) ** 2 / 400 < 1).astype(np.int32)
    nucleus = (y - 80) ** 2 + (x - 80) ** 2 < 100
    image = np.stack([labels, nucleus]).astype(np.float32)
    return Field("one", image, labels, labels_to_flows(labels), 50)


def test_crops_turn_their_flows(field: Field) -> None:
    for seed in range(10):
        crop = random_crop(field, 224, np.random.default_rng(seed))
        inside = crop.foreground > 0
        again = labels_to_flows(inside.astype(np.int32))
        assert (again * crop.flows).sum(0)[inside].mean() > 0.95
        assert crop.image.shape == (2, 224, 224)


def test_where_nobody_is_sure_the_foreground_is_unknown(field: Field) -> None:
    left = np.zeros(field.labels.shape, bool)
    left[:, :80] = True
    sure = replace(field, labels=np.where(left, 0, field.labels), flows=np.where(left, 0, field.flows), unsure=left)
    for seed in range(5):
        plain, crop = (random_crop(one, 128, np.random.default_rng(seed)) for one in (replace(sure, unsure=None), sure))
        unknown = crop.foreground == UNKNOWN
        assert 0.1 < unknown.mean() < 0.9
        assert not plain.foreground[unknown].any()
        assert not crop.flows[:, unknown].any()
        np.testing.assert_array_equal(crop.foreground[~unknown], plain.foreground[~unknown])


def test_flows_of_crops_are_whole_up_to_the_outline() -> None:
    """Also between objects that touch, and in small ones, which are mostly outline."""
    y, x = np.mgrid[:120, :120]
    labels = np.zeros((120, 120), np.int32)
    labels[(y - 60) ** 2 + (x - 40) ** 2 < 21**2] = 1
    labels[((y - 55) ** 2 + (x - 75) ** 2 < 24**2) & (labels == 0)] = 2
    labels[(y - 100) ** 2 + (x - 20) ** 2 < 3**2] = 3
    field = Field("two", np.zeros((2, 120, 120), np.float32), labels, labels_to_flows(labels), 40)
    still = np.count_nonzero((np.abs(field.flows).sum(0) == 0) & (labels > 0))
    assert still <= 3  # the centre of an object may have no direction
    for seed in range(20):
        crop = random_crop(field, 160, np.random.default_rng(seed), wide=seed % 2 == 1)
        lengths = np.hypot(*crop.flows)
        inside = crop.foreground > 0
        assert (lengths[~inside] == 0).all()
        short = inside & (np.abs(lengths - 1) > 1e-3)
        assert short.sum() <= still * np.ceil(crop.magnification + 1) ** 2
        assert (lengths[short] < 1e-3).all()


def test_shrunk_crops_are_averaged_as_in_inference() -> None:
    """A pattern finer than a pixel of the crop turns grey; it would flicker if single pixels were taken."""
    board = (np.indices((600, 600)).sum(0) % 2).astype(np.float32)
    labels = np.ones((600, 600), np.int32)
    field = Field("board", np.stack([board, 0 * board]), labels, np.zeros((2, 600, 600), np.float32), 40)
    crops = [random_crop(field, 96, np.random.default_rng(seed), wide=True) for seed in range(40)]

    def contrast(crop: Crop) -> float:
        """Between neighbours inside the image."""
        steps = np.abs(np.diff(crop.image[0]))
        return float(np.median(steps[(crop.foreground[:, 1:] > 0) & (crop.foreground[:, :-1] > 0)]))

    shrunk = [contrast(crop) for crop in crops if crop.magnification < 0.4]
    assert len(shrunk) >= 5
    assert np.median(shrunk) < 0.04
    assert np.median([contrast(crop) for crop in crops if 1 < crop.magnification < 2]) > 0.12


def test_crops_of_an_image_without_objects() -> None:
    nothing = np.zeros((80, 90), np.int32)
    image = np.random.default_rng(0).random((2, 80, 90)).astype(np.float32)
    field = Field("empty", image, nothing, labels_to_flows(nothing), 0)
    for seed in range(10):
        crop = random_crop(field, 64, np.random.default_rng(seed))
        assert crop.magnification == 0  # nobody can tell
        assert crop.image[0].any()
        assert not crop.flows.any()
        assert not crop.foreground.any()


def test_an_empty_second_channel_stays_empty(field: Field) -> None:
    field.image[1] = 0
    for seed in range(10):
        assert not random_crop(field, 96, np.random.default_rng(seed), Contrast(invert=1)).image[1].any()


@pytest.mark.parametrize("invert", [0, 1])
def test_bright_and_dark_change_places_where_asked(field: Field, invert: float) -> None:
    for seed in range(10):
        crop = random_crop(field, 96, np.random.default_rng(seed), Contrast(invert=invert))
        # Away from the outline and from what lies beyond the border of the image.
        inside = crop.foreground > 0
        if 0.1 < inside.mean() < 0.6:
            brighter = np.median(crop.image[0][inside]) > np.median(crop.image[0][~inside])
            assert brighter == (invert == 0)


def test_nuclei_are_dropped_where_asked(field: Field) -> None:
    crops = [random_crop(field, 224, np.random.default_rng(seed), Contrast(drop_nuclei=0.5)) for seed in range(20)]
    assert 3 <= sum(not crop.image[1].any() for crop in crops) <= 17
    crops = [random_crop(field, 224, np.random.default_rng(seed), Contrast(drop_nuclei=0)) for seed in range(20)]
    assert all(crop.image[1].any() for crop in crops)


def test_crops_say_their_magnification(field: Field) -> None:
    """What the object measures in the crop follows from it; wide crops go farther from 1."""
    for seed in range(10):
        crop = random_crop(field, 400, np.random.default_rng(seed))
        expected = np.count_nonzero(field.labels) * crop.magnification**2
        assert np.count_nonzero(crop.foreground) == pytest.approx(expected, rel=0.05)
    narrow, wide = (
        [random_crop(field, 32, np.random.default_rng(seed), wide=wide).magnification for seed in range(60)]
        for wide in (False, True)
    )
    assert 0.5 <= min(narrow) < max(narrow) <= 2
    assert 0.2 <= min(wide) < 0.4
    assert 2.5 < max(wide) <= 5


def test_some_crops_look_like_slices_across_a_stack(field: Field) -> None:
    """Blurred along one axis, sharp along the other; an empty channel stays empty."""
    rng = np.random.default_rng(3)
    image = np.zeros((2, 200, 180), np.float32)
    image[0] = rng.random((200, 180))
    seen = _across_planes(image, rng)
    assert seen.shape == image.shape
    assert seen.dtype == np.float32
    along, across = (np.abs(np.diff(seen[0], axis=axis)).mean() for axis in (0, 1))
    assert along < 0.5 * across
    assert not seen[1].any()
