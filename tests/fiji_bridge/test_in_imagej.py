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


def test_a_fiji_that_does_not_start(in_imagej, tmp_path: Path) -> None:
    (tmp_path / "jars").mkdir()
    done = in_imagej("check_broken_fiji.py", tmp_path)
    assert "this Fiji did not start" in done.stdout
