"""Many images, one after the other: each gets its results or its sentence in run.json, and the rest goes on."""

from __future__ import annotations

import json
import logging
import platform
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cellspan.core.errors import CellspanError
from cellspan.core.files import Input, make_folder, write_json
from cellspan.core.images import read_image
from cellspan.core.outputs import output_paths, save_outputs
from cellspan.core.parameters import Parameters
from cellspan.core.segmenter import OnProgress, Segmenter
from cellspan.core.volumes.files import segment_volume_file

Record = dict[str, Any]
log = logging.getLogger(__name__)
VERSIONS_OF = ("cellspan", "numpy", "openvino", "numba", "opencv-python-headless")


def segment_files(
    segmenter: Segmenter,
    inputs: Sequence[Input],
    folder: Path,
    parameters: Parameters,
    kinds: Sequence[str],
    overwrite: bool = False,
    on_record: Callable[[Record], None] | None = None,
    on_progress: OnProgress | None = None,
) -> list[Record]:
    """Segment every input into `folder`; returns a record for each, with `error` where it failed.

    `on_progress` gets a fraction and a few words within a volume, which takes long.
    run.json in `folder` holds the parameters, the model's hash, versions and the records.
    """
    make_folder(folder)
    keep_earlier_run(folder / "run.json")
    records: list[Record] = []
    run = {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "parameters": parameters.model_dump(mode="json"),
        "model": segmenter.model.identity,
        "device": segmenter.predictor.device,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in VERSIONS_OF}},
        "inputs": records,
    }
    taken: dict[Path, Path] = {}
    for item in inputs:
        try:
            record = _segment_file(segmenter, item, folder, parameters, kinds, overwrite, taken, on_progress)
        except CellspanError as error:
            record = {"input": str(item.path), "error": str(error)}
        except MemoryError:
            record = {"input": str(item.path), "error": f"{item.path}: the image does not fit into memory."}
        except Exception as error:
            # A fault of ours must not cost the other images; the log gets the details.
            log.exception("%s", item.path)
            reason = f"internal error, please report it ({type(error).__name__}: {error})"
            record = {"input": str(item.path), "error": f"{item.path}: {reason}"}
        records.append(record)
        if on_record:
            on_record(record)
        write_json(folder / "run.json", run)
    return records


def keep_earlier_run(path: Path) -> None:
    """Rename the record of an earlier run after its start, because its results may still be there."""
    if path.exists():
        try:
            started = json.loads(path.read_text(encoding="utf-8"))["started"]
        except (OSError, ValueError, KeyError, TypeError):
            started = "unreadable"
        path.replace(path.with_name(f"run-{started.replace(':', '-')}.json"))


def _segment_file(
    segmenter: Segmenter,
    item: Input,
    folder: Path,
    parameters: Parameters,
    kinds: Sequence[str],
    overwrite: bool,
    taken: dict[Path, Path],
    on_progress: OnProgress | None,
) -> Record:
    paths = output_paths(folder, item.stem, kinds)
    earlier = taken.setdefault(folder / item.stem, item.path)
    if earlier != item.path:
        raise CellspanError(f"{item.path}: its results would replace those of {earlier}; rename one of the two.")
    there = [path for path in paths.values() if path.exists()]
    if there and not overwrite:
        raise CellspanError(f"{there[0]}: this result exists already; add --overwrite to replace it.")
    if parameters.is_volume:
        report = on_progress or (lambda fraction, words: None)
        found = segment_volume_file(segmenter, item.path, paths, parameters, report)
    else:
        found = _segment_plane(segmenter, item, paths, parameters)
    outputs = {kind: str(path.relative_to(folder)) for kind, path in paths.items()}
    return {"input": str(item.path), **found, "outputs": outputs}


def _segment_plane(segmenter: Segmenter, item: Input, paths: dict[str, Path], parameters: Parameters) -> Record:
    image = read_image(item.path)
    try:
        result = segmenter.segment(image, parameters)
    except CellspanError as error:
        raise CellspanError(f"{item.path}: {error}") from None
    save_outputs(paths, result, image, parameters)
    return {
        "objects": result.count,
        "diameter": round(result.diameter, 2),
        "seconds": round(result.seconds, 3),
        "notes": result.notes,
    }
