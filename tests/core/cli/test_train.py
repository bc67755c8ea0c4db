"""`cellspan train` on outlines that were corrected in ImageJ: scores before and after, a name in the list of models."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from cellspan.core.objects.outlines import labels_to_rois, write_roi_zip
from cellspan.core.training.simulate import simulate_nuclei

pytest.importorskip("torch")
pytestmark = pytest.mark.end_to_end


@pytest.fixture
def corrected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two images with outlines; models of one's own go elsewhere."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    folder = tmp_path / "corrected"
    folder.mkdir()
    for seed in range(2):
        field = simulate_nuclei((160, 160), diameter=26, seed=seed)
        imageio.imwrite(folder / f"field {seed}.tif", field.image)
        write_roi_zip(folder / f"field {seed}_RoiSet.zip", labels_to_rois(field.labels))
    return folder


def train(cellspan: Callable, folder: Path, out: str, *more: str) -> subprocess.CompletedProcess[str]:
    start = ("--from", "nuclei", "--epochs", "2", "--batch", "2")
    return cellspan("train", folder, "--out", folder.parent / out, *start, *more, check=False)


def test_outlines_become_a_model_in_the_list(corrected: Path, cellspan: Callable) -> None:
    """Of ImageJ, and of Cellpose in its own files."""
    drawn, found = (simulate_nuclei((160, 160), diameter=26, seed=seed) for seed in (2, 3))
    imageio.imwrite(corrected / "drawn.png", drawn.image)
    np.save(corrected / "drawn_seg.npy", {"masks": drawn.labels}, allow_pickle=True)  # type: ignore[arg-type]
    imageio.imwrite(corrected / "found.png", found.image)
    imageio.imwrite(corrected / "found_cp_masks.png", found.labels.astype(np.uint16))
    done = train(cellspan, corrected, "out", "--register", "my nuclei")
    assert done.returncode == 0, done.stderr
    assert re.search(r"AP@0.5 on 4 annotated images: [01]\.\d\d before, [01]\.\d\d after", done.stderr), done.stderr
    assert "The model 'my nuclei' is now available in every program" in done.stdout
    assert "my nuclei" in cellspan("models", "list").stdout
    image = corrected / "field 0.tif"
    assert cellspan("segment", image, "-o", corrected.parent / "r", "--model", "my nuclei").returncode == 0
    record = json.loads((corrected.parent / "r" / "run.json").read_text())
    assert "my nuclei" in json.dumps(record)

    taken = train(cellspan, corrected, "other", "--register", "my nuclei")
    assert taken.returncode == 2
    assert "A model named 'my nuclei' already exists" in taken.stderr
    assert not (corrected.parent / "other").exists()  # refused before the training


class Hostile:
    """Would make a folder if it were unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.trace),)


def test_what_cannot_be_learnt_from_is_refused_in_one_sentence(corrected: Path, cellspan: Callable) -> None:
    trace, hostile = corrected / "trace", corrected / "a_seg.npy"
    imageio.imwrite(corrected / "a.png", np.zeros((160, 160), np.uint8))
    np.save(hostile, {"masks": Hostile(trace)}, allow_pickle=True)  # type: ignore[arg-type]
    assert "a_seg.npy: this NumPy file cannot be read (it refers to" in refused(cellspan, corrected)
    assert not trace.exists()
    hostile.unlink()
    rois = corrected / "field 1_RoiSet.zip"
    write_roi_zip(rois, [])
    assert "it contains no ROIs" in refused(cellspan, corrected)
    far = np.zeros((400, 400), np.int32)
    far[300:320, 300:320] = 1
    write_roi_zip(rois, labels_to_rois(far))
    assert "'0001' lies outside the image of 160 x 160 pixels" in refused(cellspan, corrected)
    for file in corrected.iterdir():
        if file.stem != "field 1" and file != rois:
            file.unlink()
    few = np.zeros((160, 160), np.int32)
    few[10:30, 10:30] = 1
    write_roi_zip(rois, labels_to_rois(few))
    assert "contain 1 annotated object; annotate at least 5" in refused(cellspan, corrected)


def refused(cellspan: Callable, folder: Path) -> str:
    done = train(cellspan, folder, "refused")
    assert done.returncode == 2
    return " ".join(done.stderr.split())
