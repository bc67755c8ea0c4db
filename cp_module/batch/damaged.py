"""Finds truncated TIFF files, whose missing part CellProfiler silently reads as black."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import tifffile

SUFFIXES = (".tif", ".tiff")
THREADS = 8  # files may be on a slow network disk


def cut_short(paths: Iterable[str]) -> dict[str, str]:
    """The fault of each of these files that is truncated."""
    tiffs = sorted({path for path in paths if path.lower().endswith(SUFFIXES)})
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # the user gets one sentence instead
    with ThreadPoolExecutor(THREADS) as pool:
        missing = dict(zip(tiffs, pool.map(_missing_bytes, tiffs), strict=True))
    return {
        path: f"{Path(path).name} is cut short: at least {count} bytes are missing"
        for path, count in missing.items()
        if count > 0
    }


def damaged_sets(paths: Mapping[int, Mapping[str, str]]) -> dict[int, str]:
    """The image sets with a truncated file, and the fault."""
    faults = cut_short(path for files in paths.values() for path in files.values())
    return {
        number: next(faults[path] for path in files.values() if path in faults)
        for number, files in paths.items()
        if faults.keys() & set(files.values())
    }


def _missing_bytes(path: str) -> int:
    """Number of missing bytes; also 0 for files that are not TIFF, which CellProfiler refuses itself."""
    try:
        with tifffile.TiffFile(path) as tiff:
            ends = [
                offset + count
                for page in tiff.pages
                for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)
            ]
            ends.append(_where_the_next_page_begins(tiff))
        return max(0, max(ends) - Path(path).stat().st_size)
    except Exception:  # noqa: BLE001 - decoders raise anything on damaged files
        return 0


def _where_the_next_page_begins(tiff: tifffile.TiffFile) -> int:
    """The last page's offset of the next page: 0 if there is none, otherwise beyond the end of the file."""
    place = tiff.pages.next_page_offset
    if place is None:
        return 0
    tiff.filehandle.seek(place)
    (offset,) = struct.unpack(tiff.tiff.offsetformat, tiff.filehandle.read(tiff.tiff.offsetsize))
    return int(offset)
