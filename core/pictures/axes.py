"""Which axis of a picture is what: one answer for files, arrays, volumes and the hyperstacks of ImageJ.

Letters are tifffile's: T time points, Z slices, C channels, Y rows, X columns, S colours of RGB. Any other letter (I
and Q of TIFF files that do not say) is an axis without a meaning, which `meaning_of` gives it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from cellspan.core.errors import CellspanError

ORDER = "TZCYXS"  # of the axes in a hyperstack
MAX_CHANNELS = 8  # an axis without a meaning that is longer than this is a stack, not channels
NAMES = {"T": "time points", "Z": "z-slices", "C": "channels", "S": "colours"}

# What pyimagej, scikit-image, xarray, OME-Zarr and ImageJ2 call them, in lower case.
_LETTERS = {
    **dict.fromkeys(("t", "time", "frame"), "T"),
    **dict.fromkeys(("z", "pln", "plane", "slice"), "Z"),
    **dict.fromkeys(("c", "ch", "channel"), "C"),
    **dict.fromkeys(("y", "row"), "Y"),
    **dict.fromkeys(("x", "col", "column"), "X"),
    **dict.fromkeys(("s", "rgb", "sample"), "S"),
}


def letter_of(name: object) -> str:
    """The letter of an axis called, for example, t, pln, row, col or ch; empty for names that are not known."""
    return _LETTERS.get(str(name).lower(), "")


def axes_of_names(names: Sequence[Any]) -> str:
    """The letters of axes called, for example, t, pln, row, col, ch. Raises CellspanError for other names."""
    letters = [letter_of(name) for name in names]
    if "" in letters:
        raise CellspanError(
            f"The axis '{names[letters.index('')]}' is not known; call the axes t, pln, row, col and ch, "
            "or say what they are with axes, such as axes='ZYX'."
        )
    return "".join(letters)


def axes_of_array(shape: Sequence[int], is_volume: bool = False) -> str:
    """The axes of an array that does not name them; empty if they cannot be known.

    A plane is (Y, X), (Y, X, 3 or 4) as RGB, or (C, Y, X) or (Y, X, C) with few planes, else (Z, Y, X); a volume is
    (Z, Y, X) or (Z, C, Y, X).
    """
    if is_volume:
        return {3: "ZYX", 4: "ZCYX"}.get(len(shape), "")
    if len(shape) != 3:
        return "YX" if len(shape) == 2 else ""
    if shape[-1] in (3, 4) and shape[0] > 4:
        return "YXS"
    if shape[0] <= MAX_CHANNELS:
        return "CYX"
    return "YXC" if shape[-1] <= MAX_CHANNELS else "ZYX"


def meaning_of(axes: str, shape: Sequence[int], is_volume: bool = False) -> str:
    """The axes with letters for those without a meaning, as an array of this shape would have them.

    In a volume the first of them is slices and a second one channels, unless the file names others as these; of planes
    a few are channels and many are slices. What cannot be settled keeps its letter.
    """
    letters = list(axes.upper())
    long = [axis for axis, length in enumerate(shape) if length > 1]
    named = {letters[axis] for axis in long} & set(ORDER)
    unknown = [axis for axis in long if letters[axis] not in ORDER]
    has_colours = bool(named & set("CS"))
    if is_volume:
        for axis in unknown[:2]:
            letter = "Z" if not named & set("ZT") else "" if has_colours else "C"
            letters[axis] = letter or letters[axis]
            named.add(letters[axis])
            has_colours = has_colours or letter == "C"
    elif len(unknown) == 1:
        few = shape[unknown[0]] <= MAX_CHANNELS and not has_colours
        letters[unknown[0]] = "C" if few else letters[unknown[0]] if "Z" in named else "Z"
    return "".join(letters)


def checked(axes: str, shape: Sequence[int], what: str = "image") -> str:
    """The axes in capitals; raises CellspanError if they do not fit the shape, or lack rows or columns."""
    letters = axes.upper()
    if len(letters) != len(shape) or letters.count("Y") != 1 or letters.count("X") != 1:
        raise CellspanError(f"the axes '{axes}' do not describe {_a(what)} of shape {tuple(shape)}.")
    return letters


def squeezed(pixels: Any, axes: str) -> tuple[Any, str]:
    """An array, or one of dask, without the axes of length 1 that are neither rows nor columns."""
    keep = [axis for axis, letter in enumerate(axes) if letter in "YX" or pixels.shape[axis] > 1]
    whole = tuple(slice(None) if axis in keep else 0 for axis in range(len(axes)))
    return pixels[whole], "".join(axes[axis] for axis in keep)


def in_order(array: NDArray[Any], axes: str) -> tuple[NDArray[Any], str]:
    """The array with its axes in the order T, Z, C, Y, X, S."""
    letters = sorted(axes, key=ORDER.index)
    return array.transpose([axes.index(letter) for letter in letters]), "".join(letters)


def hyperstack(array: NDArray[Any], axes: str, is_volume: bool = False) -> tuple[NDArray[Any], str]:
    """An image with its axes as ImageJ has them: (T, Z, ...) and the letters of the rest, which are those of one plane.

    Axes without a meaning get theirs first. Raises CellspanError for axes that a hyperstack does not have.
    """
    letters = checked(axes, array.shape)
    array, letters = squeezed(array, meaning_of(letters, array.shape, is_volume))
    if len(set(letters)) != len(letters) or {"C", "S"} <= set(letters) or set(letters) - set(ORDER):
        raise CellspanError(f"the axes '{axes}' are more than time points, z-slices and channels.")
    return stacked_planes(*in_order(array, letters))


def stacked_planes(array: NDArray[Any], axes: str) -> tuple[NDArray[Any], str]:
    """An array with its axes in the order T, Z, C, Y, X, S as (T, Z, ...), and the letters of the rest."""
    inner = axes.lstrip("TZ")
    frames, slices = (array.shape[axes.index(letter)] if letter in axes else 1 for letter in "TZ")
    return array.reshape(frames, slices, *array.shape[len(axes) - len(inner) :]), inner


def several_of(axes: str, shape: Sequence[int]) -> str:
    """What there is more than one of, for a sentence: 5 z-slices and 3 channels."""
    found = [f"{n} {NAMES.get(letter, 'planes')}" for letter, n in zip(axes, shape, strict=True) if letter not in "YX"]
    return " and ".join(found)


def _a(what: str) -> str:
    return f"an {what}" if what[0] in "aeiou" else f"a {what}"
