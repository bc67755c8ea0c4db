"""TIFF files: which images are in them, what their samples and axes mean, and the other files that belong to them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.files.regular import Source, exists, open_regular, opened
from cellspan.core.machine.memory import require_memory
from cellspan.core.pictures import ome
from cellspan.core.pictures.axes import squeezed
from cellspan.core.pictures.decoding import (
    ContentOnly,
    ome_xml,
    open_tiff,
    read_page,
    read_series,
    require_content,
    require_segments,
)
from cellspan.core.pictures.planes import WAY_OUT, Named, Naming, Planes, in_parts, naming, one_sentence
from cellspan.core.pictures.series import Picture, Series, series_of
from cellspan.core.pictures.units import Sizes, of_resolution, sizes

COLOURS = (2, 6, 8)  # PhotometricInterpretation: RGB, YCbCr, CIELAB
ALPHA = (1, 2)  # ExtraSamples: transparency; 0 is "not specified", which is a channel
REDUCED, TRANSPARENCY = 1, 4  # bits of NewSubfileType
MICROMETRES = {2: 25_400.0, 3: 10_000.0}  # of TIFF's ResolutionUnit: inch, centimetre
# What slide scanners and OME call pictures that are not the specimen, or are it once more and smaller.
BESIDE = re.compile(r"(slide )?(thumbnail|label|macro|overview|preview|map)( image)?", re.IGNORECASE)


def open_tiff_file(source: Source, path: Path | None = None) -> Picture:
    """The images in a TIFF file; without a path, files that belong to it are not looked for. Raises CellspanError."""
    files = ExitStack()
    named: Naming = partial(naming, path) if path is not None else one_sentence
    try:
        file = files.enter_context(opened(source))
        require_content(file)
        with named():
            tiff = files.enter_context(open_tiff(ContentOnly(file)))
            return Picture(_images(tiff, path, named), files, named)
    except BaseException:
        files.close()
        raise


def _images(tiff: tifffile.TiffFile, path: Path | None, named: Naming) -> list[Series]:
    xml = _metadata(tiff, path)
    if xml is not None and (own := _several_files(xml, tiff, path)) is not None:
        images = [image for image in ome.images_of(xml) if image.pages]
        return [_in_files(_Files(image, tiff, path, own, named)) for image in images if own.has(image)]
    found = [one for one in tiff.series if one.shape and one.keyframe is not None]
    described = ome.descriptions_in(xml) if xml is not None and ome_xml(tiff) is not None else []
    return [_one(tiff, found[k], *_known(tiff, found, k, described), named) for k in _specimens(found)]


def _known(
    tiff: tifffile.TiffFile, found: list[Any], k: int, described: list[ome.Description]
) -> tuple[Sizes, tuple[str, ...]]:
    """The size of pixels and the names of channels of a series, by its place in the metadata or by its name."""
    if len(described) == len(found):
        return described[k].sizes, described[k].channels
    named = [one for one in described if one.name == found[k].name]
    return (named[0].sizes, named[0].channels) if named else (_sizes(tiff, found[k].keyframe), ())


def _metadata(tiff: tifffile.TiffFile, path: Path | None) -> str | None:
    """The OME-XML of a file, or of the file that holds it for this one; None without, or if it is damaged."""
    xml = ome_xml(tiff)
    if xml is None:
        return None
    try:
        master = ome.master_of(xml)
    except Exception:  # noqa: BLE001 - tifffile says what it makes of such a file
        return None
    if not master:
        return xml
    if path is None:
        raise CellspanError(f"the file is a part of an image whose metadata are in {master}; send one file with all.")
    beside = path.parent / master
    _require_part(beside, path)
    with naming(beside), open_regular(beside) as file:
        if file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            with open_tiff(ContentOnly(file)) as other:
                return ome_xml(other)
        file.seek(0)
        return file.read().decode("utf-8")


def _specimens(found: list[Any]) -> list[int]:
    """Numbers of the series that show the specimen: no thumbnails, slide labels, masks of transparency."""
    largest = max((_area(one) for one in found), default=0)

    def is_beside(one: Any) -> bool:
        kind = int(getattr(one.keyframe, "subfiletype", 0) or 0)
        smaller = _area(one) < largest
        return smaller and (bool(kind & (REDUCED | TRANSPARENCY)) or bool(BESIDE.fullmatch((one.name or "").strip())))

    return [k for k, one in enumerate(found) if not is_beside(one)]


def _area(series: Any) -> int:
    lengths = dict(zip(series.axes, series.shape, strict=True))
    return int(lengths.get("Y", 1) * lengths.get("X", 1))


def _one(tiff: tifffile.TiffFile, series: Any, pixels: Sizes, channels: tuple[str, ...], named: Naming) -> Series:
    """A series whose planes are all in this file."""
    samples = _Samples.of(series.keyframe, series.axes, series.shape)
    axes = samples.axes

    def check() -> None:
        if series.kind == "ome" and any(page is None for page in series.pages):
            missing = sum(page is None for page in series.pages)
            raise CellspanError(
                f"{missing} of the {len(series.pages)} planes that its metadata name are not in the file; it is cut "
                "short, or a part of an image in several files."
            )

    def read(per_pixel: int) -> NDArray[Any]:
        check()
        return np.asarray(samples.kept(read_series(tiff, series, per_pixel, copies=2)))

    def lazy() -> Any:
        import zarr

        check()
        require_segments(tiff, series)
        stored: Any = zarr.open_array(store=series.aszarr(level=0), mode="r")
        return samples.kept(in_parts(Named(stored, named)))

    return Series(series.name or "", axes, samples.shape, np.dtype(series.dtype), read, lazy, pixels, channels)


@dataclass(frozen=True)
class _Samples:
    """What the samples of a pixel are: colours, channels or transparency."""

    axes: str  # after transparency is gone
    shape: tuple[int, ...]
    position: int | None = None  # of the samples' axis
    wanted: tuple[int, ...] = ()  # which samples are kept

    @classmethod
    def of(cls, page: Any, axes: str, shape: tuple[int, ...]) -> _Samples:
        """Of the pixels in a page; `axes` and `shape` are those of all of them."""
        position = axes.find("S")
        if position < 0:
            return cls(axes, shape)
        count = shape[position]
        extra = tuple(int(kind) for kind in page.extrasamples or ())
        clear = {count - len(extra) + k for k, kind in enumerate(extra) if kind in ALPHA}
        wanted = tuple(k for k in range(count) if k not in clear) or tuple(range(count))
        is_colour = int(page.photometric) in COLOURS and len(wanted) == 3
        letter = "S" if is_colour or "C" in axes else "C"
        changed = axes.replace("S", letter)
        return cls(changed, (*shape[:position], len(wanted), *shape[position + 1 :]), position, wanted)

    @classmethod
    def of_page(cls, page: Any) -> _Samples:
        """Of one page, without axes of length 1."""
        kept = [(n, axis) for n, axis in zip(page.shape, page.axes, strict=True) if n > 1 or axis in "YX"]
        return cls.of(page, "".join(axis for _, axis in kept), tuple(n for n, _ in kept))

    def kept(self, pixels: Any) -> Any:
        """An array, or one of dask, without transparency."""
        if self.position is None or pixels.shape[self.position] == len(self.wanted):
            return pixels
        return pixels[(slice(None),) * self.position + (list(self.wanted),)]


# ---- the size of pixels


def _sizes(tiff: tifffile.TiffFile, page: Any) -> Sizes:
    """As ImageJ, the microscope or the tags have it."""
    x, y = (float(number) for number in page.get_resolution())
    if tiff.imagej_metadata:
        return _imagej_sizes(tiff.imagej_metadata, x, y)
    if tiff.is_lsm and (lsm := tiff.lsm_metadata):
        return sizes({axis: lsm.get(f"VoxelSize{axis}") for axis in "ZYX"}, "m")
    if tiff.is_stk and (stk := tiff.stk_metadata) and stk.get("SpatialCalibration"):
        return sizes({axis: stk.get(f"{axis}Calibration") for axis in "YX"}, str(stk.get("CalibrationUnits", "")))
    unit = MICROMETRES.get(int(page.resolutionunit)) if "ResolutionUnit" in page.tags else None
    return of_resolution((x, y), unit) if unit is not None else Sizes()


def _imagej_sizes(metadata: Mapping[str, Any], x: float, y: float) -> Sizes:
    unit = str(metadata.get("unit", ""))
    units = {"X": unit, "Y": str(metadata.get("yunit", unit)), "Z": str(metadata.get("zunit", unit))}
    along = {"Z": metadata.get("spacing", 0), "Y": 1 / y if y else 1, "X": 1 / x if x else 1}
    return sizes(along, units)


# ---- one image in several files


@dataclass(frozen=True)
class _Own:
    """How the metadata name the file that is open."""

    uuid: str
    name: str

    def holds(self, page: ome.Page) -> bool:
        """Whether a page is in this file."""
        if not page.uuid and not page.file:
            return True
        return page.uuid == self.uuid if self.uuid else page.file.lower() == self.name.lower()

    def has(self, image: ome.OmeImage) -> bool:
        """Whether this file holds a plane of an image."""
        return any(self.holds(page) for page in image.pages.values())


def _several_files(xml: str, tiff: tifffile.TiffFile, path: Path | None) -> _Own | None:
    """Which of them is the open one; None if all is in it. Raises CellspanError if that cannot be known."""
    files = ome.files_in(xml)
    if len(files) < 2 and not (files and ome.master_of(ome_xml(tiff) or xml)):
        return None
    own = _Own(ome.uuid_of(ome_xml(tiff) or xml), path.name if path else "")
    if own.uuid not in files:
        own = replace(own, uuid=next((key for key, name in files.items() if name.lower() == own.name.lower()), ""))
    others = [name for key, name in files.items() if name and key != own.uuid]
    if path is None:
        raise CellspanError(
            f"the file is a part of an image in {len(files)} files (others are {_few(others)}): save the image in one "
            "file, or open the files themselves."
        )
    if not own.uuid:
        raise CellspanError(
            f"the file is a part of an image in {len(files)} files, but not one of those that its metadata name "
            f"({_few(others)}): give it its old name again."
        )
    return own


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


@dataclass(frozen=True)
class _Files:
    """An image whose planes are in several files of one folder."""

    image: ome.OmeImage
    tiff: tifffile.TiffFile
    path: Path | None
    own: _Own
    named: Naming

    def where(self, page: ome.Page) -> Path:
        """The file that a page is in."""
        assert self.path is not None
        return self.path if self.own.holds(page) else self.path.parent / page.file

    def page(self, place: ome.Place) -> ome.Page:
        """Where a plane is; raises CellspanError."""
        page = self.image.pages.get(place)
        if page is None:
            words = ", ".join(f"{axis} = {k}" for axis, k in zip(self.image.axes, place, strict=True))
            raise CellspanError(f"its metadata do not say where the plane {words} is.")
        return page

    def read(self, place: ome.Place, like: _Samples) -> NDArray[Any]:
        """A plane, read from its file; raises CellspanError if it is not like the others."""
        with self.opened(self.page(place)) as (tiff, page):
            samples = _Samples.of_page(page)
            if samples.shape != like.shape:
                raise CellspanError(
                    f"its page {page.index} has the shape {samples.shape}, and other parts of the image {like.shape}."
                )
            return np.asarray(samples.kept(squeezed(read_page(tiff, page), page.axes)[0]))

    @contextmanager
    def opened(self, page: ome.Page) -> Iterator[tuple[tifffile.TiffFile, Any]]:
        """The page in its file; whatever goes wrong names that file."""
        path = self.where(page)
        assert self.path is not None
        if path != self.path:
            _require_part(path, self.path)
        with naming(path), ExitStack() as stack:
            tiff = self.tiff
            if path != self.path:
                tiff = stack.enter_context(open_tiff(ContentOnly(stack.enter_context(open_regular(path)))))
            if page.index >= len(tiff.pages):
                raise CellspanError(f"it has {len(tiff.pages)} pages, and its page {page.index} is wanted.")
            yield tiff, tiff.pages[page.index]


def _require_part(path: Path, whole: Path) -> None:
    if not path.name or not exists(path):
        raise CellspanError(
            f"a part of the image, {path.name or 'another file'}, is missing: put it into the same folder."
        ).within(whole)


def _in_files(files: _Files) -> Series:
    """A series that knows what it is without the axes along which this file is one place."""
    image = files.image
    mine = [place for place, page in image.pages.items() if files.own.holds(page)]
    fixed = {axis: {place[k] for place in mine} for k, axis in enumerate(image.axes)}
    alone = {axis: min(places) for axis, places in fixed.items() if len(places) == 1}

    def part(letters: str) -> Series:
        return _selected(files, {axis: alone[axis] for axis in letters if axis in alone}, min(fixed["C"]))

    return replace(part(""), part=part)


def _selected(files: _Files, at: dict[str, int], main: int) -> Series:
    """The planes at these places along some axes, whole along the others."""
    image = files.image
    axes = "".join(axis for axis in image.axes if axis not in at)
    shape = tuple(length for axis, length in zip(image.axes, image.shape, strict=True) if axis not in at)
    require_memory(200 * int(np.prod(shape, dtype=float)), "listing the planes of the image", WAY_OUT)

    def place(along: tuple[int, ...]) -> ome.Place:
        free = iter(along)
        return tuple(at[axis] if axis in at else next(free) for axis in image.axes)

    for along in np.ndindex(*shape):  # before anything is read, and not after an hour
        where = files.where(files.page(place(along)))
        assert files.path is not None
        if where != files.path:
            _require_part(where, files.path)
    with files.opened(files.page(place((0,) * len(shape)))) as (_, page):
        samples, dtype = _Samples.of_page(page), np.dtype(page.dtype)

    def read(along: tuple[int, ...]) -> NDArray[Any]:
        return files.read(place(along), samples)

    planes = Planes((*shape, *samples.shape), dtype, read, len(samples.shape), files.named)
    return series_of(planes, axes + samples.axes, image.name, image.sizes, image.channels, main)
