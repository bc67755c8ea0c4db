"""Teaches a model with the accepted images: `cellspan train` in a process of its own, which outlives tabs and engines.

What is known of the last training is in teach.json of the review's folder, and what the training says in a log beside
its pairs.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import psutil

from cellspan.core.errors import CellspanError
from cellspan.core.files.result_names import PAIRS_MARK
from cellspan.core.files.writing import make_folder, write_json
from cellspan.core.models.importing import require_free_name
from cellspan.core.models.registry import find_model
from cellspan.review_page.image import ReviewImage
from cellspan.review_page.pairs import write_pairs

COMMAND = (sys.executable, "-m", "cellspan.core.cli", "--for-programs", "train")
NEEDED = ("torch", "cv2")  # modules that training imports
LACKING = 'Teaching needs the extra train; run: pip install "cellspan[train]"'
RECORD, FOLDER, LOG = "teach.json", "teach", "training.log"
ENOUGH_TO_HOLD_OUT = 10  # images; one of five is then kept out of the training, so that the scores are honest
EVERY = 5
SCORES = re.compile(r"AP@0\.5 on (\d+) (validation|annotated) images?: ([\d.]+) before, ([\d.]+) after")
READY = re.compile(r"The model '.*' is now available")
SIGN_OF_LIFE = 5.0  # seconds between two, while it trains
END_SECONDS = 10.0

State = Literal["none", "training", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class Training:
    """The last training, as it is kept on disk."""

    name: str
    start: str  # the model that it begins with
    minutes: float
    images: int
    pairs: int
    pid: int
    since: float  # when the process began, to tell it from another of its number
    cancelled: bool = False


class Teaching:
    """One training at a time for a review; thread-safe."""

    def __init__(self, folder: Path, alive: Callable[[], None]) -> None:
        """`folder` of the review; `alive` is a sign of life for the engine, which does not stop meanwhile."""
        self._folder, self._alive = folder, alive
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, images: Sequence[ReviewImage], name: str, start: str, minutes: float) -> dict[str, Any]:
        """Write pairs of these images and train with them; raises CellspanError."""
        with self._lock:
            before = self._read()
            if before is not None and _is_alive(before):
                raise CellspanError("A model is being taught already; wait for it, or stop it.", "busy")
            problem = teach_problem()
            if problem is not None:
                raise CellspanError(problem, "no_torch")
            require_free_name(name)
            find_model(start)
            usable = [image for image in images if image.has_labels and image.labels()[0].any()]
            if not usable:
                raise CellspanError(
                    "Accept at least one image with objects first; the model learns from these.", "none"
                )
            place = self._folder / FOLDER / name
            shutil.rmtree(place, ignore_errors=True)
            pairs = _divided([write_pairs(image, place / "pairs") for image in usable])
            self._start(place, name, start, minutes, len(usable), pairs)
        return self.as_json()

    def _start(self, place: Path, name: str, start: str, minutes: float, images: int, pairs: int) -> None:
        options = ["--from", start, "--minutes", f"{minutes:g}", "--register", name]
        command = [*COMMAND, str(place / "pairs"), "--out", str(place / "model"), *options]
        make_folder(place)
        with (place / LOG).open("wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        since = psutil.Process(process.pid).create_time()
        self._write(Training(name, start, minutes, images, pairs, process.pid, since))
        self._process = process
        threading.Thread(target=self._stay, args=(process,), name="teaching", daemon=True).start()

    def _stay(self, process: subprocess.Popen[bytes]) -> None:
        """Keep the engine while the training goes on, so that the page can tell of it."""
        while process.poll() is None:
            self._alive()
            time.sleep(SIGN_OF_LIFE)

    def stop(self) -> dict[str, Any]:
        """End the training; no model comes of it."""
        with self._lock:
            training = self._read()
            if training is not None and _is_alive(training):
                self._write(replace(training, cancelled=True))
                try:
                    process = psutil.Process(training.pid)
                    process.terminate()
                    if self._process is not None and self._process.pid == training.pid:
                        self._process.wait(END_SECONDS)
                    else:
                        process.wait(END_SECONDS)
                except (psutil.TimeoutExpired, subprocess.TimeoutExpired):
                    process.kill()
                except psutil.NoSuchProcess:
                    pass
        return self.as_json()

    def as_json(self) -> dict[str, Any]:
        """What the page tells of the last training."""
        training = self._read()
        if training is None:
            return {"state": "none"}
        said = self._said(training)
        state = _state_of(training, said)
        scores = SCORES.search(said)
        return {
            "state": state,
            "progress": _progress(training) if state == "training" else 1.0,
            "sentence": _sentence(state, training, said),
            "before": float(scores[3]) if scores else None,
            "after": float(scores[4]) if scores else None,
            "scored": {"images": int(scores[1]), "heldOut": scores[2] == "validation"} if scores else None,
            "model": training.name if state == "done" else None,
            "name": training.name,
            "from": training.start,
            "minutes": training.minutes,
            "images": training.images,
        }

    def _said(self, training: Training) -> str:
        try:
            return (self._folder / FOLDER / training.name / LOG).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def _read(self) -> Training | None:
        try:
            return Training(**json.loads((self._folder / RECORD).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def _write(self, training: Training) -> None:
        make_folder(self._folder)
        write_json(self._folder / RECORD, asdict(training))


def teach_problem() -> str | None:
    """Why training cannot run here, and what to do; None if it can."""
    return None if all(find_spec(name) is not None for name in NEEDED) else LACKING


def _divided(pairs: Sequence[Sequence[Path]]) -> int:
    """Move the pairs of some of many images to a folder `val`, which the scores are of; how many pairs there are."""
    if len(pairs) >= ENOUGH_TO_HOLD_OUT:
        held_out = pairs[0][0].parent / "val"
        held_out.mkdir()
        (held_out / PAIRS_MARK).touch()
        for path in [path for own in pairs[EVERY - 1 :: EVERY] for path in own]:
            for file in (path, path.with_name(path.name.removesuffix("_img.tif") + "_masks.tif")):
                file.rename(held_out / file.name)
    return sum(map(len, pairs))


def _state_of(training: Training, said: str) -> State:
    if _is_alive(training):
        return "training"
    if READY.search(said):
        return "done"
    return "cancelled" if training.cancelled else "failed"


def _is_alive(training: Training) -> bool:
    try:
        process = psutil.Process(training.pid)
        return process.create_time() == training.since and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _progress(training: Training) -> float:
    """By the time that was given; scoring before and after takes a little more."""
    return round(min(0.99, max(0.0, time.time() - training.since) / (60 * training.minutes)), 3)


def _sentence(state: State, training: Training, said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    if state == "done":
        return f"The model {training.name} is ready, here and in every other program."
    if state == "cancelled":
        return "The training was stopped."
    if state == "failed":
        return _problem(last) or "The training ended without a model; its log is in the review's folder."
    return last.removeprefix("NOTE ")[-200:] or "The training begins."


def _problem(line: str) -> str:
    """The sentence of an error line."""
    try:
        found = json.loads(line)
        return str(found["sentence"])
    except (ValueError, KeyError, TypeError):
        return line[-300:]
