"""Dictionaries that numpy saved: the same content, nothing executed, damaged and hostile ones refused."""

from __future__ import annotations

import contextlib
import io
import os
import pathlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cellspan.core.errors import CellspanError
from cellspan.core.files import pickled
from cellspan.core.files.pickled import PickledArray, load_dictionary

pytestmark = pytest.mark.quick
CONTENT = {
    "double": np.linspace(0, 1, 6).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "other order": np.arange(3, dtype=">f4"),
    "one": np.array(7),
    "empty": np.zeros((0, 2)),
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
    return header() + pickle.dumps(np.array(content, object), protocol=2)


def header() -> bytes:
    return saved({}).partition(b"\n")[0] + b"\n"


def read(folder: Path, content: bytes) -> dict[Any, Any]:
    (folder / "f.npy").write_bytes(content)
    return load_dictionary(folder / "f.npy")


@pytest.mark.parametrize("write", [saved, saved_as_early_numpy_did])
def test_the_same_content_as_numpy_reads(tmp_path: Path, write: Callable[[Any], bytes]) -> None:
    found = read(tmp_path, write(CONTENT))
    assert list(found) == list(CONTENT)
    for name, value in CONTENT.items():
        item = found[name]
        assert isinstance(item, PickledArray) == isinstance(value, np.ndarray), name
        item = item.array() if isinstance(item, PickledArray) else item
        assert np.array_equal(item, value), name
        assert np.asarray(item).dtype == np.asarray(value).dtype, name


def test_paths_of_any_system_become_texts(tmp_path: Path) -> None:
    paths = {"here": Path("/data/a.tif"), "pure": pathlib.PureWindowsPath("C:/data", "a.tif")}
    found = read(tmp_path, saved(paths))
    assert found["here"] == "/data/a.tif"
    assert "data" in found["pure"]


class Harmful:
    """Would make a folder if it were unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.trace),)


def test_code_is_refused_before_it_can_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    for content in (Harmful(trace), {"a": Harmful(trace)}, {"a": [1, {"b": Harmful(trace)}]}):
        with pytest.raises(CellspanError, match=r"f\.npy: this NumPy file cannot be read \(it refers to .*mkdir, but"):
            read(tmp_path, saved(content))
    assert not trace.exists()


@pytest.mark.parametrize(
    "name", ["builtins eval", "numpy.core.multiarray fromfile", "numpy.f2py compile", "pathlib Path"]
)
def test_only_what_arrays_need_is_known(tmp_path: Path, name: str) -> None:
    module, function = name.split()
    with pytest.raises(CellspanError, match=f"it refers to {module}.{function}, but only numbers and texts are read"):
        read(tmp_path, header() + f"c{module}\n{function}\n(S'1'\ntR.".encode())


def test_a_dtype_cannot_be_made_to_lie(tmp_path: Path) -> None:
    """With NumPy's own classes, bytes would be taken for the addresses of objects here."""
    forged = b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntb"
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I1\nt" + forged
    found = read(tmp_path, header() + b"(S'a'\n" + array + b"I00\nS'AAAAAAAA'\ntbd.")
    with pytest.raises(pickle.UnpicklingError, match="more than numbers"):
        found["a"].array()


@pytest.mark.parametrize("target", ["cnumpy.core.multiarray\nscalar\n", "cnumpy\ndtype\n", "(d"])
def test_the_readers_own_functions_are_not_changed(tmp_path: Path, target: str) -> None:
    before = {name: dict(vars(item)) for name, item in pickled._NUMPY.items()}
    state = b"(N(S'__defaults__'\n(I1\ntd" + b"t"
    with pytest.raises(CellspanError, match="state"):
        read(tmp_path, header() + target.encode() + state + b"b.")
    assert {name: dict(vars(item)) for name, item in pickled._NUMPY.items()} == before
    assert pickled._scalar.__defaults__ is None


def test_a_length_that_a_file_only_declares_takes_no_memory(tmp_path: Path) -> None:
    for declared in (1 << 31, 1 << 62):
        with pytest.raises(CellspanError, match="cannot be read"):
            read(tmp_path, header() + b"\x80\x04\x8e" + declared.to_bytes(8, "little") + b"short")


def test_other_contents_are_refused(tmp_path: Path) -> None:
    for content in ([1], np.zeros(3), "text"):
        with pytest.raises(CellspanError, match=r"f\.npy: this NumPy file cannot be read"):
            read(tmp_path, saved(content))
    with pytest.raises(CellspanError, match=r"cannot be read .*too large for such a file"):
        load_dictionary(tmp_path / "f.npy", largest=1)


@pytest.mark.filterwarnings("ignore:.*invalid escape sequence")
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
@example(place=0.0, value=0)
def test_damaged_files_do_no_harm(tmp_path: Path, place: float, value: int) -> None:
    content = bytearray(saved(CONTENT))
    content[int(place * len(content))] = value
    with contextlib.suppress(CellspanError):
        for item in read(tmp_path, bytes(content)).values():
            if isinstance(item, PickledArray):
                with contextlib.suppress(pickle.UnpicklingError, ValueError, TypeError):
                    item.array()
