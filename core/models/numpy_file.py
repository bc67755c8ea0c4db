"""Reads a dictionary of numbers that NumPy saved as a pickle, without running code from the file.

NumPy's own classes are not used, because a damaged pickle can make them crash the process.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from cellspan.core.errors import CellspanError, first_line
from cellspan.core.files.npy import read_header
from cellspan.core.files.regular import open_regular, size_of
from cellspan.core.machine.memory import in_words
from cellspan.core.models.torch_file import Unpickler

NUMBERS = frozenset({"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"})
LARGEST = 64 << 20  # bytes; a size model of Cellpose has 5,000


def read_numbers(path: Path) -> dict[str, Any]:
    """The content of `numpy.save(path, dictionary)`: arrays, numbers and texts by name; raises CellspanError."""
    try:
        with open_regular(path) as file:
            if size_of(file) > LARGEST:
                raise ValueError(f"it has {in_words(size_of(file))}, which is too large for a size model")
            read_header(file)
            content = _NumbersOnly(file).load()
        dictionary = content.only_element() if isinstance(content, _Array) else content
        if not isinstance(dictionary, dict):
            raise pickle.UnpicklingError("it contains no dictionary")
        return {key: item.array() if isinstance(item, _Array) else item for key, item in dictionary.items()}
    except Exception as error:  # noqa: BLE001 - unpickling raises anything on foreign files
        raise CellspanError(f"{path}: this NumPy file cannot be read ({first_line(error)[:300]}).") from None


class _Dtype:
    """Stands for numpy.dtype."""

    def __init__(self, code: str, *_: object) -> None:
        self.code, self.order = code, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1]

    def numbers(self) -> np.dtype[Any]:
        if self.code not in NUMBERS or self.order not in tuple("<>=|"):
            raise pickle.UnpicklingError(f"it contains more than numbers ('{self.code}')")
        return np.dtype(self.order + self.code)


class _Array:
    """Stands for numpy.ndarray."""

    def __init__(self, *_: object) -> None:
        self.shape, self.dtype, self.fortran, self.data = (), _Dtype("O8"), False, None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, self.shape, self.dtype, self.fortran, self.data = state

    def array(self) -> np.ndarray[Any, Any]:
        numbers: np.ndarray[Any, Any] = np.frombuffer(self.data or b"", self.dtype.numbers())
        return numbers.reshape(self.shape, order="F" if self.fortran else "C")

    def only_element(self) -> object:
        return self.data[0] if self.dtype.code == "O8" and isinstance(self.data, list) else None


def _scalar(dtype: _Dtype, data: bytes) -> Any:
    return np.frombuffer(data, dtype.numbers())[0]


def _bytes(text: str, encoding: str) -> bytes:
    """Bytes as stored in early pickles."""
    return text.encode("latin1")


class _NumbersOnly(Unpickler):
    """Builds stand-ins for NumPy's classes from plain containers, and refuses anything else before it can run."""

    STAND_INS = {"_reconstruct": _Array, "ndarray": _Array, "dtype": _Dtype, "scalar": _scalar}  # noqa: RUF012

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "numpy" and name in self.STAND_INS:
            return self.STAND_INS[name]
        if (module, name) == ("_codecs", "encode"):
            return _bytes
        raise pickle.UnpicklingError(f"it refers to {module}.{name}, which is not a number")
