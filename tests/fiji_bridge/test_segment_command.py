"""`cellspan fiji-segment`: one line and exit code 0, whatever happens; stacks, places, selections, time, cancelling."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import roifile
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.machine import memory
from cellspan.core.objects.outlines import rois_to_labels
from cellspan.core.training.simulate import simulate_nuclei
from cellspan.fiji_bridge.segment_command import SMALL, _content, is_single_plane
from cellspan.fiji_bridge.through_engine import parameters_from

SHAPE = (128, 144)
end_to_end = pytest.mark.end_to_end
quick = pytest.mark.quick
SLOW = {"imagej", "jpype", "numba", "numpy", "openvino", "scipy", "scyjava", "torch"}  # to import


@pytest.fixture(scope="module")
def fields() -> np.ndarray:
    """Three different fields of nuclei."""
    return np.stack([simulate_nuclei(SHAPE, diameter=26, seed=seed).image for seed in range(3)])


@pytest.fixture(scope="module")
def engine_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One engine for all tests of this file; stopped at the end."""
    folder = tmp_path_factory.mktemp("runtime")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CELLSPAN_RUNTIME_DIR", str(folder))
        yield folder
        subprocess.run([sys.executable, "-m", "cellspan.core.cli", "service", "stop"], check=True, capture_output=True)


@pytest.fixture
def segmented(tmp_path: Path, engine_home: Path, cellspan: Callable) -> Callable:
    """Write an image as ImageJ does, segment it; labels and ROIs."""

    def run(
        image: np.ndarray, axes: str, *options: object, imagej: bool = True
    ) -> tuple[np.ndarray, list[roifile.ImagejRoi]]:
        path, rois, labels = tmp_path / "größe 1.tif", tmp_path / "r o i.zip", tmp_path / "l.tif"
        photometric = "rgb" if axes.endswith("S") else "minisblack"
        tifffile.imwrite(path, image, imagej=imagej, photometric=photometric, metadata={"axes": axes})
        more = ["--model", "nuclei", "--diameter", 26, *options]
        done = cellspan("fiji-segment", "--input", path, "--rois", rois, "--labels", labels, *more)
        found = roifile.roiread(rois)
        found = [found] if isinstance(found, roifile.ImagejRoi) else found
        assert done.stdout == f"OK {len(found)} {rois}\n"
        assert len(found) > 0
        return tifffile.imread(labels), found

    return run


@end_to_end
def test_rois_and_labels_of_an_image(fields: np.ndarray, segmented: Callable) -> None:
    labels, rois = segmented(fields[0], "YX")
    np.testing.assert_array_equal(rois_to_labels(rois, SHAPE), labels)
    assert rois[0].name == "0001"
    assert rois[0].position == 0


@end_to_end
def test_every_slice_is_as_if_alone(fields: np.ndarray, segmented: Callable) -> None:
    labels, rois = segmented(fields, "ZYX")
    assert labels.shape == fields.shape
    for z, field in enumerate(fields):
        alone, _ = segmented(field, "YX")
        np.testing.assert_array_equal(labels[z], alone)
        own = [roi for roi in rois if roi.position == z + 1]
        np.testing.assert_array_equal(rois_to_labels(own, SHAPE), alone)
        assert [roi.name for roi in own] == [f"{z + 1:04}-{k:04}" for k in range(1, len(own) + 1)]


@end_to_end
def test_hyperstacks_with_channels(fields: np.ndarray, segmented: Callable) -> None:
    """Frames x slices x channels; the second channel is the one to segment."""
    planes = np.stack([np.zeros_like(fields), fields], axis=1)  # slices, channels
    stack = np.stack([planes, planes[::-1]])
    labels, rois = segmented(stack, "TZCYX", "--channel", 1)
    expected, _ = segmented(fields, "ZYX")
    np.testing.assert_array_equal(labels, [expected, expected[::-1]])
    assert {(roi.position, roi.c_position) for roi in rois} == {(0, 0)}
    assert {(roi.z_position, roi.t_position) for roi in rois} == {(z, t) for z in (1, 2, 3) for t in (1, 2)}
    own = [roi for roi in rois if (roi.z_position, roi.t_position) == (3, 2)]
    np.testing.assert_array_equal(rois_to_labels(own, SHAPE), labels[1, 2])
    assert own[0].name == "0002-0003-0001"


@end_to_end
def test_colours(fields: np.ndarray, segmented: Callable) -> None:
    stack = np.repeat((fields >> 8).astype(np.uint8)[..., None], 3, axis=-1)
    labels, _ = segmented(stack, "ZYXS")
    alone, _ = segmented(stack[1], "YXS")
    np.testing.assert_array_equal(labels[1], alone)


@end_to_end
def test_many_pages_without_a_meaning_are_slices(fields: np.ndarray, segmented: Callable) -> None:
    """Few of them are channels, as in every program."""
    many = np.concatenate([fields] * 3)
    labels, _ = segmented(many, "QYX", imagej=False)
    expected, _ = segmented(many, "ZYX")
    np.testing.assert_array_equal(labels, expected)


@end_to_end
def test_a_part_of_a_larger_image(fields: np.ndarray, segmented: Callable) -> None:
    """Its ROIs lie where the part was, on its slice; composite ones too."""
    labels, rois = segmented(fields[0], "YX", "--at", "100,50,7,0")
    whole = rois_to_labels(rois, (300, 300))
    np.testing.assert_array_equal(whole[50 : 50 + SHAPE[0], 100 : 100 + SHAPE[1]], labels)
    assert {roi.position for roi in rois} == {7}
    assert rois[0].name == "0007-0001"
    _, rois = segmented(fields[0], "YX", "--at", "0,0,7,2", "--hyperstack")
    assert {(roi.position, roi.z_position, roi.t_position) for roi in rois} == {(0, 7, 2)}
    assert rois[0].name == "0002-0007-0001"


@end_to_end
def test_objects_with_their_centre_outside_a_selection_go(
    fields: np.ndarray, segmented: Callable, tmp_path: Path
) -> None:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    selection = (y + x < 130).astype(np.uint8) * 255
    tifffile.imwrite(tmp_path / "mask.tif", selection)
    everything, _ = segmented(fields[0], "YX")
    labels, rois = segmented(fields[0], "YX", "--inside", tmp_path / "mask.tif")
    centres = [np.argwhere(everything == k).mean(axis=0) for k in range(1, everything.max() + 1)]
    wanted = [k for k, (y, x) in enumerate(centres, 1) if selection[int(y), int(x)]]
    assert 0 < len(wanted) < everything.max()
    expected = np.zeros_like(everything)
    for new, old in enumerate(wanted, 1):
        expected[everything == old] = new
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(rois_to_labels(rois, SHAPE), expected)
    assert [roi.name for roi in rois] == [f"{k:04}" for k in range(1, len(wanted) + 1)]


@end_to_end
def test_the_same_object_has_the_same_number_through_time(fields: np.ndarray, segmented: Callable) -> None:
    movie = np.stack([np.roll(fields[0], 2 * t, axis=1) for t in range(3)])
    labels, rois = segmented(movie, "TYX", "--link")
    apart, _ = segmented(movie, "TYX")
    inside = np.s_[20:-20, 30:-30]  # what leaves the image on one side comes in on the other
    common = set(np.unique(labels[0][inside])) & set(np.unique(labels[2][inside])) - {0}
    assert len(common) >= 3
    np.testing.assert_array_equal(labels > 0, apart > 0)
    for number in common:
        centres = [np.argwhere(frame == number).mean(axis=0) for frame in labels]
        assert np.ptp([y for y, _ in centres]) < 3
    for t in range(3):
        own = {int(roi.name.split("-")[1]) for roi in rois if roi.position == t + 1}
        assert own == set(np.unique(labels[t])) - {0}


@end_to_end
def test_volumes_go_to_the_engine_as_a_whole(
    fields: np.ndarray, tmp_path: Path, engine_home: Path, cellspan: Callable
) -> None:
    """Each slice has the ROIs of the volume's labels, and an object has one number through the slices."""
    path, rois, labels = tmp_path / "v.tif", tmp_path / "v.zip", tmp_path / "vl.tif"
    stack = np.repeat(fields[:1], 5, axis=0)
    tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "ZYX"})
    more = ["--labels", labels, "--model", "nuclei", "--diameter", 26, "--do-3d", "--anisotropy", 2]
    done = cellspan("fiji-segment", "--input", path, "--rois", rois, *more)
    assert done.stdout.startswith("OK "), done.stdout
    found = tifffile.imread(labels)
    assert found.shape == stack.shape
    for z, plane in enumerate(found):
        own = {int(roi.name.split("-")[1]): roi for roi in roifile.roiread(rois) if roi.position == z + 1}
        assert set(own) == set(np.unique(plane)) - {0}
    assert set(np.unique(found[1])) == set(np.unique(found[3])) > {0}


@end_to_end
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--model", "nuclej"], "There is no model 'nuclej'"),
        (["--diameter", "-3"], "diameter = '-3' is not possible"),
        (["--diametre", "3"], "There is no option 'diametre'"),
        (["diameter", "3"], "'diameter' does not belong to an option"),
        (["--at", "3"], "'3' is not X,Y,SLICE,FRAME"),
        (["--input", "missing.tif"], "missing.tif: the file cannot be read"),
        (["--input", "notes.txt"], "notes.txt: save the image as TIFF or PNG"),
        (["--inside", "missing.tif"], "missing.tif: the selection cannot be read"),
        (["--model", "nuclei"], "all pixels are NaN"),
    ],
)
def test_errors_are_one_line(
    tmp_path: Path, engine_home: Path, cellspan: Callable, options: list[str], sentence: str
) -> None:
    image = tmp_path / "nan.tif"
    tifffile.imwrite(image, np.full((9, 9), np.nan, np.float32))
    done = cellspan("fiji-segment", "--input", image, "--rois", tmp_path / "r.zip", *options)
    assert done.stdout.startswith("ERROR ")
    assert sentence in done.stdout
    assert done.stdout.count("\n") == 1
    assert not (tmp_path / "r.zip").exists()


@end_to_end
def test_errors_have_codes_for_programs(tmp_path: Path, engine_home: Path, cellspan: Callable) -> None:
    image = tmp_path / "nan.tif"
    tifffile.imwrite(image, np.full((9, 9), np.nan, np.float32))
    for option, code in (("--diametre=3", "refused"), ("--at=3", "usage")):
        done = cellspan("--for-programs", "fiji-segment", "--input", image, "--rois", tmp_path / "r.zip", option)
        first, second = done.stdout.splitlines()
        problem = json.loads(second)
        assert first == f"ERROR {problem['sentence']}"
        assert problem["code"] == code


@quick
def test_what_people_wait_for_loads_little() -> None:
    """Neither Java's packages nor the compilers and networks."""
    check = (
        "import sys\nfrom cellspan.core.cli import main\n"
        "main.main(['fiji-segment', '--input', 'none.tif', '--rois', 'r.zip'], standalone_mode=False)"
    )
    watched = f"import atexit, sys\natexit.register(lambda: print(sorted({SLOW!r} & set(sys.modules))))\n"
    shown = subprocess.run([sys.executable, "-c", watched + check], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines() == ["ERROR none.tif: the file cannot be read (No such file or directory).", "[]"]


@quick
def test_stacks_load_no_compiler() -> None:
    check = f"import sys, cellspan.fiji_bridge.stack_segmenting\nprint(sorted({SLOW - {'numpy'}!r} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@quick
def test_a_file_larger_than_the_memory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sparse.png"
    with path.open("wb") as file:
        file.truncate(2 * SMALL)
    assert len(_content(path, 100)) == 100
    monkeypatch.setattr(memory, "available_memory", lambda: SMALL)
    with pytest.raises(CellspanError, match=r"sparse\.png: .* needs 134 MB of memory, and 67 MB are free"):
        _content(path)


@end_to_end
def test_closing_standard_input_cancels_the_job(tmp_path: Path, engine_home: Path) -> None:
    image = tmp_path / "large.tif"
    tifffile.imwrite(image, np.random.default_rng(0).integers(0, 255, (3000, 3000), np.uint8))
    command = [sys.executable, "-m", "cellspan.core.cli", "fiji-segment", "--watch", "--input", image]
    process = subprocess.Popen(
        [*map(str, command), "--rois", str(tmp_path / "r.zip"), "--model", "nuclei", "--diameter", "20"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = iter(process.stderr.readline, "")
    assert any("running the network" in line for line in lines)
    process.stdin.close()
    assert process.stdout.read() == "ERROR The segmentation was cancelled.\n"
    assert process.wait(10) == 0
    assert not (tmp_path / "r.zip").exists()
    service = json.loads((engine_home / "service.json").read_text())
    question = urllib.request.Request(service["address"] + "/v1/health")
    question.add_header("Authorization", "Bearer " + service["token"])
    for _ in range(100):
        if not json.loads(urllib.request.urlopen(question).read())["busy"]:
            return
        time.sleep(0.1)
    pytest.fail("the engine still works on the cancelled image")


@quick
def test_options_reach_the_engine_by_their_names() -> None:
    words = ("--flow-threshold", "0.9", "--invert", "--no-resample", "--cellprob-threshold", "-1.5", "--min-size=7")
    assert parameters_from(words) == {
        "flow_threshold": "0.9",
        "invert": True,
        "resample": False,
        "cellprob_threshold": "-1.5",
        "min_size": "7",
    }
    assert Path(parameters_from(("--model", "my models/m"))["model"]).is_absolute()
    assert parameters_from(("--model", "cellpose/cyto")) == {"model": "cellpose/cyto"}
    with pytest.raises(CellspanError, match="begin with two hyphens"):
        parameters_from(("30",))


@quick
def test_imagej_says_how_many_planes_there_are(tmp_path: Path) -> None:
    single = {"YX": (9, 8), "CYX": (3, 9, 8)}
    several = {"ZYX": (3, 9, 8), "TZCYX": (2, 2, 2, 9, 8), "ZCYX": (2, 3, 9, 8)}
    for axes, shape in {**single, **several}.items():
        tifffile.imwrite(tmp_path / "i.tif", np.zeros(shape, np.uint8), imagej=True, metadata={"axes": axes})
        assert is_single_plane((tmp_path / "i.tif").read_bytes(), "image/tiff") is (axes in single)
    tifffile.imwrite(tmp_path / "i.tif", np.zeros((9, 8), np.uint8))
    assert not is_single_plane((tmp_path / "i.tif").read_bytes(), "image/tiff")  # it does not say
    assert is_single_plane(b"", "image/png")
