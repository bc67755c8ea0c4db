"""Which file each kind of result goes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.parameters import Parameters
from cellspan.core.results.outputs import output_paths, result_files, views_path

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("stem", ["a", "sub/a.b", "a.", "t ", "b\udce4", "c\nd"])
def test_names_of_results_are_those_of_the_image_with_an_ending(tmp_path: Path, stem: str) -> None:
    paths = output_paths(tmp_path, Path(stem), ["labels", "table"])
    assert paths == {"labels": tmp_path / f"{stem}_labels.tif", "table": tmp_path / f"{stem}_objects.csv"}


def test_an_unknown_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(CellspanError, match="no output 'colours'; choose from labels, rois"):
        output_paths(tmp_path, Path("a"), ["labels", "colours"])


def test_views_belong_to_the_overlay_of_a_volume(tmp_path: Path) -> None:
    paths = output_paths(tmp_path, Path("a_overlay.png"), ["labels", "overlay"])
    assert views_path(paths["overlay"]) == tmp_path / "a_overlay.png_orthogonal.png"
    assert result_files(paths, Parameters()) == [*paths.values()]
    assert result_files(paths, Parameters(do_3d=True)) == [*paths.values(), views_path(paths["overlay"])]
    assert result_files({"labels": paths["labels"]}, Parameters(do_3d=True)) == [paths["labels"]]
