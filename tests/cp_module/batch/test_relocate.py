"""Paths into the folder of an attempt become paths into the output folder, in every spelling; no others change."""

from __future__ import annotations

from pathlib import Path
from urllib.request import pathname2url

import pytest

from cellspan.cp_module.batch.relocate import COLUMN, Relocation
from cellspan.cp_module.batch.task import attempts_folder

pytestmark = pytest.mark.quick

OUTPUT = Path("/results/plate 1")
FOLDER = OUTPUT / ".cellspan-batch"
ATTEMPT = attempts_folder(FOLDER) / "000001-000004.0a1b2c3d" / "output"
RELOCATION = Relocation(FOLDER, OUTPUT)


def test_paths_and_addresses_lead_to_the_output_folder() -> None:
    assert RELOCATION.of(str(ATTEMPT)) == str(OUTPUT)
    assert RELOCATION.of(str(ATTEMPT / "labels" / "a.tiff")) == str(OUTPUT / "labels" / "a.tiff")
    assert RELOCATION.of("file:" + pathname2url(str(ATTEMPT / "a b.tiff"))) == "file:/results/plate%201/a%20b.tiff"


def test_several_paths_in_one_text_are_replaced() -> None:
    other = attempts_folder(FOLDER) / "000005-000009.ffffffff" / "output"
    assert RELOCATION.of(f"db={ATTEMPT}/x.db;{other}/y.db") == f"db={OUTPUT}/x.db;{OUTPUT}/y.db"


@pytest.mark.parametrize("path", ["/images/plate 1/a.tif", "file:/images/a.tif", str(FOLDER / "plan" / "x"), "", "7.5"])
def test_other_texts_stay(path: str) -> None:
    assert RELOCATION.of(path) == path


def test_only_columns_of_paths_are_looked_at() -> None:
    hold_paths = ["PathName_DNA", "URL_DNA", "Image_PathName_DNA", "Image_URL_DNA"]
    others = ["FileName_DNA", "ImageNumber", "Metadata_CURL_x", "MyPathName"]
    assert [bool(COLUMN.search(name)) for name in hold_paths + others] == [True] * 4 + [False] * 4


def test_texts_about_the_run_also_leave_the_folder_of_the_plan() -> None:
    assert RELOCATION.of_run(str(FOLDER / "plan" / "DB.db")) == str(OUTPUT / "DB.db")
    assert RELOCATION.of_run(str(FOLDER / "plan")) == str(OUTPUT)
    assert RELOCATION.of_run(str(ATTEMPT / "a.tiff")) == str(OUTPUT / "a.tiff")
    assert RELOCATION.of_run(str(FOLDER / "planned" / "x")) == str(FOLDER / "planned" / "x")
