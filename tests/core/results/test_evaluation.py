"""Pairs of predicted and true label images by their names, and the scores of those that are known exactly."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.results.evaluation import evaluate_folders, summary

pytestmark = pytest.mark.quick


@pytest.fixture
def labels() -> np.ndarray:
    labels = np.zeros((40, 60), np.uint16)
    labels[5:15, 5:15], labels[20:30, 20:40] = 1, 2
    return labels


def write(folder: Path, *names: str | bytes, labels: np.ndarray) -> Path:
    for name in names:
        path = folder / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path.with_name("x.tif"), labels)
        path.with_name("x.tif").rename(path)
    return folder


@pytest.mark.parametrize(
    "predicted",
    ["a_labels.tif", "A_LABELS.TIF".replace("A_", "a_"), "a_img_labels.tif", "a_masks.tif", "a_cp_masks.tif"],
)
@pytest.mark.parametrize("true", ["a_masks.tif", "a_labels.tif", "a_Masks.TIF", "a_cp_masks.tif", "a_img_masks.tif"])
def test_pairs_are_found_by_their_id(tmp_path: Path, labels: np.ndarray, predicted: str, true: str) -> None:
    write(tmp_path / "p", f"sub/{predicted}", labels=labels)
    write(tmp_path / "t", f"sub/{true}", labels=labels)
    [score] = evaluate_folders(tmp_path / "p", tmp_path / "t")
    assert (score.name, score.true, score.predicted) == ("sub/a", 2, 2)
    assert score.as_row()["ap@0.9"] == 1


def test_names_that_are_not_utf8(tmp_path: Path, labels: np.ndarray) -> None:
    try:
        write(tmp_path / "t", b"\xe4_masks.tif", labels=labels)
    except OSError:
        return  # this file system has no such names
    write(tmp_path / "p", b"\xe4_labels.tif", labels=labels)
    assert [score.name for score in evaluate_folders(tmp_path / "p", tmp_path / "t")] == ["\udce4"]


def test_means_and_pooled_counts(tmp_path: Path, labels: np.ndarray) -> None:
    write(tmp_path / "t", "a_masks.tif", "b_masks.tif", labels=labels)
    write(tmp_path / "p", "a_labels.tif", labels=labels)
    write(tmp_path / "p", "b_labels.tif", labels=np.where(labels == 1, 1, 0).astype(np.uint8))
    seen: list[tuple[int, int]] = []
    total = summary(evaluate_folders(tmp_path / "p", tmp_path / "t", lambda done, of: seen.append((done, of))))
    assert seen == [(1, 2), (2, 2)]
    assert total["images"] == 2
    assert total["mean"]["ap@0.5"] == 0.75
    assert total["pooled"]["recall@0.5"] == 0.75
    assert total["pooled"]["precision@0.5"] == 1


def test_borders_are_compared_if_asked(tmp_path: Path, labels: np.ndarray) -> None:
    shifted = write(tmp_path / "p", "a_labels.tif", labels=np.roll(labels, 3, axis=1))
    write(shifted, "b_labels.tif", labels=np.zeros_like(labels))
    true = write(tmp_path / "t", "a_masks.tif", "b_masks.tif", labels=labels)
    scores = evaluate_folders(shifted, true, tolerance=3)
    first, second = (score.as_row() for score in scores)
    assert first["boundary F1"] == 1
    assert 0 <= first["pixels off"] <= 3
    assert second["boundary F1"] == 0
    assert second["pixels off"] is None
    assert summary(scores)["mean"]["boundary F1"] == 0.5
    assert summary(scores)["mean"]["pixels off"] == first["pixels off"]
    assert "boundary F1" not in evaluate_folders(shifted, true)[0].as_row()


def test_what_does_not_fit_is_named(tmp_path: Path, labels: np.ndarray) -> None:
    true, predicted = tmp_path / "t", tmp_path / "p"
    with pytest.raises(CellspanError, match=r"p: there is no such folder"):
        evaluate_folders(predicted, true)
    predicted.mkdir()
    write(true, "notes_masks.txt", labels=labels)
    with pytest.raises(CellspanError, match=r"t: no label images named"):
        evaluate_folders(predicted, true)
    write(true, "a_masks.tif", labels=labels)
    with pytest.raises(CellspanError, match=r"p: 1 predictions are missing, the first is a_labels\.tif"):
        evaluate_folders(predicted, true)
    write(predicted, "a_labels.tif", labels=labels[:, 5:])
    with pytest.raises(CellspanError, match=r"p/a_labels\.tif: .*must have one shape"):
        evaluate_folders(predicted, true)
    (true / "a_masks.tif").write_bytes(b"no image")
    with pytest.raises(CellspanError, match=r"^[^:]*t/a_masks\.tif: "):
        evaluate_folders(predicted, true)


def test_two_label_images_of_one_image_are_refused(tmp_path: Path, labels: np.ndarray) -> None:
    write(tmp_path / "t", "a_masks.tif", labels=labels)
    write(tmp_path / "p", "a_labels.tif", "a_labels.tiff", labels=labels)
    with pytest.raises(CellspanError, match=r"a_labels\.tiff: a_labels\.tif has the same id"):
        evaluate_folders(tmp_path / "p", tmp_path / "t")


def write_seg(folder: Path, name: str, masks: np.ndarray) -> None:
    """As Cellpose's window does it."""
    folder.mkdir(exist_ok=True)
    np.save(folder / name, {"masks": masks}, allow_pickle=True)  # type: ignore[arg-type]


def test_what_cellpose_saves_is_read_on_both_sides(tmp_path: Path, labels: np.ndarray) -> None:
    write_seg(tmp_path / "t", "a_seg.npy", labels)
    write_seg(tmp_path / "p", "a_img_seg.npy", labels)
    [score] = evaluate_folders(tmp_path / "p", tmp_path / "t")
    assert (score.name, score.as_row()["ap@0.9"]) == ("a", 1)


def test_results_beside_annotations_are_told_apart(tmp_path: Path, labels: np.ndarray) -> None:
    """What people made is true, and what a program found is predicted, if both are in one folder."""
    one = np.where(labels == 1, 1, 0).astype(np.uint16)
    folder = write(tmp_path / "both", "a_masks.tif", labels=labels)
    write_seg(folder, "a_seg.npy", one)
    assert [(score.true, score.predicted) for score in evaluate_folders(folder, folder)] == [(2, 1)]
    (folder / "a_masks.tif").unlink()
    write(folder, "a_labels.tif", "a_cp_masks.tif", labels=labels)
    assert [(score.true, score.predicted) for score in evaluate_folders(folder, folder)] == [(1, 2)]
