"""Dictionaries of numbers: the same as numpy reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.models.numpy_file import LARGEST, read_numbers

pytestmark = pytest.mark.quick
CONTENT = {"A": np.linspace(0, 1, 6), "one": np.float32(0.1), "number": 30.0, "text": "cyto"}


def test_arrays_numbers_and_texts(tmp_path: Path) -> None:
    np.save(tmp_path / "f.npy", CONTENT, allow_pickle=True)  # type: ignore[arg-type]
    found = read_numbers(tmp_path / "f.npy")
    assert list(found) == list(CONTENT)
    assert all(np.array_equal(found[name], value) for name, value in CONTENT.items())


def test_other_arrays_and_large_files_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "f.npy", {"a": np.array([None, "text"], object)}, allow_pickle=True)  # type: ignore[arg-type]
    with pytest.raises(CellspanError, match=r"f\.npy: this NumPy file cannot be read \(it contains more than numbers"):
        read_numbers(tmp_path / "f.npy")
    with (tmp_path / "large.npy").open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(CellspanError, match=r"large\.npy: .*too large for such a file"):
        read_numbers(tmp_path / "large.npy")
