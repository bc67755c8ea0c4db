"""One image, one set of parameters: Python, command line, HTTP, CellProfiler and ImageJ give the same labels.

With a bundled model, and with a network of Cellpose 4 (small, with weights made by hand).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellspan.core import Parameters, Segmenter
from cellspan.core.pictures.reading import read_image
from cellspan.core.service.client import Engine
from cellspan.core.training.simulate import simulate_nuclei
from cellspan.cp_module.install import install as install_plugin
from cellspan.fiji_bridge.install import install as install_macros

from .blob_finder import save_blob_finder

pytestmark = [pytest.mark.end_to_end, pytest.mark.data]
OPTIONS = {"diameter": 21.5, "flow_threshold": 0.5, "cellprob_threshold": -0.5, "min_size": 40}
PIPELINE = Path(__file__).parent / "cp_module" / "pipelines" / "nuclei.cppipe"
IN_PIPELINE = {
    "Estimate the diameter": "No",
    "Typical diameter": OPTIONS["diameter"],
    "Flow error": OPTIONS["flow_threshold"],
    "Cell probability": OPTIONS["cellprob_threshold"],
    "Minimum size": OPTIONS["min_size"],
    "Discard objects": "No",
}
IN_IMAGEJ = """
import sys
import numpy as np
from cellspan.fiji_bridge import connect, imagej_to_labels
image, macro, options, result = sys.argv[1:]
imagej = connect(headless=True)
imagej.run_macro(f'open("{image}"); answer = runMacro("{macro}", "{options}"); if (answer == "[aborted]") exit();')
shown = imagej.java_class("ij.IJ").getImage()
np.save(result, imagej_to_labels(shown.getOverlay(), (shown.getHeight(), shown.getWidth())))
"""


@pytest.fixture(params=["nuclei", "cpsam_v2"])
def model(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A model of each kind that finds objects, by its name."""
    if request.param == "cpsam_v2":
        save_blob_finder(tmp_path / "cellpose" / "cpsam_v2")
        monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "cellpose"))
    return str(request.param)


@pytest.fixture
def image(model: str, shared_data: Path, tmp_path: Path) -> Path:
    """Human nuclei, 8 bit, about 300; for the small network simulated ones."""
    if model == "nuclei":
        return next((shared_data / "cellprofiler_examples" / "human").glob("*d0.tif"))
    path = tmp_path / "images" / "cells_d0.tif"
    path.parent.mkdir()
    tifffile.imwrite(path, simulate_nuclei((200, 260), 18, seed=3).image.astype(np.uint16))
    return path


@pytest.fixture
def expected(model: str, image: Path) -> np.ndarray:
    """What Python gives."""
    labels = Segmenter(model, "cpu").segment(image, Parameters(model=model, **OPTIONS)).labels
    assert labels.max() > (200 if model == "nuclei" else 15)
    return labels


def test_command_line(model: str, image: Path, expected: np.ndarray, cellspan: Callable, tmp_path: Path) -> None:
    flags = ["--model", model]
    flags += [word for name, value in OPTIONS.items() for word in (f"--{name.replace('_', '-')}", value)]
    cellspan("segment", image, "-o", tmp_path, *flags)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / f"{image.stem}_labels.tif"), expected)


def test_http(model: str, image: Path, expected: np.ndarray, engine_home: Path) -> None:
    options = {"model": model, **OPTIONS}
    engine = Engine([sys.executable, "-m", "cellspan.core.cli", "serve"])
    np.testing.assert_array_equal(engine.segment(read_image(image).channels[0], options).labels, expected)
    result, _ = engine.run(image.read_bytes(), "image/tiff", options)
    np.testing.assert_array_equal(result.labels, expected)


SCALED = {"limits": (300, 9000), "channel": (0, 2), "combine": "maximum"}
IN_TILES = {"tile_norm": 64, "smooth": 1, "sharpen": 8, "channel": (0, 2), "combine": "mean"}


@pytest.mark.parametrize("options", [SCALED, IN_TILES, {**SCALED, "tile_norm": 64}])
def test_several_channels_a_mask_and_every_way_of_scaling(
    options: dict[str, object], cellspan: Callable, engine_home: Path, tmp_path: Path
) -> None:
    """Of a simulated picture, through Python, the command line and HTTP."""
    field = simulate_nuclei((220, 260), diameter=24, seed=7)
    light = np.linspace(0.4, 1.6, 260)
    one = (field.image * light).astype(np.uint16)
    stack = np.stack([one, np.random.default_rng(0).integers(0, 99, one.shape).astype(np.uint16), one[:, ::-1]])
    y, x = np.ogrid[:220, :260]
    mask = (y - 100) ** 2 + (x - 140) ** 2 < 90**2
    parameters = {"model": "nuclei", "diameter": 24, **options}
    result = Segmenter("nuclei", "cpu").segment(stack, Parameters(**parameters), mask=mask)
    assert result.count > 5
    assert not result.labels[~mask].any()

    tifffile.imwrite(tmp_path / "cells.tif", stack, photometric="minisblack", metadata={"axes": "CYX"})
    tifffile.imwrite(tmp_path / "mask.tif", mask.astype(np.uint8))
    texts = {name: ",".join(map(str, value)) if isinstance(value, tuple) else value for name, value in options.items()}
    flags = [word for name, value in texts.items() for word in (f"--{name.replace('_', '-')}", value)]
    usual = ["--model", "nuclei", "--diameter", 24, "--save", "labels", "--device", "cpu"]
    cellspan("segment", tmp_path / "cells.tif", "-o", tmp_path, "--mask", tmp_path / "mask.tif", *usual, *flags)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "cells_labels.tif"), result.labels)

    engine = Engine([sys.executable, "-m", "cellspan.core.cli", "serve"])
    over_http = engine.segment(stack, {**parameters, "device": "cpu"}, mask=mask)
    np.testing.assert_array_equal(over_http.labels, result.labels)
    assert over_http.notes == result.notes
    files = (tmp_path / "cells.tif").read_bytes(), (tmp_path / "mask.tif").read_bytes()
    encoded, _ = engine.run(files[0], "image/tiff", {**parameters, "device": "cpu"}, mask=files[1])
    np.testing.assert_array_equal(encoded.labels, result.labels)


def test_cellprofiler(
    model: str, image: Path, expected: np.ndarray, cellprofiler_python: Path, engine_home: Path, tmp_path: Path
) -> None:
    text = PIPELINE.read_text()
    chosen = {} if model == "nuclei" else {"Select the model": "Custom", "Name or path of the custom": model}
    for start, value in {**IN_PIPELINE, **chosen}.items():
        text, replaced = re.subn(rf"(?m)^(    {start}[^:]*):.*$", rf"\g<1>:{value}", text)
        assert replaced == 1, start
    pipeline, plugins, out = tmp_path / "doors.cppipe", tmp_path / "plugins", tmp_path / "out"
    pipeline.write_text(text)
    plugins.mkdir()
    out.mkdir()
    install_plugin(plugins)
    folders = ["-i", image.parent, "-o", out, "--plugins-directory", plugins]
    command = [cellprofiler_python, "-m", "cellprofiler", "-c", "-r", "-p", pipeline, *folders]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL"))}
    done = subprocess.run(list(map(str, command)), env=environment, cwd=out, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(tifffile.imread(out / f"{image.stem}_labels.tiff"), expected)


def test_imagej(model: str, image: Path, expected: np.ndarray, engine_home: Path, tmp_path: Path) -> None:
    (tmp_path / "ImageJ" / "plugins").mkdir(parents=True)
    install_macros(tmp_path / "ImageJ")
    macro, found = tmp_path / "ImageJ" / "plugins" / "cellspan_Segment.ijm", tmp_path / "labels.npy"
    options = " ".join(f"{name}={value}" for name, value in {"model": model, **OPTIONS}.items())
    command = [sys.executable, "-c", IN_IMAGEJ, image, macro, options, found]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    np.testing.assert_array_equal(np.load(found), expected)
