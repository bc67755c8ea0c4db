"""Opens pictures of every format, from files or their content; the caller closes them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.files.regular import Source, exists, is_folder, is_regular, opened
from cellspan.core.pictures.decoding import read_picture, require_content, shape_and_type
from cellspan.core.pictures.inputs import IMAGE_SUFFIXES, TIFF_SUFFIXES, is_zarr
from cellspan.core.pictures.planes import Naming, naming, one_sentence
from cellspan.core.pictures.series import Picture, Series

# Formats of microscopes: the module here that reads each, and the package that it needs.
FORMATS = {
    ".nd2": ("nd2", "nd2"),
    ".czi": ("czi", "pylibCZIrw"),
    ".lif": ("lif", "liffile"),
    ".oir": ("oir", "oirfile"),
}


def open_picture(path: str | Path) -> Picture:
    """Open a file, or a folder of OME-Zarr, to see which images are in it; a context manager that closes it.

    Pixels are read when they are asked for. Raises CellspanError that names the file.
    """
    path = Path(path)
    with naming(path):
        return _opener(path)(path)


def _opener(path: Path) -> Callable[[Path], Picture]:
    suffix = path.suffix.lower()
    if is_zarr(path):
        from cellspan.core.pictures.ome_zarr import open_ome_zarr

        return open_ome_zarr
    if is_folder(path):
        raise CellspanError("no images were found in this folder.")
    if not exists(path):
        raise CellspanError("there is no such file or folder.")
    if suffix not in IMAGE_SUFFIXES:
        known = ", ".join(sorted(IMAGE_SUFFIXES))
        raise CellspanError(f"'{suffix}' is not an image type that cellspan reads ({known}).")
    if not is_regular(path):
        raise CellspanError("this is a pipe or a device, not a file.")
    if suffix in FORMATS:
        return _reader_of(suffix)
    if suffix in TIFF_SUFFIXES:
        from cellspan.core.pictures.tiff import open_tiff_file

        return lambda file: open_tiff_file(file, file)
    return lambda file: _open_plain(file, partial(naming, file))


def _reader_of(suffix: str) -> Callable[[Path], Picture]:
    """What opens a microscope's format; raises CellspanError that says how to get it."""
    module, package = FORMATS[suffix]
    try:
        opener: Callable[[Path], Picture] = import_module(f"cellspan.core.pictures.{module}").open_file
    except ImportError as error:
        if (error.name or "").split(".")[0] != package:
            raise
        hint = ", and Python 3.12 or newer" if package == "oirfile" else ""
        raise CellspanError(
            f'reading {suffix} files needs the package {package}{hint}: pip install "cellspan[formats]".'
        ) from None
    return opener


def open_content(source: Source, suffix: str) -> Picture:
    """Open a file's bytes, an open file or a path, whose kind the suffix says (.tif, .png, ...).

    Raises CellspanError, in a sentence without the file's name, and OSError of the disk.
    """
    if suffix.lower() in TIFF_SUFFIXES:
        from cellspan.core.pictures.tiff import open_tiff_file

        return open_tiff_file(source)
    return _open_plain(source, one_sentence)


def decode(source: Source, suffix: str, per_pixel: int = 0) -> tuple[NDArray[Any], str]:
    """The pixels of the only image and the letters of their axes, as they are stored.

    `per_pixel` are the bytes that the caller will need for each pixel of a plane beside the pixels themselves. Raises
    as `open_content` does.
    """
    with open_content(source, suffix) as picture:
        pixels, series = picture.pixels(per_pixel=per_pixel)
        return pixels, series.axes


def _open_plain(source: Source, named: Naming) -> Picture:
    """PNG, JPEG, BMP: one plane, in grey or in colours."""
    files = ExitStack()
    try:
        file = files.enter_context(opened(source))
        require_content(file)
        with named():
            shape, dtype = shape_and_type(file)
    except BaseException:
        files.close()
        raise

    def read(per_pixel: int) -> NDArray[Any]:
        with named():
            file.seek(0)
            return read_picture(file, per_pixel)

    def lazy() -> NoReturn:
        raise CellspanError("this is a single plane; volumes are read from TIFF, OME-Zarr and formats of microscopes.")

    return Picture([Series("", "YXS"[: len(shape)], shape, dtype, read, lazy)], files, named)
