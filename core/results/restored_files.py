"""An image or a volume from its file to the file of its restored channels, without looking for objects."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from cellspan.core.errors import CellspanError
from cellspan.core.files.together import WrittenMeanwhile, write_together
from cellspan.core.machine.cancelling import checkpoint
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Image
from cellspan.core.pictures.masks import read_mask, with_mask
from cellspan.core.pictures.planes import named
from cellspan.core.pictures.reading import read_image, read_volume
from cellspan.core.pictures.volume import Volume
from cellspan.core.planes.looking import OnProgress
from cellspan.core.planes.restoring import Restorer
from cellspan.core.results.label_files import write_stack
from cellspan.core.results.outputs import OnFiles

KIND = "restored"  # of results; the only one here


def restore_file(
    restorer: Restorer,
    path: Path,
    target: Path,
    parameters: Parameters,
    report: OnProgress,
    write: OnFiles = write_together,
    series: int | None = None,
    mask: Path | None = None,
) -> dict[str, Any]:
    """Restore the channels of an image, each by itself; a stack slice by slice. Its record for run.json.

    All of them if none is chosen. `mask`: the file of its mask. Raises CellspanError.
    """
    started = time.perf_counter()
    try:
        image = read_image(path, series)
    except CellspanError as error:
        if error.code != "several_planes":
            raise
        return _restore_stack(restorer, path, target, parameters, report, write, series, mask)
    try:
        image = with_mask(image, None if mask is None else read_mask(mask))
        apart = _each_by_itself(image, parameters)
        restored = restorer.restored(image, parameters, parameters.diameter, _checked(report), apart)
    except CellspanError as error:
        raise error.within(path) from None
    pixels, found = restored.pixels, restored.image
    pixels = pixels[0] if len(pixels) == 1 else pixels
    axes = "CYX"[-pixels.ndim :]
    write({target: lambda part: write_stack(part, pixels, axes, spacing=found.spacing, unit=found.unit)})
    return {"seconds": round(time.perf_counter() - started, 3), "notes": restored.notes}


def _restore_stack(
    restorer: Restorer,
    path: Path,
    target: Path,
    parameters: Parameters,
    report: OnProgress,
    write: OnFiles,
    series: int | None,
    mask: Path | None,
) -> dict[str, Any]:
    # Only here, because scipy, which planes do not need, takes 0.3 s of the start.
    from cellspan.core.volumes.restoring import channels_to_restore, restore_volume, restored_store

    started = time.perf_counter()
    inside = None if mask is None else read_mask(mask)
    try:
        with read_volume(path, series) as opened:
            volume = with_mask(opened, inside)
            apart = _each_by_itself(volume, parameters)
            with restored_store(channels_to_restore(volume, parameters, apart), volume.shape) as store:
                found, _, notes = restore_volume(
                    volume, parameters, restorer, parameters.diameter, store, _checked(report), apart
                )
                spacing, unit = found.spacing, found.unit
                write({target: lambda part: write_stack(part, store, "CZYX", spacing=spacing, unit=unit)})
    except WrittenMeanwhile:
        raise
    except CellspanError as error:
        raise named(error, path) from None
    return {"seconds": round(time.perf_counter() - started, 3), "notes": notes}


def _each_by_itself(picture: Image | Volume, parameters: Parameters) -> int | None:
    """How many channels are restored if none is chosen: all."""
    return len(picture.channels) if parameters.channel is None else None


def _checked(report: OnProgress) -> OnProgress:
    """Progress at which the work can be stopped."""

    def tell(part: float, words: str) -> None:
        checkpoint()
        report(part, words)

    return tell
