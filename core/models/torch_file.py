"""Reads the tensors of a state_dict saved by torch.save, without torch and without running code from the file.

There are two formats: a zip archive (torch 1.6 and later), and before that pickles followed by the numbers. In both, a
pickle gives the shape and location of each tensor. Only tensors and plain containers are accepted.
"""

from __future__ import annotations

import io
import math
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError, first_line
from cellspan.core.files.archives import read_member
from cellspan.core.files.pickled import Unpickler
from cellspan.core.files.regular import is_regular, open_regular
from cellspan.core.files.writing import write_atomically
from cellspan.core.machine.memory import in_words, require_memory

ZIP_START = b"PK\x03\x04"
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the magic number, pickled

LONGEST_PICKLE = 64 << 20  # bytes; that of the largest model of Cellpose has 100,000

# torch stores numbers in native byte order, and all its platforms are little-endian.
STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "V2",  # NumPy has no such type: such tensors can be listed, but not used
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


@dataclass(frozen=True)
class Storage:
    """A run of numbers in the file."""

    key: str
    dtype: np.dtype[Any]
    count: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.count * self.dtype.itemsize


@dataclass(frozen=True)
class StoredTensor:
    """The location of a tensor in the file; offset and strides in numbers."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of the tensor, or of its storage if larger, because a tensor can repeat numbers."""
        return max(self.storage.size, math.prod(self.shape) * self.storage.dtype.itemsize)

    def array(self, numbers: bytes) -> NDArray[Any]:
        """The tensor as a new array; raises ValueError or TypeError if it is outside the storage."""
        size = self.storage.dtype.itemsize
        steps = [step * size for step in self.strides]
        # ndarray itself checks that no element lies outside of `numbers`.
        return np.ndarray(self.shape, self.storage.dtype, numbers, self.offset * size, steps).copy()


class _Numbers(Protocol):
    """The part of a file with the numbers."""

    def read(self, storage: Storage) -> bytes: ...


@dataclass(frozen=True)
class TorchFile:
    """An open file: the tensors by name, with their numbers on request."""

    path: Path
    tensors: Mapping[str, StoredTensor]
    numbers: _Numbers

    def array(self, name: str) -> NDArray[Any]:
        """One tensor; raises CellspanError if the file is damaged."""
        tensor = self.tensors[name]
        require_memory(2 * tensor.size, f"{self.path}: '{name[:100]}' declares {in_words(tensor.size)}; reading it")
        try:
            return tensor.array(self.numbers.read(tensor.storage))
        except MemoryError:
            raise CellspanError(f"{self.path}: '{name[:100]}' does not fit into the free memory.") from None
        except Exception:  # noqa: BLE001 - a damaged archive raises a dozen kinds of errors
            raise CellspanError(
                f"{self.path}: the file is damaged or cut short at '{name[:100]}'; copy it again."
            ) from None


def write_torch_file(path: Path, content: Any) -> None:
    """Write `content` with torch.save; raises CellspanError that names the file. This needs torch."""
    import torch

    # To memory first, because torch does not raise OSError if a file cannot be written.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, lambda part: part.write_bytes(buffer.getbuffer()))


def is_torch_file(path: Path) -> bool:
    """Whether a file starts like one from torch.save; reads only a few bytes."""
    try:
        with open_regular(path) as file:
            start = file.read(len(LEGACY_START)) or b""  # None if reading would block
    except (OSError, CellspanError):
        return False
    return start.startswith(ZIP_START) or start == LEGACY_START


@contextmanager
def open_torch_file(path: Path) -> Iterator[TorchFile]:
    """List the tensors of a file, and keep it open for their numbers; raises CellspanError with the reason."""
    if not is_regular(path):
        raise CellspanError(f"{path}: there is no such file.")
    if not os.access(path, os.R_OK):
        raise CellspanError(f"{path}: you do not have permission to read this file.")
    if not is_torch_file(path):
        raise CellspanError(f"{path}: this is not a torch checkpoint.")
    with open_regular(path) as file:
        is_zip = file.read(len(ZIP_START)) == ZIP_START
        try:
            content, numbers = _open_zip(file) if is_zip else _open_legacy(file)
        except (zipfile.BadZipFile, EOFError):
            raise CellspanError(f"{path}: the file is damaged or cut short; copy it again.") from None
        except MemoryError:
            raise CellspanError(
                f"{path}: the file is damaged, because it asks for more memory than there is."
            ) from None
        except Exception as error:  # noqa: BLE001 - unpickling raises anything on foreign files
            reason = first_line(error)[:200] if isinstance(error, pickle.UnpicklingError) else type(error).__name__
            raise CellspanError(f"{path}: this is not a torch checkpoint of tensors ({reason}).") from None
        yield TorchFile(path, _state_dict(path, content), numbers)


def _state_dict(path: Path, content: object) -> dict[str, StoredTensor]:
    if not isinstance(content, dict) or not content:
        raise CellspanError(f"{path}: this torch file contains no state_dict.")
    if not all(isinstance(key, str) and isinstance(value, StoredTensor) for key, value in content.items()):
        raise CellspanError(f"{path}: this torch file contains more than a state_dict of tensors.")
    return {key.removeprefix("module."): value for key, value in content.items()}  # DataParallel adds the prefix


class _Archive:
    """A zip archive with a member for the pickle and one per storage, each checked by its CRC-32."""

    def __init__(self, file: BinaryIO) -> None:
        self.archive = zipfile.ZipFile(file)
        pickles = [name for name in self.archive.namelist() if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise pickle.UnpicklingError("it contains no data.pkl")
        self.prefix = pickles[0].removesuffix("data.pkl")

    def content(self) -> object:
        member = self.archive.getinfo(f"{self.prefix}data.pkl")
        return _TensorsOnly(io.BytesIO(read_member(self.archive, member, LONGEST_PICKLE))).load()

    def read(self, storage: Storage) -> bytes:
        member = self.archive.getinfo(f"{self.prefix}data/{storage.key}")
        if member.file_size != storage.size:
            raise EOFError
        return read_member(self.archive, member)


class _Legacy:
    """The numbers after the pickles: for each storage its length in 8 bytes, then the numbers."""

    def __init__(self, file: BinaryIO, keys: list[str], storages: Mapping[str, Storage]) -> None:
        self.file = file
        self.starts: dict[str, int] = {}
        place = file.tell()
        for key in keys:
            self.starts[key] = place + 8
            place += 8 + storages[key].size
        if place > os.fstat(file.fileno()).st_size:
            raise EOFError

    def read(self, storage: Storage) -> bytes:
        self.file.seek(self.starts[storage.key])
        return self.file.read(storage.size)


def _open_zip(file: BinaryIO) -> tuple[object, _Numbers]:
    archive = _Archive(file)
    return archive.content(), archive


def _open_legacy(file: BinaryIO) -> tuple[object, _Numbers]:
    file.seek(0)
    if _TensorsOnly(file).load() != LEGACY_MAGIC:
        raise pickle.UnpicklingError("it has an unknown format")
    _TensorsOnly(file).load()  # the format's version, always 1001
    _TensorsOnly(file).load()  # sizes of C types on the machine that wrote it; not used
    unpickler = _TensorsOnly(file)
    content = unpickler.load()
    return content, _Legacy(file, _TensorsOnly(file).load(), unpickler.storages)


class _TensorsOnly(Unpickler):
    """Builds descriptions of tensors from plain containers, and refuses anything else before it can run."""

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _parameter
        if module == "torch" and name in STORAGES:
            return np.dtype(STORAGES[name])
        raise pickle.UnpicklingError(f"it refers to {module}.{name}, which is not a tensor")

    def persistent_load(self, pid: Any) -> Storage:
        kind, dtype, key, _device, count, *view = pid
        if kind != "storage" or not isinstance(dtype, np.dtype) or any(part is not None for part in view):
            raise pickle.UnpicklingError("its tensors are stored in an unknown way")
        _require_lengths((count,))
        return self.storages.setdefault(key, Storage(key, dtype, count))


def _tensor(storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> StoredTensor:
    shape, strides = tuple(shape), tuple(strides)
    if not isinstance(storage, Storage) or not all(type(step) is int for step in (offset, *strides)):
        raise pickle.UnpicklingError("its tensors are stored in an unknown way")
    _require_lengths(shape)
    return StoredTensor(storage, offset, shape, strides)


def _require_lengths(lengths: tuple[Any, ...]) -> None:
    """Refuse an invalid length; a pickle can contain anything in its place."""
    if not all(type(length) is int and 0 <= length < 1 << 48 for length in lengths) or len(lengths) > 16:
        raise pickle.UnpicklingError("its tensors have impossible sizes")


def _parameter(tensor: StoredTensor, *_: Any) -> StoredTensor:
    return tensor
