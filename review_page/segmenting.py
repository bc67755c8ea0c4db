"""Segmenting images of a review with the engine: many one after the other, or one again with other thresholds."""

from __future__ import annotations

import logging
import platform
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any

from cellspan.core.errors import CellspanError
from cellspan.core.files.npy import load_npy
from cellspan.core.files.together import state as state_of_file
from cellspan.core.files.writing import make_folder
from cellspan.core.models.registry import find_model
from cellspan.core.parameters import DYNAMICS, Parameters, parse_parameters
from cellspan.core.results.batch import VERSIONS_OF
from cellspan.core.results.run_record import RunRecord, keep_killed_runs, source_of
from cellspan.core.service.client import NPY, Engine, EngineError, EngineForgot, EngineResult
from cellspan.review_page.image import ReviewImage
from cellspan.review_page.options import known
from cellspan.review_page.quality import Quality
from cellspan.review_page.review import Review
from cellspan.review_page.runs import Made
from cellspan.review_page.sending import read_for_engine

AT_ONCE = 2  # images of one review that the engine has
MOST_KEPT = 24  # planes whose network outputs the engine keeps for other thresholds

log = logging.getLogger(__name__)


class Stopped(Exception):
    """The person has stopped it."""


@dataclass
class _Run:
    """What was asked for at once, with its record in the results folder."""

    parameters: Parameters
    left: int
    record: RunRecord | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, review: Review, result: EngineResult, record: dict[str, Any]) -> None:
        """A line for an image; the record begins with the first one."""
        with self.lock:
            if self.record is None:
                make_folder(review.results)
                keep_killed_runs(review.results)
                self.record = RunRecord(review.results, _described(self.parameters, result)).__enter__()
            self.record.add(record)

    def leave(self, stopped: bool) -> None:
        """One image fewer; the record ends with the last one."""
        with self.lock:
            self.left -= 1
            if self.left == 0 and self.record is not None:
                self.record.finish("stopped" if stopped else "finished")
                self.record.__exit__(None, None, None)


class Segmenting:
    """Thread-safe. `make_engine` gives a client of the engine, for work that a person waits for or not."""

    def __init__(self, review: Review, make_engine: Callable[[bool], Engine]) -> None:
        """Nothing runs yet."""
        self._review = review
        self._engines = make_engine(False), make_engine(True)
        self._lock = threading.Lock()
        self._waiting: deque[tuple[ReviewImage, _Run]] = deque()
        self._working: set[threading.Thread] = set()
        self._stopped: set[str] = set()
        self._kept: OrderedDict[str, tuple[EngineResult, Parameters]] = OrderedDict()

    # ---- many

    def begin(self, images: Iterable[ReviewImage], values: Mapping[str, Any]) -> int:
        """Queue images that do not wait already; how many. Raises CellspanError for wrong parameters."""
        parameters = self.chosen(values)
        self._require_model(parameters)
        with self._lock:
            new = [image for image in images if image.shown.work not in ("waiting", "segmenting")]
            run = _Run(parameters, len(new))
            for image in new:
                self._stopped.discard(image.id)
                image.shown.work, image.shown.progress, image.shown.sentence = "waiting", 0.0, ""
                self._waiting.append((image, run))
        for image in new:
            self._review.tell(image)
        self._start()
        return len(new)

    def stop(self, images: Iterable[ReviewImage]) -> int:
        """Take images back that wait or are being segmented; how many."""
        wanted = {image.id for image in images if image.shown.work in ("waiting", "segmenting")}
        with self._lock:
            self._stopped |= wanted
            taken = [pair for pair in self._waiting if pair[0].id in wanted]
            self._waiting = deque(pair for pair in self._waiting if pair[0].id not in wanted)
        for image, run in taken:
            image.shown.work = ""
            self._review.tell(image)
            run.leave(stopped=True)
        return len(wanted)

    def _start(self) -> None:
        with self._lock:
            for _ in range(min(AT_ONCE - len(self._working), len(self._waiting))):
                thread = threading.Thread(target=self._work, name="review", daemon=True)
                self._working.add(thread)
                thread.start()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._working.discard(threading.current_thread())
                    return
                image, run = self._waiting.popleft()
            stopped = False
            try:
                self._segment(image, run.parameters, self._engines[0], run)
            except Stopped:
                stopped = True
                self._end(image)
            except (CellspanError, EngineError) as error:
                self._end(image, str(error))
            except MemoryError:
                self._end(image, f"{image.item.path}: the image does not fit into the memory that is free.")
            except Exception as error:
                log.exception("%s", image.item.path)
                self._end(image, f"{image.item.path}: internal error, please report it ({type(error).__name__}).")
            finally:
                run.leave(stopped)

    def _end(self, image: ReviewImage, sentence: str = "") -> None:
        image.shown.work, image.shown.sentence = ("failed" if sentence else ""), sentence
        image.shown.progress = 0.0
        self._review.tell(image, judge=True)

    def _segment(self, image: ReviewImage, parameters: Parameters, engine: Engine, run: _Run) -> None:
        image.shown.work = "segmenting"
        self._review.tell(image)
        item = image.item
        image.require_own_names()
        sent = read_for_engine(item.path, item.series, image.looks(), parameters)
        source = source_of(item.path)
        result = sent.ask(engine, self._teller(image))
        quality = Quality.of(result.extra["objects"])
        made = _made(image, sent.parameters, result, sent.notes)
        with image.changing():
            sent.save(image.paths, item.path, result)
            image.fresh_quality = state_of_file(image.paths["labels"]), quality
            image.made = made
            if image.history.state.steps:
                image.history.change(result.labels, "segment", made=made.as_json(), quality=quality)
            else:
                image.history.bump()
            image.results_file = state_of_file(image.paths["labels"])
            image.shown.news = False
            image.summarise()
        outputs = {kind: str(path.relative_to(self._review.results)) for kind, path in image.paths.items()}
        found = {"objects": result.count, "diameter": round(result.diameter, 2), "seconds": round(result.seconds, 3)}
        named = {"input": str(item.path), **({} if item.series is None else {"series": item.series}), **source}
        run.add(self._review, result, {**named, **found, "notes": made.notes, "outputs": outputs})
        self._keep(image, result, sent.parameters)
        self._end(image)

    # ---- one again

    def again(self, image: ReviewImage, values: Mapping[str, Any], replace: bool) -> dict[str, Any]:
        """Other parameters for one plane; the network runs only if it has to. Raises CellspanError and EngineError.

        Labels with corrections by hand are replaced only if `replace`; without it, the answer shows what would be.
        """
        if image.looks().is_stack:
            raise CellspanError('Other settings of a stack need a new run; choose "Find objects again".', "volume")
        if image.shown.work in ("waiting", "segmenting"):
            raise CellspanError(f"{image.name} is being segmented; wait for it, or stop it.", "busy")
        parameters = self.chosen({**known(image.how().get("parameters") or {}), **values})
        result, quality, notes, parameters = self._seen(image, parameters)
        made = _made(image, parameters, result, notes)
        with image.changing():
            if image.history.state.is_edited and not replace:
                shown = image.outlines(0, (result.labels, quality))
                return {**shown, "edited": True, "preview": True, "notes": made.notes}
            image.history.change(result.labels, "thresholds", made=made.as_json(), quality=quality)
            image.summarise()
            self._review.tell(image, judge=True)
            return {**image.outlines(0), "preview": False, "notes": made.notes}

    def _seen(self, image: ReviewImage, parameters: Parameters) -> tuple[EngineResult, Quality, list[str], Parameters]:
        engine = self._engines[1]
        with self._lock:
            kept = self._kept.get(image.id)
        if kept is not None and _same_network(kept[1], parameters):
            changes = {name: getattr(parameters, name) for name in DYNAMICS}
            with suppress(EngineForgot):
                # Fetched by this thread, whose connection is open already: a person waits for it.
                result, files = engine.run_again(kept[0], changes, None, {"objects": NPY})
                return result, Quality.of(load_npy(files["objects"])), [], parameters
        before = image.shown.work
        image.shown.work = "segmenting"
        self._stopped.discard(image.id)
        self._review.tell(image)
        try:
            sent = read_for_engine(image.item.path, image.item.series, image.looks(), parameters)
            result = sent.ask(engine, self._teller(image))
        except Stopped:
            raise CellspanError("It was stopped.", "stopped") from None
        finally:
            image.shown.work, image.shown.progress, image.shown.sentence = before, 0.0, ""
            self._review.tell(image)
        self._keep(image, result, sent.parameters)
        return result, Quality.of(result.extra["objects"]), sent.notes, sent.parameters

    def _keep(self, image: ReviewImage, result: EngineResult, parameters: Parameters) -> None:
        if result.job is None:
            return
        with self._lock:
            old = [self._kept.pop(image.id)] if image.id in self._kept else []
            self._kept[image.id] = result, parameters
            while len(self._kept) > MOST_KEPT:
                old.append(self._kept.popitem(last=False)[1])
        for one, _ in old:
            self._engines[1].forget(one)

    # ----

    def chosen(self, values: Mapping[str, Any]) -> Parameters:
        """The parameters of the review with these changed; raises CellspanError."""
        return parse_parameters({**vars(self._review.parameters), **values})

    def _require_model(self, parameters: Parameters) -> None:
        find_model(parameters.model)

    def _teller(self, image: ReviewImage) -> Callable[[float, str], None]:
        def tell(fraction: float, words: str) -> None:
            if image.id in self._stopped:
                raise Stopped  # the client then takes the image back from the engine
            image.shown.progress, image.shown.sentence = fraction, words
            self._review.tell(image)

        return tell


def _same_network(before: Parameters, now: Parameters) -> bool:
    return all(getattr(before, name) == getattr(now, name) for name in Parameters.model_fields if name not in DYNAMICS)


def _made(image: ReviewImage, parameters: Parameters, result: EngineResult, notes: list[str]) -> Made:
    return Made(
        str(image.item.path),
        image.item.series,
        parameters.model_dump(mode="json"),
        result.model,
        round(result.diameter, 2),
        [*result.notes, *notes],
    )


def _described(parameters: Parameters, result: EngineResult) -> dict[str, Any]:
    """What the record says of the whole run, as that of `cellspan segment`."""
    return {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "parameters": parameters.model_dump(mode="json"),
        "model": find_model(parameters.model).identity,
        "device": result.device,
        "notes": [],
        "versions": {"python": platform.python_version(), **{name: version(name) for name in VERSIONS_OF}},
    }
