"""The macro without a display, as on a cluster: the overlay instead of the ROI Manager, a line instead of a box."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

pytestmark = pytest.mark.end_to_end

PROGRAMS = Path(__file__).parent / "programs"
CALLER = """
newImage("field", "8-bit ramp", 64, 64, 1);
arguments = split(getArgument(), "\\n");
result = runMacro(arguments[0], arguments[1]);
print("result " + result + ", overlay " + Overlay.size);
"""


@pytest.mark.data
def test_every_roi_is_exactly_its_object(imagej, nuclei: Path, expected_labels: np.ndarray, tmp_path: Path) -> None:
    painted = tmp_path / "painted.tif"
    printed = imagej.headless(PROGRAMS / "segment.ijm", nuclei, painted, "model=nuclei", imagej.macro)
    count = int(expected_labels.max())
    assert printed.splitlines() == [
        "selection 3 4 10 12",
        "images 1 1",
        f"count {count}",
        *[f"name {label:04}" for label in range(1, count + 1)],
    ]
    np.testing.assert_array_equal(tifffile.imread(painted), expected_labels)
    assert list(imagej.temporary.iterdir()) == []


def test_errors_are_one_line_and_no_roi(imagej, engine_home: Path) -> None:
    first, second = imagej.headless(CALLER, imagej.macro, "model=[none such]").splitlines()
    assert first.startswith("ERROR There is no model 'none such'")
    assert second == "result [aborted], overlay 0"
    assert list(imagej.temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("Diameter=30", "There is no setting 'Diameter'"),
        ("model=[my own model] diamter=30", "There is no setting 'diamter'"),
        ("exclude_on_edges=yes", "exclude_on_edges = 'yes' is not possible"),
    ],
)
def test_settings_are_not_ignored(imagej, settings: str, message: str) -> None:
    assert imagej.headless(CALLER, imagej.macro, settings).startswith(f"ERROR {message}")


def test_stacks_are_refused_by_the_engine(imagej, engine_home: Path) -> None:
    printed = imagej.headless(CALLER.replace("64, 1", "64, 5"), imagej.macro, "model=nuclei")
    assert printed.startswith("ERROR the file holds 5 z-slices")


def test_without_the_file_that_names_the_engine(imagej) -> None:
    imagej.engine.unlink()
    printed = imagej.headless(CALLER, imagej.macro, "model=nuclei")
    assert printed.startswith("ERROR cellspan's engine is not known here")
