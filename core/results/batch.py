"""Many images, one after the other: each gets its results or its sentence in the record, and the rest goes on."""

from __future__ import annotations

import errno
import logging
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from cellspan.core.errors import Cancelled, CellspanError, result_exists
from cellspan.core.files.together import State, WrittenMeanwhile, states, write_together
from cellspan.core.files.writing import make_folder
from cellspan.core.machine.cancelling import cancelled_by, checkpoint
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.inputs import Input
from cellspan.core.pictures.mask_files import MaskFiles
from cellspan.core.planes.looking import OnProgress
from cellspan.core.planes.restoring import Restorer, find_restoring
from cellspan.core.results.earlier_runs import EarlierRuns
from cellspan.core.results.outputs import OnFiles, output_paths, result_files
from cellspan.core.results.plane_files import segment_plane_file
from cellspan.core.results.restored_files import KIND as RESTORED
from cellspan.core.results.restored_files import restore_file
from cellspan.core.results.run_record import Record, RunRecord, keep_killed_runs, source_of
from cellspan.core.segmenter import Segmenter

log = logging.getLogger(__name__)
VERSIONS_OF = ("cellspan", "numpy", "openvino", "numba")

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

    segmenter: Segmenter | Restorer  # the latter only restores images
    folder: Path
    parameters: Parameters
    kinds: Sequence[str]
    existing: Existing = "refuse"
    reuse_flows: bool = False  # run the network only where its output is not there already
    notes: Sequence[str] = ()  # on what was left out
    on_progress: OnProgress | None = None  # gets a fraction and a few words within a volume, which takes long
    masks: MaskFiles | None = None  # where to look in each image

    def described(self) -> Record:
        """What the record says of the whole run."""
        return {
            "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "parameters": self.parameters.model_dump(mode="json"),
            "model": self.segmenter.model.identity,
            **self._restoring(),
            "device": self.segmenter.predictor.device,
            "notes": list(self.notes),
            **({} if self.masks is None else {"mask": str(self.masks.path)}),
            "versions": {"python": platform.python_version(), **{name: version(name) for name in VERSIONS_OF}},
        }

    def _restoring(self) -> Record:
        """Which model restores images first, if one does."""
        name = self.parameters.restore
        return {} if name is None else {"restoring_model": find_restoring(name).identity}


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
    real = frozenset(os.path.realpath(item.path) for item in inputs)
    with RunRecord(batch.folder, about) as run, cancelled_by(is_stopped):
        try:
            for record in _records(_Work(batch, about, run.owner, earlier, real), inputs):
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
    inputs: frozenset[str] = frozenset()  # real paths, which no result may replace
    taken: dict[Path, Path] = field(default_factory=dict)  # names of results -> the image that has them


def _records(work: _Work, inputs: Sequence[Input]) -> Iterator[Record]:
    for item in inputs:
        checkpoint()
        try:
            yield _record(work, item)
        except CellspanError as error:
            yield _failed(item, error)
        except MemoryError:
            yield _failed(item, CellspanError(f"{item.path}: the image does not fit into memory.", "memory"))
        except Cancelled:
            raise
        except Exception as error:
            # A fault of ours must not cost the other images; the log gets the details.
            log.exception("%s", item.path)
            reason = f"internal error, please report it ({type(error).__name__}: {error})"
            yield _failed(item, CellspanError(f"{item.path}: {reason}", "internal"))


def _named(item: Input) -> Record:
    """Which image a record is about."""
    return {"input": str(item.path), **({} if item.series is None else {"series": item.series})}


def _failed(item: Input, error: CellspanError) -> Record:
    """Why there are no results: a sentence for people, code and fields for programs."""
    return {**_named(item), "error": str(error), "code": error.code, "fields": error.fields}


def _record(work: _Work, item: Input) -> Record:
    """Segment one image, or find out why not."""
    batch = work.batch
    paths = output_paths(batch.folder, item.stem, batch.kinds)
    _claim_names(work, item)
    files = result_files(paths, batch.parameters)
    before = _results_there(item, files)
    _spare_inputs(work, item, files)
    source = source_of(item.path)
    there = [path for path, found in before.items() if found is not None]
    outputs = {kind: str(path.relative_to(batch.folder)) for kind, path in paths.items()}
    if work.earlier is not None and len(there) == len(before):
        return _skipped(work.earlier, work.about, item, source, outputs)
    if there and batch.existing == "refuse":
        raise result_exists(there[0])
    try:
        found = _segmented(batch, item, paths, partial(write_together, owner=work.owner, before=before))
    except WrittenMeanwhile:
        if work.earlier is None or None in _results_there(item, before).values():
            raise
        return _skipped(work.earlier, work.about, item, source, outputs)
    return {**_named(item), **source, **found, "outputs": outputs}


def _claim_names(work: _Work, item: Input) -> None:
    earlier = work.taken.setdefault(item.stem, item.path)
    if earlier != item.path:
        raise CellspanError(
            f"{item.path}: its results would have the names of those of {earlier}; rename one of the two, or write "
            "them into different folders."
        )


def _spare_inputs(work: _Work, item: Input, files: Sequence[Path]) -> None:
    for path in files:
        if os.path.realpath(path) in work.inputs:
            raise CellspanError(
                f"{item.path}: its result {path.name} would replace an image of the same name; choose another output "
                "folder."
            )


def _results_there(item: Input, files: Sequence[Path] | dict[Path, State]) -> dict[Path, State]:
    try:
        return states(files)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise CellspanError(
                f"{item.path}: this name is too long, because the names of the results are a few letters longer still; "
                "give the file a shorter name."
            ) from None
        raise CellspanError(f"{item.path}: its results cannot be looked for ({error.strerror}).") from None


def _skipped(earlier: EarlierRuns, about: Record, item: Input, source: Record, outputs: dict[str, str]) -> Record:
    now = {"input": str(item.path), **source}
    earlier.require_same_image(outputs.values(), now)
    return {
        **_named(item),
        "skipped": "its results were there already",
        "notes": earlier.notes(outputs.values(), about, now),
        "outputs": outputs,
    }


def _segmented(batch: Batch, item: Input, paths: dict[str, Path], write: OnFiles) -> Record:
    mask = None if batch.masks is None else batch.masks.of(item)
    about = {} if mask is None else {"mask": str(mask)}

    def report(fraction: float, words: str) -> None:
        checkpoint()
        if batch.on_progress:
            batch.on_progress(fraction, words)

    if isinstance(batch.segmenter, Restorer):
        target = paths[RESTORED]
        found = restore_file(batch.segmenter, item.path, target, batch.parameters, report, write, item.series, mask)
        return {**about, **found}
    if not batch.parameters.is_volume:
        found = segment_plane_file(
            batch.segmenter, item.path, paths, batch.parameters, batch.reuse_flows, write, item.series, mask
        )
        return {**about, **found}

    from cellspan.core.results.volume_files import segment_volume_file  # scipy: 0.3 s that planes need not wait

    found = segment_volume_file(batch.segmenter, item.path, paths, batch.parameters, report, write, item.series, mask)
    return {**about, **found}
