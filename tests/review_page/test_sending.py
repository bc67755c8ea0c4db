"""What the engine gets: the pixels and parameters with which `cellspan segment` would give the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.parameters import Parameters
from cellspan.review_page.sending import STACKED, read_for_engine
from cellspan.review_page.stacks import look_at

pytestmark = pytest.mark.quick
RNG = np.random.default_rng(0)


class Recorder:
    """What it was sent."""

    def segment(self, pixels: Any, parameters: Any, tell: Any, also: Any, keep: bool = False) -> None:
        self.pixels, self.parameters, self.keep = pixels, parameters, keep


def sent(path: Path, **parameters: Any) -> tuple[Recorder, Any]:
    recorder: Any = Recorder()
    read = read_for_engine(path, None, look_at(path), Parameters(**parameters))
    read.ask(recorder, None)
    return recorder, read


def written(path: Path, shape: tuple[int, ...], axes: str) -> np.ndarray:
    pixels = RNG.integers(0, 999, shape).astype(np.uint16)
    photometric = "rgb" if axes.endswith("S") else "minisblack"
    tifffile.imwrite(path / "a.tif", pixels, photometric=photometric, metadata={"axes": axes})
    return pixels


@pytest.mark.parametrize(("shape", "axes"), [((9, 8), "YX"), ((9, 8, 3), "YXS"), ((3, 9, 8), "CYX")])
def test_planes_as_they_are(shape: tuple[int, ...], axes: str, tmp_path: Path) -> None:
    pixels = written(tmp_path, shape, axes)
    recorder, _ = sent(tmp_path / "a.tif", diameter=5, stitch_threshold=0.5)
    np.testing.assert_array_equal(recorder.pixels, pixels)
    assert recorder.parameters == {"diameter": 5.0}
    assert recorder.keep


def test_of_many_channels_those_that_are_chosen(tmp_path: Path) -> None:
    pixels = written(tmp_path, (12, 9, 8), "CYX")
    recorder, _ = sent(tmp_path / "a.tif", channel=7, nuclei_channel=2)
    np.testing.assert_array_equal(recorder.pixels, pixels[[7, 2]])
    assert recorder.parameters == {"channel": 0, "nuclei_channel": 1}


def test_a_stack_is_joined_unless_it_is_said_how(tmp_path: Path) -> None:
    pixels = written(tmp_path, (4, 2, 9, 8), "ZCYX")
    recorder, read = sent(tmp_path / "a.tif")
    np.testing.assert_array_equal(recorder.pixels, pixels)
    assert (recorder.parameters, read.notes) == ({"stitch_threshold": 0.25}, [STACKED])
    recorder, read = sent(tmp_path / "a.tif", do_3d=True, anisotropy=3)
    assert (recorder.parameters, read.notes) == ({"do_3d": True, "anisotropy": 3.0}, [])


def test_time_points_of_stacks_are_refused(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 99, (2, 3, 9, 8)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True, metadata={"axes": "TZYX"})
    with pytest.raises(CellspanError, match="holds 2 time points of a z-stack; save each one"):
        sent(tmp_path / "a.tif")
