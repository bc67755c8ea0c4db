"""TIFF files that end too early: CellProfiler reads what is missing as black and says nothing."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import tifffile

SUFFIXES = (".tif", ".tiff")
THREADS = 8  # the files may lie on a network disk, where each look waits


def cut_short(paths: Iterable[str]) -> dict[str, str]:
    """What is wrong with each of these files that ends before its pixels do."""
    tiffs = sorted({path for path in paths if path.lower().endswith(SUFFIXES)})
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it prints what is told in one sentence
    with ThreadPoolExecutor(THREADS) as pool:
        missing = dict(zip(tiffs, pool.map(_missing_bytes, tiffs), strict=True))
    return {
        path: f"{Path(path).name} is cut short: {count} bytes or more are missing"
        for path, count in missing.items()
        if count > 0
    }


def damaged_sets(paths: Mapping[int, Mapping[str, str]]) -> dict[int, str]:
    """The image sets with such a file, and what is wrong."""
    faults = cut_short(path for files in paths.values() for path in files.values())
    return {
        number: next(faults[path] for path in files.values() if path in faults)
        for number, files in paths.items()
        if faults.keys() & set(files.values())
    }


def _missing_bytes(path: str) -> int:
    """How many bytes a file lacks; 0 as well for what is no TIFF, which CellProfiler itself refuses."""
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
    """What the last page that is there says about a next one: 0 if it is the last, else a place behind the end."""
    place = tiff.pages.next_page_offset
    if place is None:
        return 0
    tiff.filehandle.seek(place)
    (offset,) = struct.unpack(tiff.tiff.offsetformat, tiff.filehandle.read(tiff.tiff.offsetsize))
    return int(offset)
