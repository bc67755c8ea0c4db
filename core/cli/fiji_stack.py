"""Stacks for `cellspan fiji-segment`: every plane, or every volume, through the engine; ROIs and labels of all in one.

The ROIs know their slices and frames, and lie where they belong in the image that the input was cut out of.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from roifile import ImagejRoi

from cellspan.core.cli.fiji import note
from cellspan.core.errors import CellspanError, first_line
from cellspan.core.files.writing import write_atomically
from cellspan.core.service.client import Engine, EngineError

Report = Callable[[float, str], None]
Labels = NDArray[np.int32]
Table = NDArray[np.int32]  # entry k is the new number of label k, 0 = the object is dropped
LARGEST_SHORT = 65_535


@dataclass(frozen=True)
class Layout:
    """How the input lies in the user's image, and how its objects are numbered."""

    place: tuple[int, int, int, int] | None = None  # x, y, slice, frame of the first pixel; None: it is all there is
    hyperstack: bool | None = None  # None: as the input is
    link: bool = False


@dataclass(frozen=True)
class _Input:
    """A stack in the order frames, slices, then what one plane has: (T, Z, ..., Y, X) or (T, Z, Y, X, 3)."""

    pixels: NDArray[Any]
    inner: str  # axes of one plane: YX, CYX or YXS

    @property
    def is_hyperstack(self) -> bool:
        """Whether ImageJ has more than one slider for it."""
        several = [count > 1 for count in self.pixels.shape[:2]]
        return all(several) or (any(several) and "C" in self.inner)

    def volume(self, t: int) -> bytes:
        """All planes of a frame as a file."""
        return _tiff(self.pixels[t], "Z" + self.inner)

    def plane(self, t: int, z: int) -> bytes:
        """One plane as a file."""
        return _tiff(self.pixels[t, z], self.inner)


@dataclass
class _Found:
    """The objects of one frame: labels (Z, Y, X), and the ROIs of each slice with their labels."""

    labels: Labels
    rois: list[list[tuple[int, ImagejRoi]]]
    is_volume: bool


def segment_stack(
    path: Path,
    body: bytes,
    parameters: dict[str, Any],
    layout: Layout,
    inside: Path | None,
    engine: Engine,
    report: Report | None,
    rois: Path,
    labels: Path | None,
) -> int:
    """Segment every plane (or every frame's volume) of an image; the number of ROIs written. Raises CellspanError."""
    given = _read(path, body)
    mask = None if inside is None else _mask(inside, given)
    frames = _volumes if _is_true(parameters, "do_3d") or _is_positive(parameters, "stitch_threshold") else _planes
    try:
        found = list(frames(given, parameters, engine, report))
    except EngineError as error:
        raise CellspanError(str(error)) from None
    numbers = [_numbers(frame, mask) for frame in found]
    for frame, tables in zip(found, numbers, strict=True):
        _apply(frame, tables)
    if layout.link and len(found) > 1:
        _link(found)
    placed = list(_placed(found, layout, given))
    write_atomically(rois, lambda part: _write_rois(part, placed))
    if labels:
        write_atomically(labels, lambda part: _write_labels(part, np.stack([frame.labels for frame in found])))
    return len(placed)


# ---- pixels


def _read(path: Path, body: bytes) -> _Input:
    if path.suffix.lower() == ".png":
        import imageio.v3 as imageio

        array = np.asarray(imageio.imread(body))
        return _sorted(array, "YXS" if array.ndim == 3 else "YX")
    try:
        with tifffile.TiffFile(io.BytesIO(body)) as tiff:
            series = tiff.series[0]
            return _sorted(series.asarray(), series.axes)
    except CellspanError:
        raise
    except Exception as error:  # noqa: BLE001 - decoders raise anything on damaged files
        raise CellspanError(f"{path}: the file is damaged or not an image ({first_line(error)}).") from None


def _sorted(array: NDArray[Any], axes: str) -> _Input:
    """Axes in the order T, Z, C, Y, X, S; pages without a meaning are slices."""
    letters = [letter if letter in "TZCYXS" else "Z" for letter in axes.upper()]
    keep = [axis for axis, letter in enumerate(letters) if letter in "YX" or array.shape[axis] > 1]
    array, letters = array.reshape([array.shape[axis] for axis in keep]), [letters[axis] for axis in keep]
    if len(set(letters)) != len(letters) or {"C", "S"} <= set(letters):
        raise CellspanError(f"the file has the axes {axes}, which are more than frames, slices and channels.")
    order = sorted(range(len(letters)), key=lambda axis: "TZCYXS".index(letters[axis]))
    array, letters = array.transpose(order), [letters[axis] for axis in order]
    inner = "".join(letter for letter in letters if letter not in "TZ")
    frames, slices = (array.shape[letters.index(letter)] if letter in letters else 1 for letter in "TZ")
    return _Input(array.reshape(frames, slices, *array.shape[len(letters) - len(inner) :]), inner)


def _tiff(pixels: NDArray[Any], axes: str) -> bytes:
    buffer = io.BytesIO()
    photometric = "rgb" if axes.endswith("S") and pixels.shape[-1] >= 3 else "minisblack"
    tifffile.imwrite(buffer, np.ascontiguousarray(pixels), photometric=photometric, metadata={"axes": axes})
    return buffer.getvalue()


def _mask(path: Path, given: _Input) -> NDArray[np.bool_]:
    try:
        mask = np.asarray(tifffile.imread(path)) > 0
    except Exception as error:  # noqa: BLE001 - decoders raise anything on damaged files
        raise CellspanError(f"{path}: the selection cannot be read ({error}).") from None
    height, width = (given.pixels.shape[2:] if "S" not in given.inner else given.pixels.shape[2:4])[-2:]
    if mask.shape != (height, width):
        raise CellspanError(f"{path}: the selection is {mask.shape}, but the image {(height, width)} pixels.")
    return mask


# ---- the engine


def _planes(given: _Input, parameters: dict[str, Any], engine: Engine, report: Report | None) -> Iterator[_Found]:
    frames, slices = given.pixels.shape[:2]
    for t in range(frames):
        labels, rois = [], []
        for z in range(slices):
            number, total = t * slices + z, frames * slices
            result, files = engine.run(
                given.plane(t, z), "image/tiff", parameters, _part(report, number, total), {"rois": "application/zip"}
            )
            note(result.notes, report)
            labels.append(result.labels)
            rois.append(_labelled(_rois_in(files["rois"])))
        yield _Found(np.stack(labels), rois, is_volume=False)


def _volumes(given: _Input, parameters: dict[str, Any], engine: Engine, report: Report | None) -> Iterator[_Found]:
    from cellspan.core.objects.outlines import labels_to_rois

    frames = given.pixels.shape[0]
    for t in range(frames):
        result, _ = engine.run(given.volume(t), "image/tiff", parameters, _part(report, t, frames))
        note(result.notes, report)
        labels = result.labels if result.labels.ndim == 3 else result.labels[None]
        yield _Found(labels, [_labelled(labels_to_rois(plane)) for plane in labels], is_volume=True)


def _part(report: Report | None, number: int, total: int) -> Report | None:
    """Progress of one of several runs as progress of all."""
    if report is None or total == 1:
        return report
    return lambda part, words: report((number + part) / total, f"{number + 1} of {total}: {words}")


def _is_true(parameters: dict[str, Any], name: str) -> bool:
    return str(parameters.get(name, "")).lower() in {"true", "1", "yes", "on"}


def _is_positive(parameters: dict[str, Any], name: str) -> bool:
    try:
        return float(parameters.get(name, 0)) > 0
    except (TypeError, ValueError):
        return False  # the engine says what is wrong with it


def _rois_in(archive: bytes) -> list[ImagejRoi]:
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        return [ImagejRoi.frombytes(files.read(name)) for name in files.namelist()]


def _labelled(rois: list[ImagejRoi]) -> list[tuple[int, ImagejRoi]]:
    """The engine names ROIs by their labels."""
    return [(int(roi.name), roi) for roi in rois]


# ---- numbers


def _numbers(frame: _Found, mask: NDArray[np.bool_] | None) -> list[Table]:
    """For each slice the new numbers of its labels: those whose centre is inside, 1..n."""
    if frame.is_volume:
        table = _kept(frame.labels, mask)
        return [table] * len(frame.labels)
    return [_kept(plane[None], mask) for plane in frame.labels]


def _kept(labels: Labels, mask: NDArray[np.bool_] | None) -> Table:
    counts = np.bincount(labels.ravel(), minlength=1)
    wanted = counts > 0
    if mask is not None:
        y, x = (
            np.bincount(labels.ravel(), np.broadcast_to(axis, labels.shape).ravel(), len(counts))
            // np.maximum(counts, 1)
            for axis in np.ogrid[: labels.shape[1], : labels.shape[2]]
        )
        wanted &= mask[y.astype(int), x.astype(int)]
    wanted[0] = False
    table = np.zeros(len(counts), np.int32)
    table[wanted] = np.arange(1, np.count_nonzero(wanted) + 1)
    return table


def _apply(frame: _Found, tables: list[Table]) -> None:
    """Exchange the numbers in labels and ROIs."""
    frame.labels = np.stack([table[plane] for table, plane in zip(tables, frame.labels, strict=True)])
    frame.rois = [
        [(int(table[label]), roi) for label, roi in rois if table[label]]
        for table, rois in zip(tables, frame.rois, strict=True)
    ]


def _link(found: list[_Found]) -> None:
    """The same object through time: volumes as a whole, planes slice by slice."""
    from cellspan.core.objects.linking import link_tables

    slices = len(found[0].labels)
    if found[0].is_volume:
        tables = [[table] * slices for table in link_tables([frame.labels for frame in found])]
    else:
        by_slice = [link_tables([frame.labels[z] for frame in found]) for z in range(slices)]
        tables = [[by_slice[z][t] for z in range(slices)] for t in range(len(found))]
    for frame, own in zip(found, tables, strict=True):
        _apply(frame, own)


# ---- results


def _placed(found: list[_Found], layout: Layout, given: _Input) -> Iterator[ImagejRoi]:
    """Every ROI, moved, named by frame, slice and label, of those that there are several of, and bound to its plane."""
    frames, slices = given.pixels.shape[:2]
    x, y, z0, t0 = layout.place or (0, 0, int(slices > 1), int(frames > 1))
    hyperstack = given.is_hyperstack if layout.hyperstack is None else layout.hyperstack
    for t, frame in enumerate(found):
        for z, rois in enumerate(frame.rois):
            at = (z0 + z if z0 else 0, t0 + t if t0 else 0)
            prefix = "".join(f"{number:04d}-" for number in (at[1], at[0]) if number)
            for label, roi in rois:
                _move(roi, x, y)
                _bind(roi, *at, hyperstack)
                roi.name = f"{prefix}{label:04d}"
                yield roi


def _move(roi: ImagejRoi, x: int, y: int) -> None:
    roi.left, roi.right, roi.top, roi.bottom = roi.left + x, roi.right + x, roi.top + y, roi.bottom + y
    if roi.multi_coordinates is not None:
        roi.multi_coordinates = _moved_path(np.array(roi.multi_coordinates, np.float32), x, y)


def _moved_path(path: NDArray[np.float32], x: int, y: int) -> NDArray[np.float32]:
    """A java.awt path, move to (0), line to (1) and close (4), at another place."""
    i = 0
    while i < len(path):
        if path[i] == 4:
            i += 1
        else:
            path[i + 1] += x
            path[i + 2] += y
            i += 3
    return path


def _bind(roi: ImagejRoi, z: int, t: int, hyperstack: bool) -> None:
    """Make a ROI that of a slice and a frame, counted from 1, 0 = of any, and of every channel.

    Only hyperstacks have positions with slice and frame; the wrong kind shows a ROI on every plane or on none.
    """
    if hyperstack:
        roi.position, roi.c_position, roi.z_position, roi.t_position = 0, 0, z, t
    else:
        roi.position = z or t


def _write_rois(path: Path, rois: list[ImagejRoi]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for roi in rois:
            archive.writestr(f"{roi.name}.roi", roi.tobytes())


def _write_labels(path: Path, labels: Labels) -> None:
    """(T, Z, Y, X) as ImageJ's own kind of TIFF: 16 bit if the numbers fit, else 32-bit float."""
    kind = np.uint16 if labels.max(initial=0) <= LARGEST_SHORT else np.float32
    tifffile.imwrite(path, labels.astype(kind), imagej=True, metadata={"axes": "TZYX"})
