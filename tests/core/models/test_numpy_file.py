"""Dictionaries that numpy saved: the same numbers, nothing executed, damaged ones refused."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cellspan.core.errors import CellspanError
from cellspan.core.models.numpy_file import read_numbers

pytestmark = pytest.mark.quick
CONTENT = {
    "double": np.linspace(0, 1, 6).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "other order": np.arange(3, dtype=">f4"),
    "one": np.array(7),
    "scalar": np.float32(0.1),
    "flag": np.bool_(True),
    "number": 30.0,
    "text": "cyto",
}


def saved(content: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, content, allow_pickle=True)
    return buffer.getvalue()


def saved_as_early_numpy_did(content: Any) -> bytes:
    header = saved(content).partition(b"\n")[0] + b"\n"
    return header + pickle.dumps(np.array(content, object), protocol=2)


@pytest.mark.parametrize("write", [saved, saved_as_early_numpy_did])
def test_the_same_numbers_as_numpy_reads(tmp_path: Path, write: Callable[[Any], bytes]) -> None:
    (tmp_path / "f.npy").write_bytes(write(CONTENT))
    found = read_numbers(tmp_path / "f.npy")
    assert list(found) == list(CONTENT)
    for name, value in CONTENT.items():
        assert np.array_equal(found[name], value), name
        assert np.asarray(found[name]).dtype == np.asarray(value).dtype, name


class Harmful:
    """Would make a folder if it were unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.trace),)


def test_other_contents_are_refused(tmp_path: Path) -> None:
    objects = {"a": np.array([None, "text"], object)}
    for content in (Harmful(tmp_path / "trace"), {"a": Harmful(tmp_path / "trace")}, [1], np.zeros(3), objects):
        (tmp_path / "f.npy").write_bytes(saved(content))
        with pytest.raises(CellspanError, match=r"f\.npy: this NumPy file cannot be read"):
            read_numbers(tmp_path / "f.npy")
    assert not (tmp_path / "trace").exists()


@pytest.mark.filterwarnings("ignore:.*invalid escape sequence")
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
@example(place=0.0, value=0)
def test_damaged_files_do_no_harm(tmp_path: Path, place: float, value: int) -> None:
    content = bytearray(saved(CONTENT))
    content[int(place * len(content))] = value
    (tmp_path / "f.npy").write_bytes(content)
    with contextlib.suppress(CellspanError):
        assert isinstance(read_numbers(tmp_path / "f.npy"), dict)
