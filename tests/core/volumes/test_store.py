"""The network's outputs: zeros that can be added to, in memory or in a folder that is gone afterwards."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from cellspan.core.volumes.store import BYTES_AT_ONCE, BYTES_PER_VOXEL, CHUNK, output_store, slab_thickness

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("on_disk", [False, True])
def test_what_is_added_is_there(on_disk: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    shape = (5, CHUNK + 3, 40)
    with output_store(shape, on_disk) as outputs:
        assert outputs.shape == (4, *shape)
        outputs[1, 2:4] += np.full((2, *shape[1:]), 0.25, np.float32)
        outputs[1, 3:5] += np.full((2, *shape[1:]), 0.5, np.float32)
        assert np.asarray(outputs[1])[:, 0, 0].tolist() == [0, 0, 0.25, 0.75, 0.5]
        assert not np.asarray(outputs[0]).any()
        assert any(tmp_path.iterdir()) == on_disk
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(10, 20, 30), (100, 2000, 2000), (2000, 3000, 100), (5, 30_000, 30_000)])
def test_slabs_fit_and_begin_with_chunks(shape: tuple[int, int, int]) -> None:
    thickness = slab_thickness(shape)
    largest = np.prod(shape) // min(shape)
    assert thickness == 1 or thickness * largest * BYTES_PER_VOXEL <= BYTES_AT_ONCE
    assert thickness < CHUNK or thickness % CHUNK == 0
