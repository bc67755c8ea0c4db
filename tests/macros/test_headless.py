"""The macro without a display, as on a cluster: the overlay instead of the ROI Manager, a line instead of a box."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellspan.core.training.simulate import simulate_nuclei

pytestmark = pytest.mark.end_to_end

PROGRAMS = Path(__file__).parent / "programs"
CALLER = """
newImage("field", "8-bit ramp", 64, 64, 1);
arguments = split(getArgument(), "\\n");
result = runMacro(arguments[0], arguments[1]);
print("result " + result + ", overlay " + Overlay.size);
"""


@pytest.fixture
def imagej(plain_imagej):
    """The macro is for plain ImageJ."""
    return plain_imagej


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


def test_an_image_is_restored_first(
    imagej, cold_engine: Path, cellspan, restoring_models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(restoring_models))
    image, painted = tmp_path / "noisy.tif", tmp_path / "painted.tif"
    tifffile.imwrite(image, simulate_nuclei((120, 150), diameter=26, seed=1).image)
    found = []
    for restoring in ("denoise_cyto3", "none"):
        options = ["--diameter", 26, "--restore", restoring, "--save", "labels", "--overwrite"]
        cellspan("segment", image, "-o", tmp_path / "found", "--model", "nuclei", *options)
        found.append(tifffile.imread(tmp_path / "found" / "noisy_labels.tif"))
    settings = "model=nuclei diameter=26 restore=denoise_cyto3"
    imagej.headless(PROGRAMS / "segment.ijm", image, painted, settings, imagej.macro)
    np.testing.assert_array_equal(tifffile.imread(painted), found[0])
    assert not np.array_equal(*found)


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
        ("results=table", "results = 'table' is not possible; choose one of: ROI Manager"),
        ("channel=2", "channel = 2, but the image has 1 channel(s)"),
    ],
)
def test_settings_are_not_ignored(imagej, settings: str, message: str) -> None:
    assert imagej.headless(CALLER, imagej.macro, settings).startswith(f"ERROR {message}")
    assert list(imagej.temporary.iterdir()) == []


STACK = """
arguments = split(getArgument(), "\\n");
open(arguments[0]);
Stack.setPosition(2, 3, 2);
makeOval(10, 8, 160, 130); // sticks out
result = runMacro(arguments[1], "model=nuclei diameter=26 results=[overlay and label image] " + arguments[2]);
selectImage(1);
Roi.getBounds(x, y, width, height);
print("selection " + selectionType() + " " + x + " " + y + " " + width + " " + height + ", overlay " + Overlay.size);
for (i = 0; i < Overlay.size; i++) {
    Overlay.activateSelection(i);
    Roi.getPosition(channel, slice, frame);
    Roi.getContainedPoints(xs, ys);
    print("roi " + Roi.getName + " " + slice + " " + frame + " " + xs.length);
}
selectImage(2);
print("labels " + getTitle());
getVoxelSize(width, height, depth, unit);
Stack.getUnits(unitX, unitY, unitZ, time, value);
print("size " + width + " " + height + " " + depth + " " + unitX + " " + Stack.getFrameInterval() + " " + time);
saveAs("tiff", arguments[3]);
"""


SIZE = {"unit": "micron", "spacing": 1.5, "finterval": 30, "tunit": "min"}


@pytest.mark.parametrize("planes", ["current plane", "every plane"])
def test_channels_stacks_and_selections(imagej, engine_home: Path, tmp_path: Path, planes: str) -> None:
    """Inside an oval of a hyperstack; outlines and label image agree, and lie where the objects are."""
    slices = np.stack([simulate_nuclei((120, 150), diameter=26, seed=seed).image for seed in range(3)])
    path, saved = tmp_path / "cells 1.tif", tmp_path / "labels.tif"
    nuclei = np.stack([slices, slices[::-1]])
    stack = np.stack([np.full_like(nuclei, 100), nuclei], axis=2)
    tifffile.imwrite(path, stack, imagej=True, resolution=(4, 4), metadata={"axes": "TZCYX", **SIZE})
    printed = imagej.headless(STACK, path, imagej.macro, f"planes=[{planes}]", saved).splitlines()
    labels = tifffile.imread(saved).reshape(-1, 120, 150)
    count = len(printed) - 3
    assert printed[0] == f"selection 1 10 8 160 130, overlay {count}"
    assert printed[-2:] == ["labels cells 1_labels", "size 0.25 0.25 1.5 micron 30 min"]
    assert len(labels) == (1 if planes == "current plane" else 6)
    assert count > 2 * len(labels)
    for line in printed[1:-2]:
        _, name, *numbers = line.split()
        z, t, area = map(int, numbers)
        assert name.startswith(f"{t:04}-{z:04}-")
        plane = labels[0 if planes == "current plane" else (t - 1) * 3 + z - 1]
        assert np.count_nonzero(plane == int(name.split("-")[2])) == area
    y, x = np.nonzero(labels.max(axis=0))
    assert y.min() >= 8
    assert x.min() >= 10
    assert list(imagej.temporary.iterdir()) == []


def test_without_the_file_that_names_the_engine(imagej) -> None:
    imagej.engine.unlink()
    printed = imagej.headless(CALLER, imagej.macro, "model=nuclei")
    assert printed.startswith("ERROR The cellspan engine was not found")


QUOTING = """
arguments = split(getArgument(), "\\n");
for (k = 0; k < arguments.length; k++) {
    code = "return " + quote(arguments[k]) + ";";
    print(eval(code));
}
"""


def test_any_path_survives_the_macro_language(imagej) -> None:
    """Paths of Windows, Linux and the Mac, as words of a command."""
    paths = [
        r"C:\Program Files\Fiji.app\new\tools",
        r"\\server\share\Bilder (2)\n.tif",
        '/home/ann/it\'s "here"/t',
        "/Users/J\u00fcrgen/\u7d30\u80de 1/\u00f1.tif",
        "C:/with spaces/and, commas;",
    ]
    macro = imagej.macro.read_text(encoding="ascii")
    start = macro.index("function quote(text)")
    quote = macro[start : macro.index("}", start) + 1]
    assert imagej.headless(QUOTING + quote, *paths).splitlines() == paths
