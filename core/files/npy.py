"""Arrays from .npy files: what the header declares is checked before memory is taken, and no objects are read."""

from __future__ import annotations

import math
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError, first_line
from cellspan.core.files.regular import Source, opened, size_of
from cellspan.core.machine.memory import in_words, require_memory

COPIES = 2  # the array, and the copy in which its channels come first
BLOCK = 1 << 22  # bytes that are read at once

Header = tuple[tuple[int, ...], bool, np.dtype[Any]]  # shape, whether the first axis runs fastest, type


def load_npy(source: Source) -> NDArray[Any]:
    """The array in a .npy file, from its bytes, an open file or a path; raises CellspanError in one sentence."""
    try:
        with opened(source) as file:
            return _read(file)
    except OSError as error:
        raise CellspanError(f"The array cannot be read ({error.strerror or error}).") from None
    except MemoryError:
        raise CellspanError("The array does not fit into the memory that is free; send it in parts.") from None


def _read(file: BinaryIO) -> NDArray[Any]:
    shape, fortran, kind = read_header(file)
    if kind.kind not in "biufc":  # objects, texts, records
        raise CellspanError(f"The array holds other things than numbers (its type is {kind}).")
    size = math.prod(shape) * kind.itemsize
    there = size_of(file) - file.tell()
    words = f"The array declares the shape {shape} of {kind}, {in_words(size)}"
    if there < size:
        raise CellspanError(f"{words}, but only {there} bytes follow; it is cut short or damaged.")
    require_memory(COPIES * size, f"{words}; reading it", "send it in parts")
    flat = np.empty(math.prod(shape), kind)
    target = flat.view(np.uint8)
    done = 0
    while done < size:
        block = file.read(min(BLOCK, size - done))
        if not block:
            raise CellspanError(f"{words}, but only {done} bytes follow; it is cut short or damaged.")
        target[done : done + len(block)] = np.frombuffer(block, np.uint8)
        done += len(block)
    return flat.reshape(shape, order="F" if fortran else "C")


def read_header(file: BinaryIO) -> Header:
    """What the header of a .npy file declares; the file is then at the first number. Raises CellspanError."""
    try:
        version = npy_format.read_magic(file)
        read = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}.get(version)
        if read is None:  # version 3 is for records with names in foreign letters
            raise ValueError(f"version {version[0]}.{version[1]} of the format is not for plain arrays")
        shape, fortran, kind = read(file)
        if not all(isinstance(length, int) and length >= 0 for length in shape):
            raise ValueError(f"the shape {shape} is impossible")
        # numpy has no more axes, nor arrays whose bytes need more than 63 bits even where an axis is empty.
        if len(shape) > 32 or math.prod(length or 1 for length in shape) * max(1, kind.itemsize) >= 1 << 63:
            words = " x ".join(str(length) for length in shape[:4]) if len(shape) <= 4 else f"{len(shape)} axes"
            raise ValueError(f"it declares {words[:80]}, which no computer can hold")
    except Exception as error:  # noqa: BLE001 - numpy evaluates the header as Python, which raises anything
        raise CellspanError(f"The array cannot be read: its header is damaged ({first_line(error)[:200]}).") from None
    return shape, bool(fortran), kind
