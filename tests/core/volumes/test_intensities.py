"""Intensities: one scale for the whole volume, the same in each of its parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.channels import LUMINANCE
from cellspan.core.pictures.volume import Volume
from cellspan.core.volumes import intensities
from cellspan.core.volumes.intensities import Intensities
from cellspan.core.volumes.resampling import Axis, Grid

pytestmark = pytest.mark.quick
SHAPE = (5, 12, 14)
WHOLE = (slice(0, 5), slice(0, 12), slice(0, 14))
PART = (slice(1, 3), slice(4, 9), slice(2, 14))


def volume(channels: int = 1, **more: Any) -> Volume:
    return Volume(np.random.default_rng(0).integers(100, 2000, (channels, *SHAPE)).astype(np.uint16), **more)


def test_percentiles_of_the_whole_become_0_and_1() -> None:
    found = Intensities(volume(), Parameters(do_3d=True, normalize=(10.0, 90.0)))
    planes = found.planes(WHOLE)
    assert np.percentile(planes[0], [10, 90]) == pytest.approx([0, 1], abs=1e-5)
    assert not planes[1].any()
    np.testing.assert_array_equal(found.planes(PART), planes[(slice(None), *PART)])


def test_inverted_and_plain() -> None:
    stack = volume()
    usual = Intensities(stack, Parameters(do_3d=True)).planes(PART)
    inverted = Intensities(stack, Parameters(do_3d=True, invert=True)).planes(PART)
    np.testing.assert_allclose(inverted[0], 1 - usual[0])
    plain = Intensities(stack, Parameters(do_3d=True, normalize=None)).planes(PART)
    np.testing.assert_array_equal(plain[0], stack.channels[(0, *PART)])


def test_channels_that_are_asked_for() -> None:
    stack = volume(3)
    found = Intensities(stack, Parameters(do_3d=True, channel=2, nuclei_channel=0, normalize=None))
    np.testing.assert_array_equal(found.planes(PART), stack.channels[(slice(None), *PART)][[2, 0]])
    assert not found.notes
    assert Intensities(stack, Parameters(do_3d=True)).notes, "one of three was chosen without being asked"
    with pytest.raises(CellspanError, match="channel = 3, but the image has 3"):
        Intensities(stack, Parameters(do_3d=True, channel=3))


def test_colours_are_seen_as_their_luminance() -> None:
    stack = volume(3, is_rgb=True)
    found = Intensities(stack, Parameters(do_3d=True, normalize=None)).planes(WHOLE)
    np.testing.assert_allclose(found[0], np.tensordot(LUMINANCE, stack.channels.astype(np.float32), 1), rtol=1e-5)


def test_large_volumes_are_sampled_in_every_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intensities, "SAMPLE", np.prod(SHAPE) // 4)
    stack = np.zeros((1, *SHAPE), np.uint16)
    stack[0, 2] = 1000  # one bright slice of five
    found = Intensities(Volume(stack), Parameters(do_3d=True))
    assert not found.is_flat
    assert found.planes(WHOLE)[0, 2].min() == 1


def test_constant_volumes_and_holes_in_them() -> None:
    assert Intensities(Volume(np.full((1, *SHAPE), 7.0)), Parameters(do_3d=True)).is_flat
    broken = np.ones((1, *SHAPE), np.float32)
    broken[0, 1, 5, 5:7] = np.nan
    notes = Intensities(Volume(broken), Parameters(do_3d=True)).notes
    assert any("voxels are NaN" in note for note in notes)
    broken[0, 1, 5, 5:7] = np.inf
    with pytest.raises(CellspanError, match="2 voxels are NaN or infinite"):
        Intensities(Volume(broken), Parameters(do_3d=True))


def test_a_part_of_the_grid_is_that_of_the_whole_grid() -> None:
    found = Intensities(volume(2), Parameters(do_3d=True, channel=0, nuclei_channel=1))
    grid = Grid(Axis(5, 15), Axis(12, 9), Axis(14, 14))
    whole = found.on_grid(grid, tuple(slice(0, size) for size in grid.shape))
    box = (slice(4, 11), slice(2, 8), slice(0, 14))
    np.testing.assert_allclose(found.on_grid(grid, box), whole[(slice(None), *box)], atol=1e-6)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"limits": (100, 1500)},
    {"tile_norm": 16},
    {"smooth": 1, "sharpen": 2},
    {"smooth": 1, "tile_norm": 16, "invert": True},
    {"channel": (0, 2), "combine": "maximum", "nuclei_channel": 1},
    {"channel": (0, 2), "limits": (0, 1000, 0, 500, 0, 2000), "nuclei_channel": 1},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_parts_are_those_of_the_whole_with_every_way_of_scaling(options: dict[str, Any]) -> None:
    found = Intensities(volume(3), Parameters(do_3d=True, **{"channel": 0, **options}))
    assert found.planes(WHOLE)[0].std() > 0
    np.testing.assert_allclose(found.planes(PART), found.planes(WHOLE)[(slice(None), *PART)], atol=1e-6)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("outside", [0, 60_000, np.nan, np.inf])
def test_what_lies_outside_a_mask_changes_nothing(options: dict[str, Any], outside: float) -> None:
    stack = volume(3).channels.astype(np.float32)
    mask = np.random.default_rng(1).random(SHAPE) < 0.7
    parameters = Parameters(do_3d=True, **{"channel": 0, **options})
    expected = Intensities(Volume(stack, mask=mask), parameters)
    found = Intensities(Volume(np.where(mask, stack, outside), mask=mask), parameters)
    np.testing.assert_array_equal(found.planes(WHOLE), expected.planes(WHOLE))
    assert np.ptp(found.planes(WHOLE)[0][~mask]) == 0
    assert found.notes == []


def test_limits_and_several_channels_mean_the_same_as_in_planes() -> None:
    stack = volume(3)
    parameters = Parameters(do_3d=True, channel=(0, 2), limits=(0, 1000, 0, 500), combine="mean")
    expected = (stack.channels[0] / 1000 + stack.channels[2] / 500) / 2
    np.testing.assert_allclose(Intensities(stack, parameters).planes(WHOLE)[0], expected, rtol=1e-5)


def test_gaps_inside_a_mask_are_told() -> None:
    stack = volume().channels.astype(np.float32)
    mask = np.zeros(SHAPE, bool)
    mask[1] = True
    stack[0, 1, 0, :3] = stack[0, 3] = np.nan
    found = Intensities(Volume(stack, mask=mask), Parameters(do_3d=True))
    assert found.notes[0].startswith("3 of 168 voxels are NaN")
    stack[0, 1] = np.nan
    with pytest.raises(CellspanError, match="all voxels inside the mask are NaN"):
        Intensities(Volume(stack, mask=mask), Parameters(do_3d=True))
