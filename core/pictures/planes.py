"""Pixels that are read when a part of them is asked for, and whose reading names its file when it fails."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError, first_line
from cellspan.core.machine.memory import in_words, require_memory

WAY_OUT = "save it in parts or at a lower resolution"
MAX_PARTS = 50_000_000  # of a volume in its file; dask keeps a record of each that is read

Naming = Callable[[], AbstractContextManager[None]]  # what names the file in the errors of a reading


@contextmanager
def one_sentence() -> Iterator[None]:
    """Decoders raise anything on damaged files; the user needs one sentence."""
    try:
        yield
    except CellspanError:
        raise
    except MemoryError:
        raise CellspanError(f"the file does not fit into the memory that is free; {WAY_OUT}.") from None
    except Exception as error:  # noqa: BLE001 - see above
        raise CellspanError(f"the file is damaged or not an image ({first_line(error)[:300]}).") from None


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Whatever goes wrong while a file is read becomes a CellspanError that begins with the file's name."""
    try:
        with one_sentence():
            try:
                yield
            except OSError as error:
                raise CellspanError(f"the file cannot be read ({error.strerror or error}).") from None
    except CellspanError as error:
        raise named(error, path) from None


def named(error: CellspanError, path: Path) -> CellspanError:
    """The mistake in a sentence that begins with the file's name, if it does not name a file already."""
    return error if "file" in error.fields or str(error).startswith(f"{path}: ") else error.within(path)


class Planes:
    """An array whose planes, along its first axes, are read one by one as a part is asked for: as dask needs it."""

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        read: Callable[[tuple[int, ...]], NDArray[Any]],
        inner: int = 2,
        named: Naming = nullcontext,
    ) -> None:
        """`read` gets a place along all axes but the last `inner` ones and gives what is there."""
        self.shape, self.dtype, self.ndim = shape, dtype, len(shape)
        self.chunks = (*(1 for _ in shape[:-inner]), *shape[-inner:])
        self._read, self._named, self._leading = read, named, len(shape) - inner

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """A part of it, by numbers and slices."""
        keys = key if isinstance(key, tuple) else (key,)
        keys = (*keys, *(slice(None) for _ in range(self.ndim - len(keys))))
        leading = self._leading
        outer = [range(n)[part] for n, part in zip(self.shape[:leading], keys[:leading], strict=True)]
        places = [part if isinstance(part, range) else range(part, part + 1) for part in outer]
        first = None
        for place in np.ndindex(*(len(part) for part in places)):
            with self._named():
                plane = self._read(tuple(part[k] for part, k in zip(places, place, strict=True)))
                if plane.shape != self.shape[leading:]:
                    raise CellspanError(f"a plane has the shape {plane.shape}, not {self.shape[leading:]}.")
            plane = plane[tuple(keys[leading:])]
            if first is None:
                first = np.empty((*(len(part) for part in places), *plane.shape), self.dtype)
            first[place] = plane
        result = first if first is not None else np.empty((0,) * self.ndim, self.dtype)
        return result[tuple(0 if not isinstance(part, range) else slice(None) for part in outer)]


class Named:
    """An array of zarr whose reading names its file when it fails."""

    def __init__(self, stored: Any, named: Naming) -> None:
        """As `stored`."""
        self.shape, self.dtype, self.ndim, self.chunks = stored.shape, stored.dtype, len(stored.shape), stored.chunks
        self._stored, self._named = stored, named

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """A part of it."""
        with self._named():
            return np.asarray(self._stored[key])


def in_parts(stored: Planes | Named) -> Any:
    """A dask array whose parts each fit into the memory; raises CellspanError if they do not."""
    import dask.array

    require_parts(stored)
    return dask.array.from_array(stored, chunks=stored.chunks, name=False, lock=isinstance(stored, Planes))


def require_parts(stored: Any) -> None:
    """Refuse an array whose parts in its file do not fit into the memory, or are too many; raises CellspanError."""
    count = math.prod(-(-length // part) for length, part in zip(stored.shape, stored.chunks, strict=True))
    if count > MAX_PARTS:
        raise CellspanError(f"the file declares the shape {stored.shape} in {count:.1g} parts, which is too many.")
    size = math.prod(stored.chunks) * np.dtype(stored.dtype).itemsize
    words = " x ".join(str(length) for length in stored.chunks)
    # What is decoded, and what it is copied into.
    require_memory(2 * size, f"the file is stored in parts of {words} voxels; reading one", "save it in smaller ones")


def require_whole(shape: tuple[int, ...], dtype: np.dtype[Any], axes: str, per_pixel: int = 0, copies: int = 2) -> str:
    """Refuse pixels that do not fit into the memory; the beginning of a sentence about what the file declares.

    `copies`: the pixels, and once more what sorts the channels. Raises CellspanError.
    """
    size = math.prod(shape) * dtype.itemsize
    plane = math.prod(length for length, letter in zip(shape, axes, strict=True) if letter in "YX")
    words = declared(shape, dtype)
    require_memory(copies * size + per_pixel * plane, words, WAY_OUT)
    return words


def declared(shape: tuple[int, ...], kind: np.dtype[Any]) -> str:
    """The beginning of a sentence: what a header says."""
    size = math.prod(shape) * kind.itemsize
    sides = " x ".join(str(length) for length in shape[:6]) + (" x ..." if len(shape) > 6 else "")
    return f"the file declares {sides} pixels of {8 * kind.itemsize} bits, which takes {in_words(size)}; working on it"
