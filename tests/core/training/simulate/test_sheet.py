"""The sheet of simulated fields that the documentation shows."""

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from cellspan.core.training.simulate import sheet

pytestmark = pytest.mark.quick


def test_half_of_the_fields_have_outlines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "SIDE", 96)
    sheet.write_sheet(tmp_path / "sheet.png", rows=1, columns=2)
    picture = imageio.imread(tmp_path / "sheet.png")
    assert picture.shape == (96, 192, 3)
    outlined = (picture == (255, 230, 0)).all(axis=2)
    assert not outlined[:, :96].any()
    assert outlined[:, 96:].any()
    assert np.ptp(picture) > 100


def test_a_sheet_of_looks_has_a_row_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "SIDE", 64)
    rows = sheet.sheet_of(["yeast", "two-photon"], columns=2)
    assert rows.shape == (128, 128, 3)
    # The names of the looks stand in the first fields.
    for name in (rows[:20, :60].astype(int), rows[64:84, :60].astype(int)):
        assert ((name[..., 0] - name[..., 2]) > 100).any()  # yellow
