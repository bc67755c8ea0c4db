"""A volume from its file to the files of its results; what does not fit into memory stays on disk meanwhile."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cellspan.core.errors import CellspanError
from cellspan.core.files.together import Write, WrittenMeanwhile, write_together
from cellspan.core.machine.memory import available_memory
from cellspan.core.objects.outlines import write_roi_zip
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.masks import read_mask, with_mask
from cellspan.core.pictures.planes import named
from cellspan.core.pictures.reading import read_volume
from cellspan.core.pictures.volume import Spacing, Volume
from cellspan.core.results.cellpose_files import write_seg
from cellspan.core.results.label_files import write_labels, write_stack
from cellspan.core.results.outputs import OnFiles, views_path
from cellspan.core.results.overlays import write_picture
from cellspan.core.results.plane_files import require_restored
from cellspan.core.results.tables import write_table
from cellspan.core.results.volume_pictures import maximum_projection, orthogonal_views
from cellspan.core.results.volume_rois import volume_rois
from cellspan.core.results.volume_table import volume_table
from cellspan.core.volumes.pipeline import Found, OnProgress, VolumeTask
from cellspan.core.volumes.restoring import channels_to_restore, restored_store

if TYPE_CHECKING:
    from cellspan.core.segmenter import Segmenter

SHARE = 0.25  # of the free memory that results may take; larger ones are kept on disk until they are written
CHUNK = (16, 256, 256)  # voxels of results on disk


def segment_volume_file(
    segmenter: Segmenter,
    path: Path,
    outputs: dict[str, Path],
    parameters: Parameters,
    report: OnProgress,
    write: OnFiles = write_together,
    series: int | None = None,
    mask: Path | None = None,
) -> dict[str, Any]:
    """Segment a volume and write the asked kinds of results; its record for run.json. Raises CellspanError.

    `mask`: the file of its mask.
    """
    started = time.perf_counter()
    require_restored(outputs, parameters)
    inside = None if mask is None else read_mask(mask)
    flows_wanted = 0 if not {"flows", "seg"} & set(outputs) else 3 if parameters.do_3d else 2
    try:
        with ExitStack() as open_ones:
            opened = open_ones.enter_context(read_volume(path, series))
            found = open_ones.enter_context(result_arrays(opened.shape, flows_wanted))
            volume = with_mask(opened, inside)
            if "restored" in outputs:
                about = segmenter.model.description
                count = channels_to_restore(volume, parameters, about.apart, about.sees_nuclei)
                found.restored = open_ones.enter_context(restored_store(count, volume.shape))
            segmenter.making_do(lambda pipeline: VolumeTask(pipeline, volume, parameters, report).run(found))
            report(0.99, "writing the results")
            save_volume_outputs(outputs, found, volume, parameters, path, write)
    except WrittenMeanwhile:
        raise
    except CellspanError as error:
        raise named(error, path) from None
    return {
        "objects": found.count,
        "diameter": round(found.diameter, 2),
        "anisotropy": round(found.anisotropy, 4),
        "seconds": round(time.perf_counter() - started, 3),
        "notes": found.notes,
    }


@contextlib.contextmanager
def result_arrays(shape: tuple[int, int, int], flows: int) -> Iterator[Found]:
    """Arrays for labels, probability and `flows` components: in memory, or in a temporary folder if they are large."""
    needed = float(np.prod(shape, dtype=float)) * 4 * (2 + flows)
    if needed < SHARE * available_memory():
        yield Found(
            np.zeros(shape, np.int32),
            np.zeros((flows, *shape), np.float32) if flows else None,
            np.zeros(shape, np.float32),
        )
        return
    import zarr

    with tempfile.TemporaryDirectory(prefix="cellspan-results-") as folder:

        def array(name: str, kind: str, *first: int) -> Any:
            chunks = (*(1 for _ in first), *(min(c, n) for c, n in zip(CHUNK, shape, strict=True)))
            whole = (*first, *shape)
            return zarr.open_array(f"{folder}/{name}", mode="w", shape=whole, chunks=chunks, dtype=kind, fill_value=0)

        labels, probability = array("labels", "int32"), array("probability", "float32")
        yield Found(labels, array("flows", "float32", flows) if flows else None, probability)


def save_volume_outputs(
    paths: dict[str, Path],
    found: Found,
    volume: Volume,
    parameters: Parameters,
    source: Path,
    write: OnFiles = write_together,
) -> None:
    """Write each asked kind of result of the volume in `source`, all or none.

    An overlay is a maximum projection with orthogonal views beside.
    """
    size = spacing, unit = calibration(volume, found.anisotropy)
    seen = spacing[1:], unit  # the projection shows pixels along y and x
    channels = (next(iter(parameters.channels), None), parameters.nuclei_channel)
    shown = partial(volume.shown, parameters.channels, parameters.combine)
    writers: dict[str, Write] = {
        "labels": lambda path: write_labels(path, found.labels, *size, count=found.count),
        "rois": lambda path: write_roi_zip(path, volume_rois(found.labels)),
        "overlay": lambda path: write_picture(path, maximum_projection(shown(), found.labels), *seen),
        "table": lambda path: write_table(path, volume_table(found.labels, *size, shown(), found.probability)),
        "seg": lambda path: write_seg(
            path, found.labels, found.flows, found.probability, found.diameter, source, channels
        ),
        "restored": lambda path: write_stack(path, found.restored, "CZYX", spacing=spacing, unit=unit),
        "flows": lambda path: write_stack(path, found.flows, "CZYX", spacing=spacing, unit=unit),
        "probability": lambda path: write_stack(path, found.probability, "ZYX", spacing=spacing, unit=unit),
    }
    asked = {path: writers[kind] for kind, path in paths.items()}
    if "overlay" in paths:
        asked[views_path(paths["overlay"])] = lambda path: write_picture(
            path, orthogonal_views(shown(), found.labels, found.anisotropy), *seen
        )
    write(asked)


def calibration(volume: Volume, anisotropy: float) -> tuple[Spacing, str]:
    """The size of a voxel along z, y, x and its unit; without a calibration, in pixels of the image."""
    if volume.spacing is None:
        return (anisotropy, 1.0, 1.0), ""
    _, y, x = volume.spacing
    return (anisotropy * x, y, x), volume.unit
