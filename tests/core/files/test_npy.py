"""Arrays in .npy files: the same as numpy reads; headers that lie get one sentence."""

from __future__ import annotations

import contextlib
import io
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellspan.core.errors import CellspanError
from cellspan.core.files.npy import load_npy

pytestmark = [pytest.mark.quick, pytest.mark.filterwarnings("ignore::SyntaxWarning")]
ARRAY = np.arange(60, dtype=np.uint16).reshape(3, 4, 5)


def saved(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def declaring(header: str, body: bytes = b"12") -> bytes:
    content = header.encode() + b"\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(content)) + content + body


@pytest.mark.parametrize(
    "array",
    [ARRAY, np.asfortranarray(ARRAY), ARRAY.astype(">f4"), ARRAY > 7, np.zeros((0, 5)), np.array(3.0)],
    ids=["C", "Fortran", "big-endian", "bool", "empty", "scalar"],
)
def test_the_same_as_numpy(tmp_path: Path, array: np.ndarray) -> None:
    content = saved(array)
    (tmp_path / "a.npy").write_bytes(content)
    with tempfile.SpooledTemporaryFile() as spooled:
        spooled.write(content)
        for source in (content, tmp_path / "a.npy", io.BytesIO(content), spooled):
            found = load_npy(source)
            assert found.dtype == array.dtype
            assert found.flags.writeable
            np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000, 1000)}",
            "8 PB, but only 2 bytes follow",
        ),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (10, 10)}", "only 2 bytes follow"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 99999999999999999999)}", "no computer can hold"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 5)}", "impossible"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (3,)}", "other things than numbers"),
        ("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (3,)}", "other things than numbers"),
        ("((((", "header is damaged"),  # tokenize.TokenError
        ("{'descr': '<f8', ", "header is damaged"),
        ("(" * 3000 + ")" * 3000, "header is damaged"),
        ("\\x", "header is damaged"),
    ],
)
def test_headers_that_lie(header: str, sentence: str) -> None:
    with pytest.raises(CellspanError, match=sentence) as refusal:
        load_npy(declaring(header))
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 400


def test_arrays_larger_than_the_memory_are_refused_by_their_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cellspan.core.machine.memory.available_memory", lambda: 10_000_000)
    path = tmp_path / "a.npy"
    path.write_bytes(declaring("{'descr': '<f8', 'fortran_order': False, 'shape': (10000, 1000)}", b""))
    with path.open("r+b") as file:
        file.truncate(90_000_000)
    with pytest.raises(CellspanError, match=r"\(10000, 1000\) of float64, 80 MB; .* 160 MB .* 10 MB are free"):
        load_npy(path)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.npy", tmp_path / ("n" * 300), Path("a\0b")):
        with pytest.raises(CellspanError):
            load_npy(path)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 200), value=st.integers(0, 255), end=st.integers(0, 300))
def test_damaged_files_give_an_array_or_a_sentence(place: int, value: int, end: int) -> None:
    content = bytearray(saved(ARRAY))
    content[place] = value
    with contextlib.suppress(CellspanError):
        assert isinstance(load_npy(bytes(content[:end])), np.ndarray)
