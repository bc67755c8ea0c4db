"""The bridge in the real ImageJ; each program has a process of its own, because a Python can start only one Java."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.end_to_end


def test_images_there_and_back(in_imagej) -> None:
    in_imagej("check_images.py")


def test_rois_there_and_back(in_imagej, tmp_path: Path) -> None:
    in_imagej("check_rois.py", tmp_path)


def test_roi_manager(in_imagej, display: str) -> None:
    done = in_imagej("check_roi_manager.py", DISPLAY=display)
    assert "Exception" not in done.stderr  # Swing complains there about changes off its thread


@pytest.mark.data
def test_segment(in_imagej, nuclei_images: list[Path]) -> None:
    in_imagej("check_segment.py", nuclei_images[2])


def test_volumes(in_imagej) -> None:
    in_imagej("check_volumes.py")


def test_corrected_outlines_make_a_new_model(
    in_imagej, cellspan, engine_home: Path, display: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    done = in_imagej("check_training.py", tmp_path, DISPLAY=display)
    assert "Exception" not in done.stderr
    assert "my nuclei" in cellspan("models", "list").stdout


def test_stacks_with_outlines(in_imagej, tmp_path: Path) -> None:
    in_imagej("check_examples.py", tmp_path)


def test_a_fiji_that_does_not_start(in_imagej, tmp_path: Path) -> None:
    (tmp_path / "jars").mkdir()
    done = in_imagej("check_broken_fiji.py", tmp_path)
    assert "this Fiji did not start" in done.stdout


def test_an_endpoint_that_does_not_exist(in_imagej) -> None:
    done = in_imagej("check_broken_fiji.py", "net.imagej:ij:0.0-nothing")
    assert "Java did not start with net.imagej:ij:0.0-nothing" in done.stdout


def test_an_endpoint_of_plain_imagej_and_what_is_logged(in_imagej) -> None:
    done = in_imagej("check_log.py")
    assert "Using the Java in" in done.stderr
    assert "ImageJ 1.54p from net.imagej:ij:1.54p started in" in done.stderr
    assert "without windows" in done.stderr


def test_rois_of_volumes_are_on_their_slices(in_imagej) -> None:
    in_imagej("check_volume_rois.py")
