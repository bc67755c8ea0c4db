"""`cellspan segment`, `demo` and `evaluate` as a user runs them, with good and with bad input."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import roifile
import tifffile

from cellspan.core.objects.outlines import rois_to_labels
from cellspan.core.pictures.reading import read_labels
from cellspan.core.training.simulate import simulate_nuclei

pytestmark = pytest.mark.end_to_end
FIELD = simulate_nuclei((160, 200), seed=5)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    tifffile.imwrite(tmp_path / "cells.tif", FIELD.image)
    return tmp_path / "cells.tif"


def test_every_output_of_one_image(tmp_path: Path, picture: Path, cellspan: Callable) -> None:
    out = tmp_path / "out"
    save = "labels,rois,overlay,table,flows,probability,seg,outlines"
    done = cellspan("segment", picture, "-o", out, "--model", "nuclei", "--save", save)
    labels = tifffile.imread(out / "cells_labels.tif")
    count = int(labels.max())
    assert count > 5
    assert f"{count} objects" in done.stdout
    assert labels.dtype == np.uint16
    assert np.array_equal(rois_to_labels(roifile.roiread(out / "cells_rois.zip"), labels.shape), labels)
    assert imageio.imread(out / "cells_overlay.png").shape == (160, 200, 3)
    rows = list(csv.DictReader((out / "cells_objects.csv").read_text(encoding="utf-8").splitlines()))
    assert [int(row["area"]) for row in rows] == np.bincount(labels.ravel())[1:].tolist()
    assert tifffile.imread(out / "cells_flows.tif").shape == (2, 160, 200)
    assert tifffile.imread(out / "cells_probability.tif").shape == (160, 200)
    assert np.array_equal(read_labels(out / "cells_seg.npy"), labels)
    assert len((out / "cells_cp_outlines.txt").read_text().splitlines()) == count
    run = json.loads((out / "run.json").read_text())
    assert run["inputs"][0]["objects"] == count
    assert run["parameters"]["model"] == "nuclei"
    assert len(run["model"]["weights_sha256"]) == 64
    assert not list(out.glob(".*")), "temporary files were left"


def test_folders_patterns_and_results_that_exist(tmp_path: Path, picture: Path, cellspan: Callable) -> None:
    data = tmp_path / "data"
    for name in ("a.tif", "sub/b.tif", "sub/b_masks.tif", "sub/notes.txt"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(picture.read_bytes())
    out = tmp_path / "out"
    options = ("-o", out, "--model", "nuclei", "--diameter", "26", "--save", "labels")
    cellspan("segment", data, *options)
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.tif")) == [
        "a_labels.tif",
        "sub/b_labels.tif",
    ]
    again = cellspan("segment", data / "a.tif", *options, check=False)
    assert again.returncode == 1
    assert "--overwrite" in again.stderr
    assert len(list(out.glob("run-*.json"))) == 1, "the record of the first run is lost"
    (out / "sub" / "b_labels.tif").unlink()
    cellspan("segment", str(data / "s*" / "*.tif"), *options)
    assert (out / "sub" / "b_labels.tif").exists()


def test_bad_images_are_named_and_the_rest_is_done(tmp_path: Path, picture: Path, cellspan: Callable) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "good.tif").write_bytes(picture.read_bytes())
    (data / "text.tif").write_text("this is no picture")
    (data / "truncated.tif").write_bytes(picture.read_bytes()[:2000])
    (data / "empty.tif").write_bytes(b"")
    tifffile.imwrite(data / "nan.tif", np.full((20, 20), np.nan, np.float32))
    tifffile.imwrite(data / "one.tif", np.ones((1, 1), np.uint8))
    tifffile.imwrite(data / "constant.tif", np.full((50, 60), 7, np.uint8))
    out = tmp_path / "out"
    done = cellspan("segment", data, data / "missing.tif", "-o", out, "--model", "nuclei", check=False)
    assert done.returncode == 1
    for name in ("text.tif", "truncated.tif", "empty.tif", "nan.tif", "missing.tif"):
        [line] = [line for line in done.stderr.splitlines() if "FAILED" in line and name in line]
        assert not list(out.glob(f"{Path(name).stem}_*")), line
    for name in ("good", "one", "constant"):
        assert (out / f"{name}_labels.tif").exists()
    assert tifffile.imread(out / "one_labels.tif").max() == 0
    assert tifffile.imread(out / "constant_labels.tif").max() == 0
    assert "constant" in done.stderr
    records = json.loads((out / "run.json").read_text())["inputs"]
    assert sum("error" in record for record in records) == 5


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--model", "nuclej"], "no model 'nuclej'"),
        (["--model", "nuclei", "--diameter", "-3"], "diameter = '-3'"),
        (["--model", "nuclei", "--device", "tpu"], "no device 'tpu'"),
        (["--model", "nuclei", "--save", "labels,colours"], "no output 'colours'"),
        (["--model", "nuclei", "--do-3d"], "it needs one axis of slices"),
        (["--model", "nuclei", "--channel", "4"], "channel = 4, but the image has 1"),
        (["--model", "nuclei", "--diameter", "0.5"], "too small"),
        (["--modell", "nuclei"], "No such option"),
    ],
)
def test_wrong_options_are_one_sentence(picture: Path, cellspan: Callable, options: list[str], named: str) -> None:
    done = cellspan("segment", picture, "-o", picture.parent / "out", *options, check=False)
    assert done.returncode in (1, 2)
    assert named in done.stderr
    assert not list((picture.parent / "out").glob("cells_*"))


def test_no_images_and_an_unwritable_folder(tmp_path: Path, picture: Path, cellspan: Callable) -> None:
    (tmp_path / "empty").mkdir()
    done = cellspan("segment", tmp_path / "empty", "-o", tmp_path / "out", "--model", "nuclei", check=False)
    assert done.returncode == 2
    assert "no images were found" in done.stderr
    # A file in the place of the folder is unwritable for root as well.
    (tmp_path / "file").write_text("")
    done = cellspan("segment", picture, "-o", tmp_path / "file" / "out", "--model", "nuclei", check=False)
    assert done.returncode == 2
    assert "cannot be made" in done.stderr
    if os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        assert cellspan("segment", picture, "-o", tmp_path / "locked", check=False).returncode == 2


def test_two_inputs_with_one_name_do_not_replace_each_other(tmp_path: Path, picture: Path, cellspan: Callable) -> None:
    imageio.imwrite(tmp_path / "cells.png", FIELD.image)
    done = cellspan("segment", picture, tmp_path / "cells.png", "-o", tmp_path / "o", "--model", "nuclei", check=False)
    assert done.returncode == 1
    assert "rename one of the two" in done.stderr
    assert (tmp_path / "o" / "cells_labels.tif").exists()


def test_demo(tmp_path: Path, cellspan: Callable) -> None:
    done = cellspan("demo", "-o", tmp_path / "demo")
    assert "simulated nuclei" in done.stdout
    written = {path.name for path in (tmp_path / "demo").iterdir()}
    assert {"demo_labels.tif", "demo_rois.zip", "demo_overlay.png", "demo_objects.csv", "run.json"} <= written


def test_evaluate(tmp_path: Path, cellspan: Callable) -> None:
    for folder, name, labels in (
        ("true", "a_masks.tif", FIELD.labels),
        ("predicted", "a_img_labels.tif", FIELD.labels),
        ("true", "b_masks.tif", FIELD.labels),
        ("predicted", "b_labels.tif", FIELD.labels * 0),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / folder / name, labels.astype(np.uint16))
    cellspan("evaluate", tmp_path / "predicted", tmp_path / "true", "--json", tmp_path / "scores.json")
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["mean"]["ap@0.5"] == 0.5
    assert scores["pooled"]["ap@0.5"] == 0.5
    (tmp_path / "predicted" / "b_labels.tif").unlink()
    done = cellspan("evaluate", tmp_path / "predicted", tmp_path / "true", check=False)
    assert done.returncode == 2
    assert "1 predictions are missing" in done.stderr


def test_evaluate_results_that_lie_beside_the_annotations(tmp_path: Path, cellspan: Callable) -> None:
    tifffile.imwrite(tmp_path / "x_masks.tif", FIELD.labels.astype(np.uint16))
    tifffile.imwrite(tmp_path / "x_img_labels.tif", 0 * FIELD.labels.astype(np.uint16))
    cellspan("evaluate", tmp_path, tmp_path, "--json", tmp_path / "scores.json")
    assert json.loads((tmp_path / "scores.json").read_text())["mean"]["ap@0.5"] == 0


def test_doctor_models_and_service_status(engine_home: Path, cellspan: Callable) -> None:
    assert "models: cyto, nuclei" in cellspan("doctor").stdout
    assert "nuclei" in cellspan("models", "list").stdout
    assert json.loads(cellspan("models", "info", "nuclei", "--json").stdout)["mean_diameter"] > 0
    assert "not running" in cellspan("service", "status").stdout


def test_the_names_in_the_help_are_those_of_the_outputs(cellspan: Callable) -> None:
    from cellspan.core.results.outputs import ENDINGS

    assert ", ".join(ENDINGS) in " ".join(cellspan("segment", "--help").stdout.split())


def test_names_as_people_have_them(tmp_path: Path, picture: Path, cellspan: Callable) -> None:
    data, out = tmp_path / "data[cond 1]", tmp_path / "data[cond 1]" / "out"
    data.mkdir()
    odd = os.fsdecode(b"b_\xe4.tif")
    names = ["a[1].tif", "c\nd.tif", "exp_labels488.tif", "t .tif", "a[1]_masks.tif", "x.vsi", "l" * 245 + ".tif", odd]
    for name in names:
        (data / name).write_bytes(picture.read_bytes())
    options = ("-o", out, "--model", "nuclei", "--diameter", "26", "--save", "labels,table")
    done = cellspan("segment", data / "*", *options, check=False)
    assert done.returncode == 1
    assert "in 5 of 6 images" in done.stdout
    [failed] = [line for line in done.stderr.splitlines() if "FAILED" in line]
    assert "this name is too long" in failed
    assert "(a[1]_masks.tif)" in done.stderr
    assert "x.vsi; save them as TIFF" in done.stderr
    assert "c\\nd.tif: " in done.stderr
    assert (out / os.fsdecode(b"b_\xe4_labels.tif")).exists()
    (data / ("l" * 245 + ".tif")).unlink()
    (data / "new.tif").write_bytes(picture.read_bytes())
    done = cellspan("segment", data, *options, "--resume")
    assert "in 1 of 6 images, 5 more were there already" in done.stdout
    scores = cellspan("evaluate", out, out).stdout
    assert "b_\\udce4" in scores


def test_help_has_examples(cellspan: Callable) -> None:
    from cellspan.core.cli import VERBS

    for verb in VERBS:
        shown = cellspan(verb, "--help").stdout
        assert "Example" in shown or verb in ("service", "doctor")


def test_masks(tmp_path: Path, picture: Path, cellspan: Callable) -> None:
    inside = np.zeros(FIELD.image.shape, np.uint8)
    inside[:, :100] = 255
    tifffile.imwrite(tmp_path / "left.tif", inside)
    options = ("--model", "nuclei", "--diameter", "26", "--save", "labels,overlay,table,network")
    one, several, out = tmp_path / "one", tmp_path / "several", tmp_path / "out"
    cellspan("segment", picture, "-o", one, "--mask", tmp_path / "left.tif", *options)
    labels = tifffile.imread(one / "cells_labels.tif")
    assert labels.max() > 3
    assert not labels[:, 100:].any()
    assert json.loads((one / "run.json").read_text())["inputs"][0]["mask"] == str(tmp_path / "left.tif")
    # A folder of masks, which may lie among the images; an image without a mask fails, and the others do not.
    (several / "masks").mkdir(parents=True)
    for name in ("a", "b"):
        (several / f"{name}.tif").write_bytes(picture.read_bytes())
    imageio.imwrite(several / "masks" / "a.png", inside)
    done = cellspan("segment", several, "-o", out, "--mask", several / "masks", *options, check=False)
    assert done.returncode == 1
    assert f"{several / 'b.tif'}: {several / 'masks'} holds no mask for it" in done.stdout + done.stderr
    np.testing.assert_array_equal(tifffile.imread(out / "a_labels.tif"), labels)
    assert len(list(out.rglob("*_labels.tif"))) == 1
    # With another mask the network is asked again.
    again = cellspan("segment", picture, "-o", one, *options, "--overwrite", "--reuse-flows")
    assert "the image has changed" in again.stderr
    assert tifffile.imread(one / "cells_labels.tif")[:, 100:].any()


def test_masks_that_cannot_be_are_refused(tmp_path: Path, picture: Path, cellspan: Callable) -> None:
    (tmp_path / "other.tif").write_bytes(picture.read_bytes())
    tifffile.imwrite(tmp_path / "mask.tif", np.ones((20, 30), np.uint8))
    out, mask = ("-o", tmp_path / "out", "--model", "nuclei"), ("--mask", tmp_path / "mask.tif")
    done = cellspan("segment", picture, *out, *mask, check=False)
    assert done.returncode == 1
    assert f"{picture}: the mask has 30 x 20 pixels, but the image 200 x 160" in done.stdout + done.stderr
    done = cellspan("segment", picture, tmp_path / "other.tif", *out, *mask, check=False)
    assert "this is one mask, but there are 2 images" in done.stderr
    done = cellspan("segment", picture, *out, "--mask", tmp_path / "none.tif", check=False)
    assert "there is no such mask" in done.stderr
    assert done.stderr.count("\n") == 1
