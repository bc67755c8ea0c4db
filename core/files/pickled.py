"""Dictionaries that NumPy saved as pickles: their arrays, numbers and texts, without running code from the file.

NumPy's own classes are not used, because a damaged or hostile pickle can make them crash the process, and worse.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError, first_line
from cellspan.core.files.npy import read_header
from cellspan.core.files.regular import open_regular, size_of
from cellspan.core.machine.memory import in_words, require_memory

# The Python unpickler, because the C version allocates any amount of memory that a damaged file asks for.
Unpickler = pickle._Unpickler
NUMBERS = frozenset({"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"})


def load_dictionary(path: Path, largest: int | None = None) -> dict[Any, Any]:
    """The content of `numpy.save(path, dictionary)`, with arrays as `PickledArray`; raises CellspanError.

    `largest`: more bytes cannot be a file of this kind.
    """
    try:
        with open_regular(path) as file:
            size = size_of(file)
            if largest is not None and size > largest:
                raise pickle.UnpicklingError(f"it has {in_words(size)}, which is too large for such a file")
            require_memory(2 * size, "it", "use a computer with more memory")
            read_header(file)
            content = _PlainOnly(_Whole(file)).load()
        dictionary = content.only_element() if isinstance(content, PickledArray) else content
        if not isinstance(dictionary, dict):
            raise pickle.UnpicklingError("it contains no dictionary")
        return dictionary
    except MemoryError:
        raise CellspanError(f"{path}: this NumPy file does not fit into the free memory.") from None
    except Exception as error:  # noqa: BLE001 - unpickling raises anything on foreign files
        reason = first_line(error)[:300].rstrip(".")
        raise CellspanError(f"{path}: this NumPy file cannot be read ({reason}).") from None


class _Whole:
    """An open file that ends where it ends, because reading a number of bytes allocates them first."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.left = file, size_of(file) - file.tell()

    def read(self, count: int) -> bytes:
        if not 0 <= count <= self.left:
            raise EOFError("it is cut short")
        self.left -= count
        return self.file.read(count)

    def readline(self) -> bytes:
        line = self.file.readline()
        self.left -= len(line)
        return line


class _Stored:
    """Stands for one of NumPy's objects; the pickle gives its state later."""

    def take(self, state: Any) -> None:
        """Remember the state; raises ValueError, TypeError or KeyError if it is not of this kind of object."""
        raise NotImplementedError


class _Dtype(_Stored):
    """Stands for numpy.dtype."""

    code: Any = ""
    order: Any = "="

    def __init__(self, code: Any, *_: object) -> None:
        self.code = code

    def take(self, state: Any) -> None:
        self.order = state[1]

    def numbers(self) -> np.dtype[Any]:
        if self.code not in NUMBERS or self.order not in tuple("<>=|"):
            raise pickle.UnpicklingError(f"it contains more than numbers ('{self.code}')")
        kind: np.dtype[Any] = np.dtype(self.order + self.code)
        return kind


class PickledArray(_Stored):
    """Stands for numpy.ndarray."""

    shape: Any = ()
    dtype: Any = _Dtype("O8")
    data: Any = None
    fortran = False

    def __init__(self, *_: object) -> None:
        """What they say is only preliminary."""

    def take(self, state: Any) -> None:
        """As of `_Stored`."""
        _, self.shape, self.dtype, self.fortran, self.data = state

    def array(self) -> NDArray[Any]:
        """The numbers, which cannot be changed; raises UnpicklingError, ValueError or TypeError if there are none."""
        if not isinstance(self.dtype, _Dtype):
            raise pickle.UnpicklingError("it contains an array without a type")
        numbers: NDArray[Any] = np.frombuffer(self.data or b"", self.dtype.numbers())
        return numbers.reshape(self.shape, order="F" if self.fortran else "C")

    def only_element(self) -> object:
        """The element of an array that holds one object, as NumPy saves whatever is no array."""
        holds_objects = isinstance(self.dtype, _Dtype) and self.dtype.code == "O8"
        return self.data[0] if holds_objects and isinstance(self.data, list) and len(self.data) == 1 else None


def _scalar(dtype: _Dtype, data: bytes) -> Any:
    return np.frombuffer(data, dtype.numbers())[0]


def _bytes(text: str, encoding: str) -> bytes:
    """Bytes as stored in early pickles."""
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """None at all, as stored in early pickles."""
    return b""


def _path(*parts: str) -> str:
    """A path as a text; it need not be one of this computer."""
    return "/".join(map(str, parts)).replace("//", "/")


_NUMPY = {"_reconstruct": PickledArray, "ndarray": PickledArray, "dtype": _Dtype, "scalar": _scalar}
_PATHS = ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")


class _PlainOnly(Unpickler):
    """Builds stand-ins for NumPy's classes from plain containers, and refuses anything else before it can run."""

    stack: list[Any]
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "numpy" and name in _NUMPY:
            return _NUMPY[name]
        if (module, name) == ("_codecs", "encode"):
            return _bytes
        if (module, name) == ("__builtin__", "bytes"):
            return _no_bytes
        if module in ("pathlib", "pathlib._local") and name in _PATHS:
            return _path
        raise pickle.UnpicklingError(f"it refers to {module}.{name}, but only numbers and texts are read")

    def load_build(self) -> None:
        """Give an object its state: to stand-ins only, not to these functions and classes themselves."""
        state = self.stack.pop()
        if not isinstance(self.stack[-1], _Stored):
            raise pickle.UnpicklingError("it gives a state to what has none")
        self.stack[-1].take(state)

    dispatch[pickle.BUILD[0]] = load_build
