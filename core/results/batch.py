"""Many images, one after the other: each gets its results or its sentence in the record, and the rest goes on."""

from __future__ import annotations

import errno
import logging
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from cellspan.core.errors import Cancelled, CellspanError
from cellspan.core.files.together import State, WrittenMeanwhile, states, write_together
from cellspan.core.files.writing import make_folder
from cellspan.core.machine.cancelling import cancelled_by, checkpoint
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Image, read_image
from cellspan.core.pictures.inputs import Input
from cellspan.core.planes.looking import OnProgress
from cellspan.core.planes.result import Result
from cellspan.core.results.earlier_runs import EarlierRuns
from cellspan.core.results.kept_outputs import result_from
from cellspan.core.results.outputs import OnFiles, output_paths, result_files, save_outputs
from cellspan.core.results.run_record import Record, RunRecord, keep_killed_runs
from cellspan.core.segmenter import Segmenter

log = logging.getLogger(__name__)
VERSIONS_OF = ("cellspan", "numpy", "openvino", "numba", "opencv-python-headless")

Existing = Literal["refuse", "overwrite", "skip"]  # what becomes of an image whose results are there already


@dataclass
class Outcome:
    """What became of a run."""

    records: list[Record] = field(default_factory=list)  # one for each image, with `error` where it failed
    stopped: bool = False  # before all images had their turn
    problem: str = ""  # why the record in the folder is not complete


@dataclass(frozen=True)
class Batch:
    """What all images of a run have in common."""

    segmenter: Segmenter
    folder: Path
    parameters: Parameters
    kinds: Sequence[str]
    existing: Existing = "refuse"
    reuse_flows: bool = False  # ask the network only where what it said of an image is not there
    on_progress: OnProgress | None = None  # gets a fraction and a few words within a volume, which takes long

    def described(self) -> Record:
        """What the record says of the whole run."""
        return {
            "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "parameters": self.parameters.model_dump(mode="json"),
            "model": self.segmenter.model.identity,
            "device": self.segmenter.predictor.device,
            "versions": {"python": platform.python_version(), **{name: version(name) for name in VERSIONS_OF}},
        }


def segment_files(
    batch: Batch,
    inputs: Sequence[Input],
    on_record: Callable[[Record], None] | None = None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Segment every input, until all are done or `is_stopped`; the image at which it stops leaves nothing.

    run.json in the folder holds the parameters, the model's hash, versions and the records; other runs may go on in the
    same folder. Raises CellspanError if nothing can be written there.
    """
    make_folder(batch.folder)
    keep_killed_runs(batch.folder)
    outcome, about = Outcome(), batch.described()
    earlier = EarlierRuns(batch.folder) if batch.existing == "skip" else None
    with RunRecord(batch.folder, about) as run, cancelled_by(is_stopped):
        try:
            for record in _records(_Work(batch, about, run.owner, earlier), inputs):
                run.add(record)
                outcome.records.append(record)
                if on_record:
                    on_record(record)
        except Cancelled:
            outcome.stopped = True
        finally:  # also of a second Ctrl-C
            run.finish("finished" if len(outcome.records) == len(inputs) else "stopped")
            outcome.problem = run.problem
    return outcome


@dataclass(frozen=True)
class _Work:
    """What an image of a run needs to know."""

    batch: Batch
    about: Record
    owner: str  # in the names of temporary files
    earlier: EarlierRuns | None  # where results that are there are kept
    taken: dict[Path, Path] = field(default_factory=dict)  # names of results -> the image that has them


def _records(work: _Work, inputs: Sequence[Input]) -> Iterator[Record]:
    for item in inputs:
        checkpoint()
        try:
            yield _named(item) | _record(work, item)
        except CellspanError as error:
            yield {**_named(item), "error": str(error)}
        except MemoryError:
            yield {**_named(item), "error": f"{item.path}: the image does not fit into memory."}
        except Cancelled:
            raise
        except Exception as error:
            # A fault of ours must not cost the other images; the log gets the details.
            log.exception("%s", item.path)
            reason = f"internal error, please report it ({type(error).__name__}: {error})"
            yield {**_named(item), "error": f"{item.path}: {reason}"}


def _named(item: Input) -> Record:
    """Which image a record is about."""
    return {"input": str(item.path), **({} if item.series is None else {"series": item.series})}


def _record(work: _Work, item: Input) -> Record:
    """Segment one image, or find out why not."""
    batch = work.batch
    paths = output_paths(batch.folder, item.stem, batch.kinds)
    _claim_names(work, item)
    before = _results_there(item, result_files(paths, batch.parameters))
    there = [path for path, found in before.items() if found is not None]
    outputs = {kind: str(path.relative_to(batch.folder)) for kind, path in paths.items()}
    if work.earlier is not None and len(there) == len(before):
        return _skipped(work.earlier, work.about, item, outputs)
    if there and batch.existing == "refuse":
        raise CellspanError(
            f"{there[0]}: this result exists already; add --overwrite to replace it or --skip-existing to keep it."
        )
    try:
        found = _segmented(batch, item, paths, partial(write_together, owner=work.owner, before=before))
    except WrittenMeanwhile:
        if work.earlier is None or None in _results_there(item, before).values():
            raise
        return _skipped(work.earlier, work.about, item, outputs)
    return {"input": str(item.path), **found, "outputs": outputs}


def _claim_names(work: _Work, item: Input) -> None:
    earlier = work.taken.setdefault(item.stem, item.path)
    if earlier != item.path:
        raise CellspanError(f"{item.path}: its results would replace those of {earlier}; rename one of the two.")


def _results_there(item: Input, files: Sequence[Path] | dict[Path, State]) -> dict[Path, State]:
    try:
        return states(files)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise CellspanError(
                f"{item.path}: this name is too long for those of the results, which have a few letters more; "
                "rename the file to something shorter."
            ) from None
        raise CellspanError(f"{item.path}: its results cannot be looked for ({error.strerror}).") from None


def _skipped(earlier: EarlierRuns, about: Record, item: Input, outputs: dict[str, str]) -> Record:
    reason = "its results were there already"
    return {
        "input": str(item.path),
        "skipped": reason,
        "notes": earlier.notes(outputs.values(), about),
        "outputs": outputs,
    }


def _segmented(batch: Batch, item: Input, paths: dict[str, Path], write: OnFiles) -> Record:
    if batch.parameters.is_volume:

        def report(fraction: float, words: str) -> None:
            checkpoint()
            if batch.on_progress:
                batch.on_progress(fraction, words)

        from cellspan.core.results.volume_files import segment_volume_file  # scipy: 0.3 s that planes need not wait

        return segment_volume_file(batch.segmenter, item.path, paths, batch.parameters, report, write, item.series)
    return _segmented_plane(batch, item, paths, write)


def _segmented_plane(batch: Batch, item: Input, paths: dict[str, Path], write: OnFiles) -> Record:
    image = read_image(item.path, item.series)
    try:
        result, notes = _result(batch, image, paths)
    except CellspanError as error:
        raise CellspanError(f"{item.path}: {error}") from None
    save_outputs(paths, result, image, batch.parameters, write)
    return {
        "objects": result.count,
        "diameter": round(result.diameter, 2),
        "seconds": round(result.seconds, 3),
        "notes": [*result.notes, *notes],
    }


def _result(batch: Batch, image: Image, paths: dict[str, Path]) -> tuple[Result, list[str]]:
    """The objects of an image, and why the network was asked although its earlier outputs were to be used."""
    notes = []
    if batch.reuse_flows:
        result, why = result_from(paths["network"], image, batch.parameters, batch.segmenter)
        if result is not None:
            return result, []
        notes = [f"The network was asked again: {why}."] if why else []
    return batch.segmenter.segment(image, batch.parameters, lambda fraction, words: checkpoint()), notes
