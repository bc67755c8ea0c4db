"""How large pixels are: units of many programs become micrometres, and resolutions of printers say nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellspan.core.pictures.reading import read_image
from cellspan.core.pictures.units import sizes

pytestmark = pytest.mark.quick
PLANE = np.arange(12 * 16, dtype=np.uint16).reshape(12, 16)


@pytest.mark.parametrize(
    ("options", "spacing"),
    [
        ({"imagej": True, "resolution": (4, 2), "metadata": {"unit": "um"}}, (0.5, 0.25)),
        ({"imagej": True, "resolution": (4, 2), "metadata": {"unit": "micron"}}, (0.5, 0.25)),
        ({"imagej": True, "resolution": (4000, 2000), "metadata": {"unit": "mm"}}, (0.5, 0.25)),
        ({"imagej": True, "resolution": (4, 2)}, None),
        ({"resolution": (40_000, 20_000), "resolutionunit": "CENTIMETER"}, (0.5, 0.25)),
        ({"resolution": (101_600, 50_800), "resolutionunit": "INCH"}, (0.5, 0.25)),
        ({"resolution": (300, 300), "resolutionunit": "INCH"}, None),
        ({"resolution": (72 / 2.54, 72 / 2.54), "resolutionunit": "CENTIMETER"}, None),
        ({"resolution": (1, 1), "resolutionunit": "CENTIMETER"}, None),
        ({"resolution": (4, 2)}, None),
        ({"ome": True, "metadata": {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5}}, (0.5, 0.25)),
        (
            {
                "ome": True,
                "metadata": {
                    "PhysicalSizeX": 250,
                    "PhysicalSizeXUnit": "nm",
                    "PhysicalSizeY": 0.0005,
                    "PhysicalSizeYUnit": "mm",
                },
            },
            (0.5, 0.25),
        ),
        ({"ome": True, "metadata": {"PhysicalSizeX": 0.25}}, None),
    ],
)
def test_planes_know_how_large_their_pixels_are(
    tmp_path: Path, options: dict[str, object], spacing: tuple[float, float] | None
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PLANE, **options)  # type: ignore[arg-type]
    image = read_image(tmp_path / "a.tif")
    assert image.spacing == (None if spacing is None else pytest.approx(spacing))
    assert image.unit == ("" if spacing is None else "µm")


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf"), None, "wide"])
def test_impossible_sizes_are_not_known(wrong: object) -> None:
    assert sizes({"Y": 1.0, "X": wrong}).plane is None


def test_units_that_are_no_lengths_stay() -> None:
    found = sizes({"Z": 2, "Y": 1, "X": 1}, "furlong")
    assert (found.volume, found.unit) == ((2, 1, 1), "furlong")
    assert sizes({"Z": 2, "Y": 1, "X": 1}, "pixel").unit == ""
