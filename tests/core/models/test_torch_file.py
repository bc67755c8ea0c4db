"""Files of torch.save, read without torch: the same numbers, and nothing of the file is executed."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import zipfile
from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cellspan.core.errors import CellspanError
from cellspan.core.models.torch_file import LEGACY_START, Storage, StoredTensor, is_torch_file, open_torch_file

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.quick
FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


def save(content: Any, path: Path, zipped: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


def read(path: Path) -> dict[str, np.ndarray]:
    with open_torch_file(path) as file:
        return {name: file.array(name) for name in file.tensors}


def tensors() -> dict[str, Any]:
    torch.manual_seed(0)
    whole = torch.randn(4, 6)
    content = {
        "float": whole,
        "view": whole[1:3, ::2],  # shares the storage
        "transposed": whole.T,
        "parameter": torch.nn.Parameter(torch.randn(3)),
        "double": torch.randn(2, dtype=torch.float64),
        "half": torch.randn(5).half(),
        "long": torch.arange(3),
        "scalar": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        "expanded": torch.randn(1, 3).expand(4, 3),
    }
    return OrderedDict(content)


@FORMATS
def test_the_same_numbers_as_torch_reads(tmp_path: Path, zipped: bool) -> None:
    path = save(tensors(), tmp_path / "file", zipped)
    found = read(path)
    expected = torch.load(path, weights_only=True)
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name].dtype == value.detach().numpy().dtype, name
        assert np.array_equal(found[name], value.detach().numpy()), name


def test_torch_is_not_needed(tmp_path: Path) -> None:
    path = save(tensors(), tmp_path / "file")
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "from cellspan.core.models.torch_file import open_torch_file\n"
        "with open_torch_file(Path(sys.argv[1])) as file: print(file.array('scalar'))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert done.stdout.strip() == "7", done.stderr


class Harmful:
    """Would make a folder if it were unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.trace),)


@FORMATS
def test_nothing_is_executed(tmp_path: Path, zipped: bool) -> None:
    trace = tmp_path / "executed"
    path = save({"weight": Harmful(trace)}, tmp_path / "file", zipped)
    with pytest.raises(CellspanError, match=r"not a torch checkpoint of tensors .*mkdir"):
        read(path)
    assert not trace.exists()


@FORMATS
@pytest.mark.parametrize("content", [{}, [1, 2], {"model": {"weight": 1}}, {"epoch": 3}, torch.zeros(3)], ids=str)
def test_other_contents_are_refused(tmp_path: Path, zipped: bool, content: Any) -> None:
    with pytest.raises(CellspanError, match="state_dict"):
        read(save(content, tmp_path / "file", zipped))


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"", b"text", b"\x80\x02]q\x00."):
        path.write_bytes(content)
        assert not is_torch_file(path)
        with pytest.raises(CellspanError, match="not a torch checkpoint"):
            read(path)
    np.savez(path.with_suffix(".npz"), a=np.zeros(2))
    with pytest.raises(CellspanError, match="not a torch checkpoint"):
        read(path.with_suffix(".npz"))
    with pytest.raises(CellspanError, match="no such file"):
        read(tmp_path / "missing")


@cache
def hundred_numbers(zipped: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save({"weight": torch.arange(100.0)}, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


@FORMATS
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_cut_files_are_refused(tmp_path: Path, zipped: bool, data: st.DataObject) -> None:
    content = hundred_numbers(zipped)
    cut = tmp_path / "cut"
    cut.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(CellspanError):
        read(cut)


def test_no_file_takes_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(LEGACY_START + b"\x80\x02Nr\xff\xff\xff\x7f.")  # None, remembered under the number 2 billion
    with pytest.raises(CellspanError, match="cut short"):
        read(path)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
@example(place=0.0, value=0)
@example(place=0.98828125, value=1)
def test_flipped_bytes_give_an_error_or_the_truth(tmp_path: Path, place: float, value: int) -> None:
    content = bytearray(hundred_numbers(zipped=True))
    content[int(place * len(content))] = value
    damaged = tmp_path / "damaged"
    damaged.write_bytes(content)
    with contextlib.suppress(CellspanError):
        assert all(np.array_equal(array, np.arange(100.0)) for array in read(damaged).values())


@pytest.mark.parametrize(
    ("offset", "shape", "strides"), [(2, (4,), (1,)), (0, (2, 3), (3, 1)), (0, (4,), (-1,)), (0, (2,), (1 << 40,))]
)
def test_tensors_outside_their_storage_are_refused(
    offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    tensor = StoredTensor(Storage("0", np.dtype("<f4"), 4), offset, shape, strides)
    with pytest.raises((ValueError, TypeError)):
        tensor.array(bytes(16))


def declaring(path: Path, size: int) -> Path:
    """A checkpoint whose one tensor repeats a single number so many times."""
    return save({"weight": torch.zeros(1).expand(size, size)}, path)


def test_tensors_larger_than_the_memory_are_refused_by_their_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = declaring(tmp_path / "file", 200_000)
    assert path.stat().st_size < 10_000
    monkeypatch.setattr("cellspan.core.machine.memory.available_memory", lambda: 10**10)
    with pytest.raises(CellspanError, match=r"'weight' declares 160 GB; reading it needs 320 GB .* 10 GB are free"):
        read(path)


def test_archives_that_expand_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(65 << 20))
    assert path.stat().st_size < 100_000
    with pytest.raises(CellspanError, match=r"cut short|declares 68 MB"):
        read(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("archive/data.pkl", b"")
    with pytest.raises(CellspanError):
        read(path)
