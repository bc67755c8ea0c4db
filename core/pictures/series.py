"""The images of one file, opened but not read yet: what each is called, its axes, and how large its pixels are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.axes import meaning_of
from cellspan.core.pictures.images import PLANES, Image, image_from_array, require_channels
from cellspan.core.pictures.planes import Named, Naming, Planes, in_parts, require_whole
from cellspan.core.pictures.units import Sizes
from cellspan.core.pictures.volume import Volume, volume_from_array


@dataclass(frozen=True)
class Series:
    """One image of a file."""

    name: str  # as the microscope called it; may be empty
    axes: str  # tifffile's letters
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[int], NDArray[Any]]  # all pixels; gets the bytes that the caller needs for each pixel of a plane
    lazy: Callable[[], Any]  # an array of dask
    sizes: Sizes = field(default_factory=Sizes)
    channels: tuple[str, ...] = ()  # their names
    main: int = 0  # the channel that is meant if none is chosen: of several files, that in this one
    part: Callable[[str], Series] | None = None  # where several files are one image: without these axes, as this file

    def image(self, per_pixel: int = PLANES) -> Image:
        """The plane with its channels; raises CellspanError if there are several planes, before they are read."""
        if self.part is not None:
            return self.part("TZ").image(per_pixel)
        require_whole(self.shape, self.dtype, self.axes, per_pixel)  # what is no picture may declare any shape
        require_channels(meaning_of(self.axes, self.shape), self.shape)
        image = image_from_array(self.read(per_pixel), self.axes)
        spacing = self.sizes.plane
        return Image(image.channels, image.is_rgb, spacing, self.sizes.unit if spacing else "", self.main)

    def volume(self, is_lazy: bool = True, closing: Callable[[], None] | None = None) -> Volume:
        """The z-stack with its channels, read when it is needed or, if not `is_lazy`, now; raises CellspanError."""
        if self.part is not None:
            return self.part("T").volume(is_lazy, closing)
        pixels = self.lazy() if is_lazy else self.read(0)
        found = volume_from_array(pixels, self.axes, self.sizes.volume)
        unit = self.sizes.unit if found.spacing else ""
        return Volume(found.channels, found.spacing, unit, found.is_rgb, self.main, closing)


def series_of(
    stored: Planes | Named,
    axes: str,
    name: str = "",
    sizes: Sizes | None = None,
    channels: Sequence[str] = (),
    main: int = 0,
) -> Series:
    """A series of pixels that are read plane by plane, or part by part."""

    def read(per_pixel: int) -> NDArray[Any]:
        require_whole(stored.shape, stored.dtype, axes, per_pixel)
        return stored[(slice(None),) * stored.ndim]

    shape, dtype = stored.shape, np.dtype(stored.dtype)
    return Series(name, axes, shape, dtype, read, lambda: in_parts(stored), sizes or Sizes(), tuple(channels), main)


class Picture:
    """A file of one or several images that is open until it is closed; a context manager."""

    def __init__(self, series: Sequence[Series], files: ExitStack | None = None, named: Naming = nullcontext) -> None:
        """Its images, what is to be closed with it, and what names the file in errors."""
        self.series = tuple(series)
        self._files, self._named = files or ExitStack(), named

    def chosen(self, series: int | None = None) -> Series:
        """The image of this number, counted from 0, or the only one; raises CellspanError."""
        count = len(self.series)
        if count == 0:
            raise CellspanError("the file holds no image.")
        if series is None and count == 1:
            return self.series[0]
        if series is None:
            raise CellspanError(
                f"the file holds {count} images{self._names()}: choose one of them with --series 0 to "
                f"{count - 1} (series= in Python), or save it in a file of its own."
            )
        if not 0 <= series < count:
            there = "1 image, which is series 0" if count == 1 else f"{count} images, which are series 0 to {count - 1}"
            raise CellspanError(f"there is no series {series}: the file holds {there}.")
        return self.series[series]

    def _names(self) -> str:
        names = [one.name for one in self.series if one.name]
        return f" ({', '.join(names[:4])}{', ...' if len(names) > 4 else ''})" if names else ""

    def image(self, series: int | None = None, per_pixel: int = PLANES) -> Image:
        """A plane with its channels, read now. Raises CellspanError."""
        with self._named():
            return self.chosen(series).image(per_pixel)

    def volume(self, series: int | None = None, is_lazy: bool = True) -> Volume:
        """A z-stack with its channels; while it `is_lazy`, the picture must stay open. Raises CellspanError.

        Closing the volume closes the picture.
        """
        with self._named():
            return self.chosen(series).volume(is_lazy, self.close if is_lazy else None)

    def pixels(self, series: int | None = None, per_pixel: int = 0) -> tuple[NDArray[Any], Series]:
        """All pixels as they are stored, and what is known of them. Raises CellspanError."""
        with self._named():
            chosen = self.chosen(series)
            return chosen.read(per_pixel), chosen

    def naming(self) -> AbstractContextManager[None]:
        """What goes wrong in it becomes a CellspanError with the file's name."""
        return self._named()

    def close(self) -> None:
        """Close its files."""
        self._files.close()

    def __enter__(self) -> Picture:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close its files."""
        self.close()
