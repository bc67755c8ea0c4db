"""Volumes are restored slice by slice, on one scale, before their objects are looked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.volume import Volume
from cellspan.core.planes.restoring import Restorer
from cellspan.core.segmenter import Segmenter
from cellspan.core.volumes import restoring
from cellspan.core.volumes.intensities import Intensities
from cellspan.core.volumes.restoring import restore_volume, restored_store

pytestmark = [pytest.mark.quick, pytest.mark.usefixtures("restoring_models")]
PIXELS = np.random.default_rng(0).integers(0, 4000, (2, 3, 40, 48)).astype(np.uint16)
WHOLE = (slice(0, 3), slice(0, 40), slice(0, 48))


def silent(part: float, words: str) -> None:
    """Progress that is not shown."""


def restored(parameters: Parameters, name: str = "denoise_cyto3", diameter: float | None = 30.0) -> Any:
    store = np.zeros(PIXELS.shape, np.float32)
    return restore_volume(Volume(PIXELS), parameters, Restorer(name, "cpu"), diameter, store, silent, None)


def test_each_slice_is_restored_on_the_scale_of_the_volume() -> None:
    volume, parameters, notes = restored(Parameters(do_3d=True, channel=1, nuclei_channel=0))
    assert parameters == Parameters(do_3d=True, channel=0, nuclei_channel=1)
    assert notes == []
    network = Restorer("denoise_cyto3", "cpu").network
    scaled = Intensities(Volume(PIXELS), Parameters(do_3d=True, channel=1)).planes(WHOLE)[0]
    for z in range(3):
        np.testing.assert_array_equal(volume.channels[0, z], network.restored(scaled[z], 1.0, lambda part: None))
    nuclei = Restorer("denoise_nuclei", "cpu").network
    scaled = Intensities(Volume(PIXELS), Parameters(do_3d=True, channel=0)).planes(WHOLE)[0]
    np.testing.assert_array_equal(volume.channels[1, 2], nuclei.restored(scaled[2], 30 / 17, lambda part: None))


def test_models_that_enlarge_are_for_planes() -> None:
    with pytest.raises(CellspanError, match=r"upsample_cyto3 enlarges images .* for single planes"):
        restored(Parameters(do_3d=True, channel=0), "upsample_cyto3", 20.0)
    restored(Parameters(do_3d=True, channel=0), "upsample_cyto3", 30.0)


def test_large_volumes_are_kept_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    in_memory, _, _ = restored(Parameters(do_3d=True, channel=1))
    monkeypatch.setattr(restoring, "available_memory", lambda: 0)
    with restored_store(1, (3, 40, 48)) as store:
        assert not isinstance(store, np.ndarray)
        found = restore_volume(
            Volume(PIXELS),
            Parameters(do_3d=True, channel=1),
            Restorer("denoise_cyto3", "cpu"),
            30.0,
            store,
            silent,
            None,
        )[0]
        np.testing.assert_array_equal(np.asarray(found.channels), in_memory.channels[:1])
        np.testing.assert_array_equal(found.block(0, slice(1, 2), slice(0, 9), slice(3, 8)), store[0, 1:2, :9, 3:8])


@pytest.mark.parametrize("options", [{"do_3d": True}, {"stitch_threshold": 0.3}])
@pytest.mark.parametrize("diameter", [24.0, None])
def test_a_volume_is_segmented_as_it_was_restored(options: dict[str, Any], diameter: float | None) -> None:
    segmenter, heard = Segmenter("nuclei", "cpu"), list[float]()
    parameters = Parameters(model="nuclei", restore="denoise_cyto3", diameter=diameter, channel=1, **options)
    found = segmenter.segment(Volume(PIXELS), parameters, lambda part, words: heard.append(part))
    assert heard == sorted(heard)
    assert found.restored is not None
    assert found.restored.shape == (1, 3, 40, 48)
    assert found.parameters == parameters
    assert len(found.restore_sha256) == 64
    plain = segmenter.segment(Volume(found.restored), Parameters(model="nuclei", diameter=found.diameter, **options))
    np.testing.assert_array_equal(found.probability, plain.probability)
