"""Cellpose's own models are found by the file that Cellpose saved, and told from the bundled ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellspan.core.models.cellposes_own import fetch_command, is_here, name_here
from cellspan.core.models.official import FILE_OF

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("name", ["cyto", "cyto3", "CP", "cpsam"])
def test_a_model_is_here_when_its_file_is(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path))
    assert not is_here(name)
    (tmp_path / FILE_OF.get(name, name)).touch()
    assert is_here(name)


def test_other_files_are_no_models_of_cellpose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path))
    (tmp_path / "mine").touch()
    assert not is_here("mine")


def test_names() -> None:
    assert (name_here("nuclei"), name_here("cyto3")) == ("cellpose/nuclei", "cyto3")
    assert fetch_command("cyto3") == "cellspan models fetch cyto3"
