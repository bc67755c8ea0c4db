"""One image under review: its file, its results, its corrections, and what the grid shows of it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cellspan.core.errors import CellspanError
from cellspan.core.files.together import state as state_of_file
from cellspan.core.objects.labels import Labels, areas, as_labels
from cellspan.core.pictures.inputs import Input
from cellspan.core.pictures.reading import read_labels
from cellspan.core.results.outputs import output_paths
from cellspan.review_page.history import History, State
from cellspan.review_page.outlines import drawn_objects
from cellspan.review_page.quality import Quality, quality_in_table
from cellspan.review_page.runs import Made
from cellspan.review_page.stacks import Looks, look_at
from cellspan.review_page.summary import Summary, summary_of
from cellspan.review_page.wells import well_of

Work = Literal["", "waiting", "segmenting", "failed"]
NO_FILE = "no results"  # in place of the state of the label image


@dataclass
class Shown:
    """What the grid shows, read by one thread and changed by another: plain values only."""

    looks: Looks | None = None
    summary: Summary | None = None
    flags: list[str] = field(default_factory=list)
    work: Work = ""
    progress: float = 0.0
    sentence: str = ""
    changed: int = 0  # the counter of the list when this entry changed last
    news: bool = False  # a run has written other results, and the corrections are of earlier ones


class ReviewImage:
    """An image; its `lock` is held by whoever changes its labels."""

    def __init__(
        self,
        item: Input,
        results: Path,
        review: Path,
        made: Made | None,
        on_use: Callable[[History], None] = lambda history: None,
    ) -> None:
        """`results` of the runs, and the folder for the `review`; `on_use` as of History."""
        self.item, self.made = item, made
        self.name = item.path.name + ("" if item.series is None else f" [{item.series}]")
        self.key = f"{item.stem}{item.path.suffix}"  # one for each image below the folder
        self.id = hashlib.blake2b(self.key.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
        self.well = well_of(item.path.stem)
        self.paths = output_paths(results, item.stem, ("labels", "rois", "overlay", "table"))
        self.lock = threading.RLock()
        self.shown = Shown()
        about = {"image": str(item.path), "series": item.series}
        self.history = History(review / "images" / self.id, self._found, about, on_use, self._run)
        self.clash: Path | None = None  # another image whose results have the same names
        self.results_file: Any = None  # which label image the summary is of
        self.fresh_quality: tuple[Any, Quality] | None = None  # of labels that the page has just written

    @contextmanager
    def changing(self) -> Iterator[None]:
        """What is done in here, no other thread and no other engine does at the same time; raises CellspanError."""
        with self.lock, self.history.alone():
            yield

    # ---- the image

    def looks(self) -> Looks:
        """What its header says; raises CellspanError that names the file."""
        if self.shown.looks is None:
            self.shown.looks = look_at(self.item.path, self.item.series)
        return self.shown.looks

    # ---- its labels

    def require_own_names(self) -> None:
        """Refuse to write results over those of another image; raises CellspanError."""
        if self.clash is not None:
            raise CellspanError(
                f"{self.item.path}: its results would have the names of those of {self.clash}; rename one of the two.",
                "same_names",
            )

    @property
    def has_results(self) -> bool:
        """Whether a run has written a label image."""
        return self.clash is None and self.paths["labels"].is_file()

    @property
    def state(self) -> State:
        """As of the history, but nothing counts of a damaged one, so that the other images can be listed."""
        try:
            return self.history.state
        except CellspanError as error:
            self.shown.work, self.shown.sentence = "failed", str(error)
            return State()

    @property
    def has_labels(self) -> bool:
        """Whether there are labels, of a run or by hand."""
        return bool(self.state.done) or self.has_results

    def labels(self) -> tuple[Labels, Quality]:
        """As they are now; raises CellspanError."""
        with self.lock:
            return self.history.labels()

    def plane(self, z: int) -> tuple[Labels, Quality]:
        """The labels (Y, X) of a slice; raises CellspanError."""
        labels, quality = self.labels()
        if labels.ndim == 2:
            return labels, quality
        if not 0 <= z < len(labels):
            raise CellspanError(f"There is no slice {z}; the labels have {len(labels)}.", "no_slice")
        return np.ascontiguousarray(labels[z]), quality

    def outlines(self, z: int, labels: tuple[Labels, Quality] | None = None) -> dict[str, Any]:
        """The objects of a slice for the page, of these labels or of those that count."""
        with self.lock:
            given = self.labels() if labels is None else labels
            plane = given[0] if given[0].ndim == 2 else np.ascontiguousarray(given[0][min(z, len(given[0]) - 1)])
            state = self.history.state
            return {
                "revision": state.revision,
                "objects": drawn_objects(plane, given[1]),
                "count": int(np.count_nonzero(areas(given[0]))),
                "canUndo": state.position > 0,
                "canRedo": state.position < len(state.steps),
                "edited": state.is_edited,
                "newResults": self.shown.news,
            }

    def _found(self) -> tuple[Labels, Quality]:
        """The labels of the run; empty ones where there are none. Raises CellspanError."""
        looks, path = self.looks(), self.paths["labels"]
        shape = (looks.slices, *looks.shape) if looks.is_stack else looks.shape
        if not self.has_results:
            return np.zeros(shape, np.int32), Quality()
        labels = as_labels(read_labels(path))
        if labels.shape != shape:
            if labels.shape[-2:] != looks.shape:
                raise CellspanError(
                    f"{path}: this label image has {_size(labels.shape)} pixels, but {self.item.path} has "
                    f"{_size(looks.shape)}; are they of the same image?",
                    "label_size",
                )
            labels = labels[:1].reshape(shape) if labels.ndim == 3 and len(labels) == 1 else labels
        fresh = self.fresh_quality
        if fresh is not None and fresh[0] == state_of_file(path):
            return labels, fresh[1]
        return labels, quality_in_table(self.paths["table"])

    # ---- results that a run writes over corrections

    def take_new_results(self, made: Made | None) -> None:
        """The results that the run has written replace the corrections, which undo brings back; raises CellspanError.

        `made`: how the run made them.
        """
        labels, quality = self._found()
        how = made.as_json() if made else {"parameters": {}, "model": "", "diameter": None, "notes": []}
        self.history.change(labels, "segment", made=how, quality=quality)
        self.summarise()
        self.shown.news = False

    def keep_corrections(self) -> None:
        """The corrections stay, and nothing more is said of these results."""
        self.history.keep_to_these()
        self.shown.news = False

    def _run(self) -> str | None:
        """The content of the run's label image in short; None where there is none."""
        try:
            return hashlib.blake2b(self.paths["labels"].read_bytes(), digest_size=16).hexdigest()
        except OSError:
            return None

    def _has_news(self) -> bool:
        state = self.history.state
        now = self._run() if state.steps else None
        return now is not None and now != state.run

    # ---- the grid

    def read(self) -> None:
        """Look at the file and at the labels, for the grid; a sentence says what is wrong."""
        try:
            self.looks()
            with self.lock:
                self.results_file = self._state_of_results()
                self.shown.summary = summary_of(*self.history.labels()) if self.has_labels else None
                self.shown.news = self._has_news()
            if self.shown.work != "failed":
                self.shown.sentence = "" if self.made is None or self.has_labels else self.made.error
        except CellspanError as error:
            self.shown.sentence = str(error)
            if self.shown.looks is None:
                self.shown.work = "failed"

    def know(self, looks: Looks, summary: Summary | None) -> None:
        """What another process has read of these files."""
        self.results_file = self._state_of_results()
        self.shown.looks, self.shown.summary = looks, summary

    def summarise(self) -> None:
        """Count the labels once more after a change."""
        self.shown.summary = summary_of(*self.history.labels()) if self.has_labels else None

    def look_for_new_results(self) -> bool:
        """Whether a run has written other results since; corrections stay what they are, until the person decides."""
        if self.results_file is None or self._state_of_results() == self.results_file:
            return False
        with self.lock:
            self.results_file = self._state_of_results()
            if self.history.state.steps:
                self.shown.news = self._has_news()
            else:
                self.history.bump()
            return True

    def _state_of_results(self) -> Any:
        try:
            return state_of_file(self.paths["labels"]) or NO_FILE
        except OSError:
            return NO_FILE

    def how(self) -> Mapping[str, Any]:
        """How the labels were made: parameters, model, diameter, notes; empty if that is not known."""
        return self.history.made() or (self.made.as_json() if self.made else {})

    def as_json(self) -> dict[str, Any]:
        """The entry of the list."""
        shown, state = self.shown, self.state
        looks, summary = shown.looks, shown.summary
        there = summary is not None or self.has_labels
        return {
            "id": self.id,
            "name": self.name,
            "folder": "" if self.item.subfolder == Path() else str(self.item.subfolder),
            "well": self.well,
            "shape": None if looks is None else list(looks.shape),
            "slices": 1 if looks is None else looks.slices,
            "frames": 1 if looks is None else looks.frames,
            "channels": 1 if looks is None else looks.channels,
            "state": shown.work or ("done" if there else "none"),
            "progress": round(shown.progress, 3),
            "sentence": shown.sentence,
            "count": summary.count if summary else None,
            "diameter": summary.diameter if summary else None,
            "probability": summary.probability if summary else None,
            "flags": shown.flags,
            "verdict": state.verdict,
            "edited": state.is_edited,
            "newResults": shown.news,
            "revision": state.revision,
        }


def _size(shape: tuple[int, ...]) -> str:
    """Width first, as people say it."""
    return " x ".join(str(length) for length in reversed(shape))
