"""A z-stack with its channels and the size of its voxels, read lazily so that it may be larger than the memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import ArrayLike, NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.files.regular import Source, exists, is_regular
from cellspan.core.machine.memory import require_memory
from cellspan.core.pictures.decoding import (
    ContentOnly,
    one_sentence,
    open_tiff,
    read_series,
    readable,
    require_segments,
)
from cellspan.core.pictures.images import LUMINANCE
from cellspan.core.pictures.inputs import TIFF_SUFFIXES, is_zarr

Spacing = tuple[float, float, float]  # from one voxel to the next along z, y, x
STACKS = "ZTIQ"  # letters of axes that can be a stack; I and Q are what tifffile calls an axis without a name
COLOURS = "CS"
MAX_PARTS = 50_000_000  # of a volume in its file; dask keeps a record of each that is read
UNITS = {"micron": "µm", "microns": "µm", "um": "µm", "\\u00B5m": "µm", "μm": "µm", "micrometer": "µm", "pixel": ""}


@dataclass(frozen=True)
class Volume:
    """Channels (C, Z, Y, X) as an array or a dask array, and what the file says of its voxels."""

    channels: Any
    spacing: Spacing | None = None
    unit: str = ""
    is_rgb: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, height, width."""
        depth, height, width = self.channels.shape[1:]
        return depth, height, width

    @property
    def anisotropy(self) -> float | None:
        """z step divided by the pixel size; None if it is not known."""
        return None if self.spacing is None else self.spacing[0] / self.spacing[2]

    def shown(self, channel: int | None) -> Any:
        """The channel that is segmented, (Z, Y, X) as an array or a dask array; the luminance of RGB."""
        if channel is None and self.is_rgb:
            return sum(float(weight) * self.channels[k] for k, weight in enumerate(LUMINANCE))
        return self.channels[channel or 0]

    def block(self, channel: int, z: slice, y: slice, x: slice) -> NDArray[Any]:
        """A part of one channel, read now."""
        return np.asarray(self.channels[channel, z, y, x])


def volume_from_array(array: ArrayLike, axes: str | None = None, spacing: Spacing | None = None) -> Volume:
    """Sort an array, or a dask array, into a volume.

    `axes` names each axis in tifffile's letters. Without it, (Z, Y, X) is one channel, and (Z, C, Y, X) has several.
    Raises CellspanError.
    """
    pixels: Any = array if hasattr(array, "dask") else np.asarray(array)
    if pixels.dtype.kind not in "buif":
        raise CellspanError(f"pixels of type {pixels.dtype} are not supported; use 8, 16 or 32 bit or float.")
    if 0 in pixels.shape:
        raise CellspanError(f"the volume has no voxels (shape {pixels.shape}).")
    letters = list(axes.upper() if axes else {3: "ZYX", 4: "ZCYX"}.get(pixels.ndim, ""))
    if len(letters) != pixels.ndim or letters.count("Y") != 1 or letters.count("X") != 1:
        raise CellspanError(
            f"a volume has the axes Z, Y, X or Z, C, Y, X, not '{axes or 'unknown'}' with the shape {pixels.shape}."
        )
    for axis in reversed(range(len(letters))):
        if letters[axis] not in "YX" and pixels.shape[axis] == 1 and len(letters) > 3:
            pixels = pixels[(slice(None),) * axis + (0,)]
            del letters[axis]
    return _sorted(pixels, letters, spacing)


def _sorted(pixels: Any, letters: list[str], spacing: Spacing | None) -> Volume:
    """The axes in the order C, Z, Y, X."""
    stacks = [letter for letter in letters if letter in STACKS]
    if "T" in stacks and len(stacks) > 1:
        raise CellspanError(
            f"the file holds {pixels.shape[letters.index('T')]} time points of a volume; save each one in its own file."
        )
    if len(stacks) != 1 or len(letters) > 4 or not set(letters) <= set("YX" + STACKS + COLOURS):
        raise CellspanError(
            f"the axes {''.join(letters)} with the shape {pixels.shape} are not those of a volume: it needs one axis "
            "of slices and at most one of channels."
        )
    colour = next((letter for letter in letters if letter in COLOURS), None)
    if colour is None:
        pixels, letters = pixels[None], ["C", *letters]
    order = [letters.index(letter) for letter in (colour or "C", stacks[0], "Y", "X")]
    is_rgb = colour == "S" and pixels.shape[order[0]] in (3, 4)
    pixels = pixels.transpose(order)
    return Volume(pixels[:3] if is_rgb else pixels, spacing, is_rgb=is_rgb)


def read_volume(path: str | Path) -> Volume:
    """Open a TIFF, OME-TIFF or OME-Zarr; voxels are read when they are needed. CellspanError names the file."""
    path = Path(path)
    if not exists(path):
        raise CellspanError(f"{path}: there is no such file or folder.")
    try:
        with one_sentence():
            if is_zarr(path):
                return _read_zarr(path)
            if path.suffix.lower() not in TIFF_SUFFIXES:
                raise CellspanError(f"volumes are read from TIFF and OME-Zarr, not from '{path.suffix}'.")
            if not is_regular(path):
                raise CellspanError("this is a folder, a pipe or a device, not a file.")
            return _read_tiff(path)
    except CellspanError as error:
        raise CellspanError(f"{path}: {error}") from None


def decode_volume(source: Source, suffix: str = ".tif") -> Volume:
    """A volume from a TIFF file's bytes, an open file or a path, read whole, so that the file may go away then.

    An open file and a path need less memory than bytes. Raises CellspanError, in a sentence without the file's name.
    """
    if suffix.lower() not in TIFF_SUFFIXES:
        raise CellspanError(f"volumes are read from TIFF, not from '{suffix}'.")
    try:
        with readable(source) as file, open_tiff(ContentOnly(file)) as tiff:
            return _from_tiff(tiff, read_series(tiff, copies=1))
    except OSError as error:
        raise CellspanError(f"the file cannot be read ({error.strerror or error}).") from None


def _read_tiff(path: Path) -> Volume:
    import zarr

    with open_tiff(path) as tiff:
        require_segments(tiff)
        return _from_tiff(tiff, _in_parts(zarr.open_array(store=tiff.series[0].aszarr(level=0), mode="r")))


def _in_parts(stored: Any) -> Any:
    """A dask array of a zarr one, whose parts each fit into the memory; raises CellspanError if they do not."""
    import dask.array

    count = math.prod(-(-length // part) for length, part in zip(stored.shape, stored.chunks, strict=True))
    if count > MAX_PARTS:
        raise CellspanError(f"the file declares the shape {stored.shape} in {count:.1g} parts, which is too many.")
    size = math.prod(stored.chunks) * np.dtype(stored.dtype).itemsize
    words = " x ".join(str(length) for length in stored.chunks)
    # What is decoded, and what it is copied into.
    require_memory(2 * size, f"the file is stored in parts of {words} voxels; reading one", "save it in smaller ones")
    return dask.array.from_zarr(stored)


def _from_tiff(tiff: tifffile.TiffFile, pixels: Any) -> Volume:
    spacing, unit = _tiff_spacing(tiff)
    volume = volume_from_array(pixels, tiff.series[0].axes, spacing)
    return Volume(volume.channels, spacing, unit, volume.is_rgb)


def _tiff_spacing(tiff: tifffile.TiffFile) -> tuple[Spacing | None, str]:
    """The size of a voxel as OME or ImageJ metadata have it."""
    if tiff.ome_metadata:
        image: Any = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]
        pixels = (image[0] if isinstance(image, list) else image)["Pixels"]
        sizes = tuple(float(pixels.get(f"PhysicalSize{axis}", 0)) for axis in "ZYX")
        return _checked(sizes), _unit(str(pixels.get("PhysicalSizeXUnit", "µm")))
    if tiff.imagej_metadata:
        step = float(tiff.imagej_metadata.get("spacing", 0))
        page: Any = tiff.pages[0]
        pixel = [1 / page.get_resolution()[axis] if page.get_resolution()[axis] else 1.0 for axis in (1, 0)]
        return _checked((step, pixel[0], pixel[1])), _unit(str(tiff.imagej_metadata.get("unit", "")))
    return None, ""


def _checked(sizes: tuple[float, ...]) -> Spacing | None:
    z, y, x = sizes
    usable = all(math.isfinite(size) and size > 0 for size in sizes)
    return (z, y, x) if usable else None


def _unit(name: str) -> str:
    return UNITS.get(name, name)


def _read_zarr(path: Path) -> Volume:
    import zarr

    group = zarr.open_group(path, mode="r")
    attributes: Any = dict(group.attrs)
    scales = attributes.get("ome", attributes).get("multiscales")
    if not scales:
        raise CellspanError("this is no OME-Zarr: it has no 'multiscales'.")
    axes = "".join(axis["name"] if isinstance(axis, dict) else axis for axis in scales[0]["axes"]).upper()
    first = scales[0]["datasets"][0]
    steps: Any = [step["scale"] for step in first.get("coordinateTransformations", []) if step["type"] == "scale"]
    spacing = _checked(tuple(float(steps[0][axes.index(axis)]) for axis in "ZYX")) if steps and "Z" in axes else None
    unit = next(
        (axis.get("unit", "") for axis in scales[0]["axes"] if isinstance(axis, dict) and axis["name"] == "x"), ""
    )
    volume = volume_from_array(_in_parts(group[first["path"]]), axes, spacing)
    return Volume(volume.channels, spacing, _unit(unit), volume.is_rgb)
