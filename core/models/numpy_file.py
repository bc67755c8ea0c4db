"""Reads the dictionaries of numbers in which Cellpose keeps size models."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from cellspan.core.errors import CellspanError
from cellspan.core.files.pickled import PickledArray, load_dictionary

LARGEST = 64 << 20  # bytes; a size model of Cellpose has 5,000


def read_numbers(path: Path) -> dict[str, Any]:
    """The content of `numpy.save(path, dictionary)`: arrays, numbers and texts by name; raises CellspanError."""
    content = load_dictionary(path, LARGEST)
    try:
        return {key: item.array() if isinstance(item, PickledArray) else item for key, item in content.items()}
    except (pickle.UnpicklingError, ValueError, TypeError) as error:
        raise CellspanError(f"{path}: this NumPy file cannot be read ({error}).") from None
