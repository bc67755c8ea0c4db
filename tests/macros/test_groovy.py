"""The Groovy script in the real ImageJ, run as Fiji runs it: with and without a display."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

pytestmark = pytest.mark.end_to_end

PROGRAMS = Path(__file__).parent / "programs"
PROGRAM = PROGRAMS / "run_script.groovy"
display_or_not = pytest.mark.parametrize("with_display", [True, False], ids=["window", "headless"])


@pytest.mark.data
@display_or_not
def test_every_roi_is_exactly_its_object(
    imagej, nuclei: Path, expected_labels: np.ndarray, tmp_path: Path, with_display: bool
) -> None:
    painted = tmp_path / "painted.tif"
    printed = imagej.groovy(PROGRAM, imagej.script, nuclei, painted, "model=nuclei", display=with_display)
    names = " ".join(f"{label:04}" for label in range(1, int(expected_labels.max()) + 1))
    assert printed.splitlines() == ["own true", f"names {names}"]
    np.testing.assert_array_equal(tifffile.imread(painted), expected_labels)
    assert list(imagej.temporary.glob("cellspan*")) == []


@pytest.mark.data
def test_settings_reach_the_engine(imagej, engine_home: Path, cellspan, nuclei: Path, tmp_path: Path) -> None:
    options = ["--diameter", 40, "--flow-threshold", 0, "--cellprob-threshold", -1.5, "--min-size", 400]
    cellspan("segment", nuclei, "-o", tmp_path, "--model", "nuclei", *options, "--exclude-on-edges", "--save", "labels")
    expected = tifffile.imread(next(tmp_path.glob("*_labels.tif")))
    settings = ["diameter=40", "flow_threshold=0", "cellprob_threshold=-1.5", "min_size=400", "exclude_on_edges=true"]
    painted = tmp_path / "painted.tif"
    imagej.groovy(PROGRAM, imagej.script, nuclei, painted, "model=nuclei", *settings, display=False)
    np.testing.assert_array_equal(tifffile.imread(painted), expected)


@pytest.mark.data
@pytest.mark.parametrize(
    ("engine", "settings", "message"),
    [
        (None, ["model=none such"], "ERROR There is no model 'none such'"),
        ("", [], "ERROR cellspan's engine is not known here"),
        ("/no such/python\n", [], "ERROR The engine did not start"),
        ("java\n-version\n", [], "ERROR The engine gave no answer"),
    ],
)
def test_errors_are_one_line_and_no_roi(
    imagej, engine_home: Path, nuclei: Path, tmp_path: Path, engine: str | None, settings: list[str], message: str
) -> None:
    if engine is not None:
        imagej.engine.write_text(engine)
    if engine == "":
        imagej.engine.unlink()
    printed = imagej.groovy(PROGRAM, imagej.script, nuclei, tmp_path / "painted.tif", *settings, display=False)
    lines = printed.splitlines()
    assert lines[0].startswith(message)
    assert lines[1:] == ["own true", "names "]
    assert list(imagej.temporary.glob("cellspan*")) == []


def test_fiji_understands_the_parameters(imagej) -> None:
    printed = imagej.groovy(PROGRAMS / "script_parameters.groovy", imagej.script, display=False)
    assert printed.splitlines() == [
        "image ImagePlus null",
        "model String cyto",
        "diameter Double 0.0",
        "flow_threshold Double 0.4",
        "cellprob_threshold Double 0.0",
        "min_size Integer 15",
        "exclude_on_edges Boolean false",
    ]
