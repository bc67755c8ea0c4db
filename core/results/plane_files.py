"""A plane from its file to the files of its results."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cellspan.core.errors import CellspanError
from cellspan.core.files.together import Write, write_together
from cellspan.core.machine.cancelling import checkpoint
from cellspan.core.objects.outlines import labels_to_rois, write_roi_zip
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Image
from cellspan.core.pictures.masks import read_mask, with_mask
from cellspan.core.pictures.reading import read_image
from cellspan.core.planes.result import Result
from cellspan.core.results.cellpose_files import write_outlines, write_seg
from cellspan.core.results.kept_outputs import result_from, save_outputs_of_network
from cellspan.core.results.label_files import write_labels, write_stack
from cellspan.core.results.outputs import OnFiles
from cellspan.core.results.overlays import plane_overlay, write_picture
from cellspan.core.results.tables import plane_table, write_table
from cellspan.core.segmenter import Segmenter

NOT_KEPT = "the run before kept nothing of it; give --reuse-flows to the first run, too, and the same model"


def segment_plane_file(
    segmenter: Segmenter,
    path: Path,
    outputs: dict[str, Path],
    parameters: Parameters,
    reuse_flows: bool = False,
    write: OnFiles = write_together,
    series: int | None = None,
    mask: Path | None = None,
) -> dict[str, Any]:
    """Segment an image and write the asked kinds of results; its record for run.json. Raises CellspanError.

    `mask`: the file of its mask.
    """
    require_restored(outputs, parameters)
    image = read_image(path, series)
    inside = None if mask is None else read_mask(mask)
    try:
        image = with_mask(image, inside)
        result, notes = _result(segmenter, image, parameters, outputs if reuse_flows else None)
    except CellspanError as error:
        raise error.within(path) from None
    save_plane_outputs(outputs, result, image, parameters, path, write)
    return {
        "objects": result.count,
        "diameter": round(result.diameter, 2),
        "seconds": round(result.seconds, 3),
        "notes": [*result.notes, *notes],
    }


def _result(
    segmenter: Segmenter, image: Image, parameters: Parameters, earlier: dict[str, Path] | None
) -> tuple[Result, list[str]]:
    """The objects of an image, and why the network was asked although its earlier outputs were to be used.

    `earlier`: where an earlier run has left its results, if its outputs of the network are to be used.
    """
    notes = []
    if earlier is not None and parameters.restore is not None:
        earlier, notes = None, ["The network was asked again: what is kept of it does not hold the restored image."]
    if earlier is not None:
        result, why = result_from(earlier["network"], image, parameters, segmenter)
        if result is not None:
            return result, []
        if not why and any(path.exists() for path in earlier.values()):
            why = NOT_KEPT
        notes = [f"The network was asked again: {why}."] if why else []
    return segmenter.segment(image, parameters, lambda fraction, words: checkpoint()), notes


def save_plane_outputs(
    paths: dict[str, Path],
    result: Result,
    image: Image,
    parameters: Parameters,
    source: Path,
    write: OnFiles = write_together,
) -> None:
    """Write each asked kind of result of the image in `source` to its path, all or none.

    Raises CellspanError that names the file.
    """
    size = (image.spacing, image.unit)
    writers: dict[str, Write] = {
        "labels": lambda path: write_labels(path, result.labels, *size),
        "rois": lambda path: write_roi_zip(path, labels_to_rois(result.labels)),
        "overlay": lambda path: write_picture(path, plane_overlay(image, result.labels, parameters), *size),
        "seg": lambda path: write_seg(
            path,
            result.labels,
            result.flows,
            result.probability,
            result.diameter,
            source,
            _segmented_channels(image, parameters),
        ),
        "outlines": lambda path: write_outlines(path, result.labels),
        "restored": lambda path: _write_restored(path, result, image),
        "network": lambda path: save_outputs_of_network(path, result, image),
        "table": lambda path: write_table(path, plane_table(image, result, parameters)),
        "flows": lambda path: write_stack(path, result.flows, "CYX", spacing=image.spacing, unit=image.unit),
        "probability": lambda path: write_stack(path, result.probability, "YX", spacing=image.spacing, unit=image.unit),
    }
    write({path: writers[kind] for kind, path in paths.items()})


def require_restored(outputs: Iterable[str], parameters: Parameters) -> None:
    """Refuse to save a restored image where nothing is restored; raises CellspanError."""
    if "restored" in outputs and parameters.restore is None:
        raise CellspanError("There is no restored image to save: give restore (--restore denoise_cyto3).")


def _write_restored(path: Path, result: Result, image: Image) -> None:
    """The restored channels, (Y, X) or (C, Y, X); of an image that was enlarged, pixels are smaller."""
    assert result.restored is not None
    restored = result.restored[0] if len(result.restored) == 1 else result.restored
    spacing = None
    if image.spacing is not None:
        (y, x), (height, width) = image.spacing, restored.shape[-2:]
        spacing = y * image.shape[0] / height, x * image.shape[1] / width
    write_stack(path, restored, "CYX"[-restored.ndim :], spacing=spacing, unit=image.unit)


def _segmented_channels(image: Image, parameters: Parameters) -> tuple[int | None, int | None]:
    """The channel that was segmented, None for grey, and that of the nuclei."""
    is_grey = image.is_rgb or len(image.channels) == 1
    main = parameters.channels[:1] or (() if is_grey else (image.main,))
    return (main[0] if main else None), parameters.nuclei_channel
