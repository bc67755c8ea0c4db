"""A review: a folder of images, their results, and a list of them that tells what has changed."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from cellspan.core.errors import CellspanError
from cellspan.core.files.result_names import DEFAULT_RESULTS, REVIEW
from cellspan.core.files.writing import make_folder, write_atomically, write_json
from cellspan.core.parameters import Parameters, parse_parameters
from cellspan.core.pictures.inputs import Input, find_inputs
from cellspan.core.pictures.several import every_series
from cellspan.core.results.run_record import NEWEST
from cellspan.core.service.pages import NO_FOLDER
from cellspan.review_page.history import History
from cellspan.review_page.image import ReviewImage
from cellspan.review_page.index import Index
from cellspan.review_page.options import known
from cellspan.review_page.pixels import Shown, judged
from cellspan.review_page.runs import Runs
from cellspan.review_page.stacks import read_plane
from cellspan.review_page.summary import flags_of
from cellspan.review_page.thumbnails import placeholder, thumbnail

log = logging.getLogger(__name__)
WATCH = 3.0  # seconds between two looks for results of other runs
ASLEEP = 60.0  # seconds without a request, after which nobody looks any more
MOST_IN_MEMORY = 12  # images with their labels
VERDICTS = "verdicts.json"


class Review:
    """Thread-safe: every image has a lock, and the list has one."""

    def __init__(self, folder: Path, results: Path | None, here: Path, given: Mapping[str, Any]) -> None:
        """`given`: parameters that differ from those of the run. Raises CellspanError."""
        self.folder, self.results = _folders(folder, results)
        self.place = self.results / REVIEW
        self.pixels = Shown()
        self._here = here
        self._runs = Runs(self.results)
        self.given = dict(given)
        self.parameters = self._parameters()
        self.images: dict[str, ReviewImage] = {}
        taken: dict[Path, Path] = {}  # names of results -> the image that has them
        for item in self._inputs():
            image = ReviewImage(item, self.results, self.place, self._runs.of(item), self._used)
            first = taken.setdefault(item.stem, item.path)
            image.clash = None if first == item.path else first
            self.images[image.id] = image
        self._lock = threading.Lock()
        self._in_memory: OrderedDict[int, History] = OrderedDict()
        self._counter = 1
        self._index = Index(self.place)
        self._unread = list(self.images.values())
        self._asked = time.monotonic()
        self._flags_due = False
        self._reader: threading.Thread | None = None

    # ---- what there is

    def _inputs(self) -> list[Input]:
        """The images; those of the record if the folder is one of results."""
        if self.results == self.folder and (named := self._runs.inputs(self._here)):
            return named
        items = every_series(find_inputs([str(self.folder)]))
        is_below = self.folder in self.results.parents
        inside = [item for item in items if not (is_below and self.results in item.path.parents)]
        if not inside:
            raise CellspanError(f"{self.folder}: no images were found there, only results.")
        return inside

    def renew(self, other: Review) -> None:
        """The same folders were asked for once more, perhaps with other parameters or new images."""
        self.given, self.parameters = other.given, other.parameters
        for name, image in other.images.items():
            if name not in self.images:
                self.images[name] = image
                self._unread.append(image)
        self.wake()

    def _parameters(self) -> Parameters:
        return parse_parameters({**known(self._runs.parameters), **self.given})

    def image(self, name: str) -> ReviewImage:
        """An image by its id; raises CellspanError."""
        if name not in self.images:
            raise CellspanError(f"There is no image {name} in this review.", "no_image")
        return self.images[name]

    def _used(self, history: History) -> None:
        """The labels of few images stay in memory."""
        with self._lock:
            self._in_memory[id(history)] = history
            self._in_memory.move_to_end(id(history))
            old = self._in_memory.popitem(last=False)[1] if len(self._in_memory) > MOST_IN_MEMORY else None
        if old is not None:
            old.forget()

    # ---- the list

    def listed(self, since: int) -> dict[str, Any]:
        """Entries that changed after this counter, and the counter now."""
        self._asked = time.monotonic()
        self.wake()
        if self._flags_due:
            self._judge()
        with self._lock:
            counter = self._counter
            changed = [image for image in self.images.values() if since <= 0 or image.shown.changed > since]
        works = [image.shown.work for image in self.images.values()]
        return {
            "counter": counter,
            "total": len(self.images),
            "reading": len(self._unread),
            "busy": any(work in ("waiting", "segmenting") for work in works),
            "images": [image.as_json() for image in changed],
        }

    def tell(self, image: ReviewImage, judge: bool = False) -> None:
        """The entry of an image has changed; `judge` if its numbers did, with which others are compared."""
        with self._lock:
            self._counter += 1
            image.shown.changed = self._counter
        if judge:
            self._flags_due = True

    def _judge(self) -> None:
        self._flags_due = False
        images = list(self.images.values())
        for image, flags in zip(images, flags_of([image.shown.summary for image in images]), strict=True):
            if flags != image.shown.flags:
                image.shown.flags = flags
                self.tell(image)

    # ---- reading in the background

    def wake(self) -> None:
        """Look for new results again, if nobody did for a while."""
        with self._lock:
            if self._reader is not None and self._reader.is_alive():
                return
            self._reader = threading.Thread(target=self._read, name="review", daemon=True)
            self._reader.start()

    def _read(self) -> None:
        new = False
        while self._unread:
            image = self._unread[0]
            if not self._index.apply(image):
                _read_whatever_comes(image)
                new = True
            self._unread.pop(0)
            self.tell(image, judge=True)
        if new:
            self._index.keep(self.images.values())
        while time.monotonic() - self._asked < ASLEEP:
            time.sleep(WATCH)
            self._look_for_new_results()

    def _look_for_new_results(self) -> None:
        new = [image for image in self.images.values() if image.look_for_new_results()]
        if not new:
            return
        self._runs = Runs(self.results)
        for image in new:
            if not image.shown.news:
                image.made = self._runs.of(image.item)
            _read_whatever_comes(image)
            self.tell(image, judge=True)

    def decide(self, image: ReviewImage, take: bool) -> None:
        """Take the results that a run has written over the corrections, or keep these; raises CellspanError."""
        if not image.shown.news:
            raise CellspanError(f"No run has written new results of {image.name} since you changed it.", "no_news")
        if take:
            image.take_new_results(Runs(self.results).of(image.item))
        else:
            image.keep_corrections()
        self.tell(image, judge=True)

    # ---- files of the review

    def thumbnail(self, image: ReviewImage) -> bytes:
        """WebP, kept in the results folder or in the user's cache."""
        try:
            path = self._thumbnails() / f"{image.id}-{_version_of(image)}.webp"
            if path.is_file():
                return path.read_bytes()
            content = self._drawn(image)
            for old in path.parent.glob(f"{image.id}-*.webp"):
                old.unlink(missing_ok=True)
            write_atomically(path, lambda part: part.write_bytes(content))
        except (CellspanError, OSError):
            return placeholder()
        return content

    def _drawn(self, image: ReviewImage) -> bytes:
        looks = image.looks()
        z = looks.slices // 2
        plane = read_plane(image.item.path, image.item.series, z)  # of many images, which nobody looks at more closely
        return thumbnail(plane, judged([plane], looks), image.plane(z)[0] if image.has_labels else None)

    def _thumbnails(self) -> Path:
        place = self.place / "thumbnails"
        try:
            make_folder(place)
        except CellspanError:
            place = user_cache_path("cellspan", appauthor=False) / "thumbnails"
            make_folder(place)
        return place

    def write_verdicts(self) -> None:
        """A list of all verdicts, for people and programs; the page itself keeps them with each image."""
        found = {image.key: image.state.verdict for image in self.images.values()}
        chosen = {name: verdict for name, verdict in sorted(found.items()) if verdict != "none"}
        write_json(self.place / VERDICTS, chosen)

    def about(self) -> dict[str, Any]:
        """What the page's head shows."""
        return {
            "title": f"{self.folder.name} - cellspan review",
            "folder": str(self.folder),
            "folderName": self.folder.name,
            "results": str(self.results),
            "model": self.parameters.model,
            "parameters": self.parameters.model_dump(mode="json"),
            "version": version("cellspan"),
        }


def _folders(folder: Path, results: Path | None) -> tuple[Path, Path]:
    """The folder of images and that of results; they are the same if the folder has the record of a run."""
    if not folder.is_absolute() or not folder.is_dir():
        raise CellspanError(f"{folder}: there is no such folder.", NO_FOLDER)
    if folder.parent == folder:
        raise CellspanError(f"{folder} is a whole disk; give the folder of the images.")
    if results is not None and not results.is_absolute():
        raise CellspanError(f"{results}: give the results folder as an absolute path.")
    if results is not None:
        return folder, results
    return folder, folder if (folder / NEWEST).is_file() else folder / DEFAULT_RESULTS


def _read_whatever_comes(image: ReviewImage) -> None:
    """A fault of ours with one image must not cost the others their turn."""
    try:
        image.read()
    except Exception as error:
        log.exception("%s", image.item.path)
        image.shown.work = "failed"
        image.shown.sentence = f"{image.item.path}: internal error, please report it ({type(error).__name__})."


def _version_of(image: ReviewImage) -> str:
    """Changes with the pixels or the labels of an image, but not with a verdict."""
    state = image.state
    parts = [state.done[-1].file if state.done else "", str(image.results_file)]
    try:
        found = image.item.path.stat()
        parts.append(f"{found.st_mtime_ns} {found.st_size}")
    except OSError:
        parts.append("")
    return hashlib.blake2b("|".join(parts).encode(), digest_size=6).hexdigest()
