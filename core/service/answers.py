"""Encodes the results of a job in the media types that clients accept."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mimeparse
import numpy as np
import tifffile

from cellspan.core.objects.outlines import write_roi_zip
from cellspan.core.planes.result import Result, object_quality
from cellspan.core.results.label_files import write_labels
from cellspan.core.results.rois import outlines_of
from cellspan.core.service.client import NPY, as_npy
from cellspan.core.service.errors import Refusal
from cellspan.core.service.uploads import TIFF

ZIP = "application/zip"
Encoder = Callable[[Result], bytes]


def encode(kind: str, result: Result, accept: str) -> tuple[bytes, str]:
    """A kind of result (labels, rois, ...) as bytes, and their media type; raises Refusal."""
    encoders = ENCODERS.get(kind)
    if encoders is None:
        raise Refusal(404, "unknown_result", f"There is no result '{kind}'; choose from {', '.join(ENCODERS)}.")
    media = _best(list(encoders), accept)
    if not media:
        raise Refusal(406, "not_acceptable", f"{kind} are available as {' or '.join(encoders)}.", accept=accept)
    try:
        return encoders[media](result), media
    except OSError as error:
        raise Refusal(
            507, "disk_full", f"{kind} cannot be written in {tempfile.gettempdir()} ({error.strerror or error})."
        ) from None


def _best(offered: list[str], accept: str) -> str:
    """The available media type that the client prefers, the first among equals; empty if it accepts none.

    Invalid parts of `accept` are ignored; an empty `accept` means any type.
    """
    wanted = [part for part in accept.lower().split(",") if _is_media_range(part)]
    if not accept.strip():
        return offered[0]
    return str(mimeparse.best_match(offered[::-1], ",".join(wanted))) if wanted else ""


def _is_media_range(text: str) -> bool:
    try:
        kind, subkind, _ = mimeparse.parse_media_range(text)
    except ValueError:
        return False
    return bool(kind and subkind)


def _tiff(array: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, compression="zlib")
    return buffer.getvalue()


def _through_file(write: Callable[[Path], None]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result"
        write(path)
        return path.read_bytes()


def _roi_zip(result: Result) -> bytes:
    """Not compressed: it goes to a program on this computer, where someone waits for it."""
    buffer = io.BytesIO()
    write_roi_zip(buffer, outlines_of(result.labels), compress=False)
    return buffer.getvalue()


def _restored(result: Result) -> np.ndarray[Any, Any]:
    """(C, y, x) or (C, Z, Y, X); raises Refusal if the image was not restored."""
    if result.restored is None:
        raise Refusal(404, "not_restored", "There is no restored image: send the image again with restore.")
    return result.restored


ENCODERS: dict[str, dict[str, Encoder]] = {
    "labels": {
        NPY: lambda result: as_npy(result.labels),
        TIFF: lambda result: _through_file(lambda path: write_labels(path, result.labels)),
    },
    "rois": {ZIP: _roi_zip},
    "probability": {NPY: lambda result: as_npy(result.probability), TIFF: lambda result: _tiff(result.probability)},
    "objects": {NPY: lambda result: as_npy(object_quality(result))},
    "restored": {NPY: lambda result: as_npy(_restored(result)), TIFF: lambda result: _tiff(_restored(result))},
    "flows": {NPY: lambda result: as_npy(result.flows), TIFF: lambda result: _tiff(result.flows)},
}
