"""The distance of slices comes from the setting, else from NamesAndTypes; the engine gets the options of the choice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cellspan_plugin.layout import ONE_VOLUME, SLICES
from cellspan_plugin.volumes import anisotropy_of, fullest_slice, options

from cellspan.core.parameters import Parameters

pytestmark = pytest.mark.quick


def image(*spacing: float) -> Any:
    """What is looked at of a CellProfiler image, whose spacing is relative to X."""
    return SimpleNamespace(volumetric=len(spacing) == 3, spacing=spacing)


def test_a_given_distance_counts_before_the_spacing() -> None:
    assert anisotropy_of(image(2.0, 1.0, 1.0), 3.5) == 3.5
    assert anisotropy_of(image(2.0, 1.0, 1.0), 0.0) == 2.0
    assert anisotropy_of(image(1.0, 1.0), 3.5) == 1.0


@pytest.mark.parametrize("z", [0.0, -1.0, 1000.0, np.nan])
def test_a_spacing_that_cannot_be_is_named(z: float) -> None:
    with pytest.raises(ValueError, match="NamesAndTypes"):
        anisotropy_of(image(z, 1.0, 1.0), 0.0)


@pytest.mark.parametrize(("method", "is_3d"), [(ONE_VOLUME, True), (SLICES, False)])
def test_the_engine_takes_the_options(method: str, is_3d: bool) -> None:
    found = Parameters(**options(image(2.0, 1.0, 1.0), method, 2.0, 0.3))
    assert (found.do_3d, found.stitch_threshold, found.anisotropy) == (is_3d, 0.0 if is_3d else 0.3, 2.0)
    assert options(image(1.0, 1.0), method, 2.0, 0.3) == {}


def test_the_slice_with_the_most_objects() -> None:
    labels = np.zeros((4, 5, 5), np.int32)
    labels[1, :, :3] = 7
    labels[2:, 0, 0], labels[2:, 4, 4] = 3, 7
    assert fullest_slice(labels) == 2
    labels[3, 4, 3] = 7
    assert fullest_slice(labels) == 3
    assert fullest_slice(0 * labels) == 0
