"""Image files become arrays; what their headers declare is compared with the memory that is left before that.

A few kilobytes can declare gigabytes (a compressed plane of zeros), honestly or not. So each decoder is opened without
decoding first, and a file that does not fit is refused in a sentence that names its size.
"""

from __future__ import annotations

import math
import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
import PIL.Image
import PIL.ImageMode
import tifffile
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.files.regular import size_of
from cellspan.core.machine.memory import in_words, require_memory
from cellspan.core.pictures.ome import without_files
from cellspan.core.pictures.planes import WAY_OUT, declared, require_whole

# Formats whose headers say how large they are; by their content, as names lie. PIL knows others, of which one (EPS)
# is a program that another program runs.
PICTURES = ("PNG", "JPEG", "BMP", "DIB", "WEBP", "TIFF", "PPM", "JPEG2000")
PICTURE_COPIES = 3  # PIL's own pixels, the same as bytes in pieces, and those joined
MAX_PAGES = 200_000  # of a TIFF file; tifffile takes about a second for 10,000
BYTES_PER_PAGE = 4000  # that tifffile keeps of each page of a file
BYTES_PER_VALUE = 48  # of a tag's value as a Python number in a tuple
ONE_BYTE = (1, 2, 6, 7)  # types of tags that stay bytes or text
EMBEDDED = {6, 7, 33007, 33003, 33004, 33005, 34712, 34892, 50001, 50002, 34933, 34934}  # compressions with own headers
BLOCK = 1 << 24  # bytes that are read at once
WORKERS = 16  # segments, at most, that tifffile decodes at once


def require_content(file: BinaryIO) -> None:
    """Refuse an empty file; raises CellspanError."""
    if not size_of(file):
        raise CellspanError("the file is empty.")


class ContentOnly:
    """An open file without its name, so that tifffile follows no names in it to other files, which may block."""

    def __init__(self, file: BinaryIO) -> None:
        """Read from `file`, at the place where it is."""
        self.read, self.seek, self.tell = file.read, file.seek, file.tell
        self._readinto = getattr(file, "readinto", None)  # not all temporary files have it

    def readinto(self, target: Any) -> int:
        """As of io.BufferedIOBase."""
        if self._readinto is not None:
            return int(self._readinto(target))
        view = memoryview(target).cast("B")
        done = 0
        while done < len(view) and (block := self.read(min(BLOCK, len(view) - done))):
            view[done : done + len(block)] = block
            done += len(block)
        return done


@contextmanager
def open_tiff(file: ContentOnly) -> Iterator[tifffile.TiffFile]:
    """A TIFF file whose pages are worth reading; raises CellspanError, and what tifffile raises.

    tifffile believes that all planes are in this file, whatever its OME metadata say (see `ome_xml`).
    """
    content: Any = file  # tifffile asks for no more than ContentOnly has
    with tifffile.TiffFile(content) as tiff:
        xml = ome_xml(tiff)
        own = None if xml is None else without_files(xml)
        if own == xml:
            _require_pages(tiff)
            yield tiff
            return
    file.seek(0)
    with tifffile.TiffFile(content, omexml=own) as tiff:
        _require_pages(tiff)
        yield tiff


def ome_xml(tiff: tifffile.TiffFile) -> str | None:
    """The OME-XML as it is in the file, with the names of other files."""
    return str(tiff.pages.first.description) if tiff.is_ome else None


def _require_pages(tiff: tifffile.TiffFile) -> None:
    """Refuse chains of pages without an end, and pages that take gigabytes to describe a plane.

    tifffile itself finds only short loops, and keeps every value of every page as a Python number.
    """
    reading, file = tiff.tiff, tiff.filehandle
    entry = "HHQ8x" if reading.is_bigtiff else "HHI4x"  # of a tag: its code, its type, how many values, where
    end, values, seen = file.size, 0, set[int]()
    file.seek(8 if reading.is_bigtiff else 4)
    offset = _unpacked(reading.offsetformat, file.read(reading.offsetsize))
    while 0 < offset < end:
        if offset in seen:
            raise CellspanError(f"its pages follow each other in a circle of {len(seen)}; the file is damaged.")
        seen.add(offset)
        if len(seen) > MAX_PAGES:
            raise CellspanError(f"it holds more than {MAX_PAGES:,} pages; {WAY_OUT}.")
        file.seek(offset)
        count = _unpacked(reading.tagnoformat, file.read(reading.tagnosize))
        content = file.read(count * reading.tagsize) if count <= 4096 else b""  # tifffile reads no more either
        if len(content) < count * reading.tagsize:
            break  # damaged; tifffile decides what can be read
        tags = struct.unpack(reading.byteorder + entry * count, content)
        for kind, length in zip(tags[1::3], tags[2::3], strict=True):
            if 1 < length <= end:  # longer ones cannot be read at all
                values += length if kind in ONE_BYTE else BYTES_PER_VALUE * length
        offset = _unpacked(reading.offsetformat, file.read(reading.offsetsize))
    needed = values + len(seen) * BYTES_PER_PAGE
    require_memory(needed, f"the file declares {len(seen):,} page(s) with {in_words(values)} of tags; it", WAY_OUT)
    planes = _planes_of_ome(tiff)
    require_memory(32 * planes, f"the file's OME metadata declare {planes:,} planes; listing them", WAY_OUT)


def _planes_of_ome(tiff: tifffile.TiffFile) -> int:
    """How many planes OME metadata declare, there or not; tifffile keeps a place for each."""
    sizes = [re.findall(rf'\bSize{axis}\s*=\s*["\'](\d{{1,18}})', tiff.ome_metadata or "") for axis in "ZCT"]
    return math.prod(max((int(size) for size in found), default=1) for found in sizes)


def _unpacked(form: str, content: bytes) -> int:
    return int(struct.unpack(form, content)[0]) if len(content) == struct.calcsize(form) else 0


def read_series(tiff: tifffile.TiffFile, series: Any, per_pixel: int = 0, copies: int = 2) -> NDArray[Any]:
    """The pixels of a series; raises CellspanError before anything is decoded that does not fit.

    `copies`: the pixels, and once more what sorts the channels.
    """
    if series.dtype is None:
        raise CellspanError("the file declares no type of pixels that can be read.")
    words = require_whole(series.shape, series.dtype, series.axes, per_pixel, copies)
    size = math.prod(series.shape) * series.dtype.itemsize
    # While strips or tiles are decoded there is no second copy of the whole yet.
    require_memory(size + require_segments(tiff, series), words, WAY_OUT)
    return np.asarray(series.asarray())


def require_segments(tiff: tifffile.TiffFile, series: Any) -> int:
    """The bytes that decoding the strips or tiles of a series takes at once; each must fit by itself.

    Raises CellspanError if one does not, or holds another picture than the file declares.
    """
    # What is not compressed is read into its place; else a segment is decoded, then put in this machine's order.
    return _require_segments_of(tiff, series.keyframe, series.pages, series.dataoffset is not None)


def read_page(tiff: tifffile.TiffFile, page: Any) -> NDArray[Any]:
    """The pixels of one page; raises as `read_series` does."""
    if page.dtype is None:
        raise CellspanError("the file declares no type of pixels that can be read.")
    words = require_whole(page.shape, page.dtype, page.axes)
    require_memory(page.nbytes + _require_segments_of(tiff, page, [page], page.is_contiguous), words, WAY_OUT)
    return np.asarray(page.asarray())


def _require_segments_of(tiff: tifffile.TiffFile, page: Any, pages: Any, is_contiguous: bool) -> int:
    if page.dtype is None:
        raise CellspanError("the file declares no type of pixels that can be read.")
    segment = math.prod(page.chunks) * page.dtype.itemsize
    at_once = min(WORKERS, len(page.dataoffsets) * len(pages), os.cpu_count() or 1)
    needed = 0 if is_contiguous else 2 * segment * max(1, at_once)
    shape = " x ".join(str(length) for length in page.chunks)
    require_memory(needed, f"the file declares strips or tiles of {shape} pixels; decoding them", WAY_OUT)
    if page.compression in EMBEDDED:
        for one in pages:
            _require_embedded(tiff, one, page)
    return needed


def _require_embedded(tiff: tifffile.TiffFile, page: Any, keyframe: Any) -> None:
    """Refuse strips or tiles that are pictures larger than the file declares: decoders believe the picture."""
    if page is None:  # a plane that the file leaves out
        return
    pixels = math.prod(keyframe.chunks)
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        if not offset or not count:
            continue
        tiff.filehandle.seek(offset)
        try:
            width, height = _open_picture(BytesIO(tiff.filehandle.read(min(count, tiff.filehandle.size)))).size
        except Exception:  # noqa: BLE001 - a kind of picture that PIL does not know; such decoders check sizes themselves
            continue
        if width * height > 4 * max(pixels, 1 << 20):  # padding to whole blocks is usual
            raise CellspanError(
                f"a strip or tile of the file declares {width} x {height} pixels, more than the image around it; the "
                "file is damaged."
            )


def shape_and_type(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """What the header of a PNG, JPEG or BMP declares: height, width and, if there are several, bands."""
    with _open_picture(file) as picture:
        return _shape_and_type(picture)


def _shape_and_type(picture: PIL.Image.Image) -> tuple[tuple[int, ...], np.dtype[Any]]:
    kind = PIL.ImageMode.getmode(picture.mode)
    bands = 4 if picture.mode == "P" else len(kind.bands)  # a palette may have transparency
    return (picture.height, picture.width, *((bands,) if bands > 1 else ())), np.dtype(kind.typestr)


def read_picture(file: BinaryIO, per_pixel: int) -> NDArray[Any]:
    """Pixels as imageio gives them: palettes applied, 16 bits as 16 bits."""
    with _open_picture(file) as picture:
        shape, dtype = _shape_and_type(picture)
        size = math.prod(shape) * dtype.itemsize
        stored = size * 4 // 3 if shape[2:] == (3,) else size  # PIL keeps three colours in four bytes
        needed = PICTURE_COPIES * stored + per_pixel * math.prod(picture.size)
        require_memory(needed, declared(shape, dtype), WAY_OUT)
        if (frames := getattr(picture, "n_frames", 1)) > 1 and picture.custom_mimetype == "image/apng":
            raise CellspanError(f"the file is an animation of {frames} pictures; save the one to segment by itself.")
        return _pixels(picture)


def _pixels(picture: PIL.Image.Image) -> NDArray[Any]:
    if picture.mode == "P":
        picture.load()
        assert picture.palette is not None
        picture = picture.convert(picture.palette.mode)
    elif picture.mode == "CMYK":
        picture = picture.convert("RGB")  # inks are no channels, and the last is no transparency
    elif picture.format == "PNG" and picture.mode == "I":
        picture = picture.convert("I;16")
    array = np.asarray(picture)
    return array if array.flags.writeable else array.copy()


def _open_picture(file: BinaryIO) -> Any:
    """PIL.Image.open, but for its limit of pixels: that is one for the whole program, which may be somebody else's."""
    PIL.Image.init()
    start = file.read(16)
    for name in PICTURES:
        factory, accepts = PIL.Image.OPEN.get(name, (None, None))
        accepted = accepts(start) if accepts else True
        if factory is None or not accepted or isinstance(accepted, str):  # a text says what the decoder lacks
            continue
        file.seek(0)
        try:
            return factory(file, "")
        except (SyntaxError, IndexError, TypeError, struct.error):
            continue
    raise CellspanError("the file is damaged or not an image (no decoder knows it).")
