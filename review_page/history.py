"""The labels of one image through all corrections: every step is on disk before it is told, and can be undone.

A folder holds state.json, the labels that the steps begin with (base.npz), and for each step the part of the labels
that it changed, before and after. Labels are always the base with the steps up to `position`; so a step costs what it
changes, whatever the size of the image, and a killed engine loses nothing.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.files.together import state as state_of_file
from cellspan.core.files.writing import make_folder, write_atomically, write_json
from cellspan.core.objects.labels import Labels, file_type
from cellspan.review_page.quality import Quality

STATE, BASE, LOCK = "state.json", "base.npz", ".lock"
PATIENCE = 10.0  # seconds that another engine may take for a change
MOST_STEPS = 200  # that can be undone
FAST = 1  # level of compression: a fifth of the time of the usual one, and labels become small anyway

Kind = Literal["edit", "thresholds", "segment"]
Verdict = Literal["none", "accepted", "rejected"]


@dataclass(frozen=True)
class Step:
    """One change of the labels."""

    file: str
    kind: Kind
    changed: tuple[int, ...] = ()  # numbers of the objects that a correction by hand touched
    made: Mapping[str, Any] | None = None  # parameters, diameter, model, notes of a segmentation


@dataclass(frozen=True)
class State:
    """What is kept of an image beside its labels."""

    revision: int = 0
    verdict: Verdict = "none"
    position: int = 0  # steps that are done; the others were undone
    steps: tuple[Step, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)  # which image it is, for people who read the file
    run: str | None = None  # the results of the run that the labels are made of, or were preferred to; None = none

    @property
    def done(self) -> tuple[Step, ...]:
        """The steps that count."""
        return self.steps[: self.position]

    @property
    def is_edited(self) -> bool:
        """Whether the labels hold corrections by hand."""
        last = max((n for n, step in enumerate(self.done) if step.kind != "edit"), default=-1)
        return any(step.kind == "edit" for step in self.done[last + 1 :])


class History:
    """The steps of one image; the caller sees to it that one thread or process at a time changes it."""

    def __init__(
        self,
        folder: Path,
        found: Callable[[], tuple[Labels, Quality]],
        about: Mapping[str, Any],
        on_use: Callable[[History], None] = lambda history: None,
        run: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`found` gives the labels of the run, which the first step begins with; `on_use` sees to the memory.

        `run` tells which results of the run lie there now, None if there are none.
        """
        self._folder, self._found, self._about, self._on_use = folder, found, dict(about), on_use
        self._run = run
        self._read: Any = ()  # which state.json the state is from
        self._state = State(about=self._about)
        self._labels: Labels | None = None
        self._quality = Quality()

    @property
    def state(self) -> State:
        """As it is on disk now, because another engine may have changed it."""
        path = self._folder / STATE
        there = state_of_file(path)
        if there != self._read:
            self._state = State(about=self._about) if there is None else _read_state(path)
            self._read, self._labels = there, None
        return self._state

    def labels(self) -> tuple[Labels, Quality]:
        """The labels now, which nobody may change, and what is known of the objects."""
        state, labels, quality = self.state, self._labels, self._quality
        self._on_use(self)
        if labels is None:
            labels, quality = self._base()
            if state.done:
                labels = labels.copy()
            for step in state.done:
                _apply(labels, self._folder / step.file, "after")
                quality = self._quality_after(quality, step)
            self._labels, self._quality = labels, quality
        return labels, quality

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """While this lasts, no other engine changes the image; raises CellspanError if one takes too long.

        After an upgrade an old engine may still serve an old tab. File systems without locks are trusted.
        """
        make_folder(self._folder)
        lock = FileLock(self._folder / LOCK)
        try:
            lock.acquire(timeout=PATIENCE)
        except Timeout:
            raise CellspanError("Another engine is changing this image; try again.", "busy") from None
        except (OSError, NotImplementedError):
            yield
            return
        try:
            yield
        finally:
            lock.release()

    def forget(self) -> None:
        """Let the labels go from memory, or because the results of the run are new."""
        self._labels = None

    def judge(self, verdict: Verdict) -> None:
        """Accept or reject; a new revision, so that of two people who judge the second one sees the first verdict."""
        self._write(replace(self.state, verdict=verdict))

    def bump(self) -> None:
        """The results of the run are new."""
        self._labels = None
        self._write(self.state)

    def keep_to_these(self) -> None:
        """The person has been told of the run's new results, and these labels stay."""
        self._write(replace(self.state, run=self._run()))

    def change(
        self,
        labels: Labels,
        kind: Kind,
        changed: tuple[int, ...] = (),
        made: Mapping[str, Any] | None = None,
        quality: Quality | None = None,
    ) -> None:
        """Make these the labels; other thresholds after other thresholds are one step."""
        before, old_quality = self.labels()
        state = self.state
        steps = list(state.done)
        if kind == "thresholds" and steps and steps[-1].kind == "thresholds":
            before = before.copy()
            _apply(before, self._folder / steps.pop().file, "before")
        first = not (self._folder / BASE).is_file()
        self._keep_base()
        run = self._run() if kind == "segment" or first else state.run
        step = Step(f"step-{state.revision + 1:06d}.npz", kind, changed, made)
        _save_step(self._folder / step.file, before, labels, quality)
        steps.append(step)
        self._write(replace(state, position=len(steps), steps=tuple(steps), run=run))
        self._labels = labels
        self._quality = old_quality.without(changed) if quality is None else quality
        self._fold()
        self._remove_unused()

    def move(self, by: Literal[-1, 1]) -> None:
        """Undo or redo a step; raises CellspanError if there is none."""
        state = self.state
        if not 0 <= state.position + by <= len(state.steps):
            raise CellspanError("There is nothing to undo." if by < 0 else "There is nothing to redo.", "no_step")
        labels, _ = self.labels()
        labels = labels.copy()
        step = state.steps[state.position - 1] if by < 0 else state.steps[state.position]
        _apply(labels, self._folder / step.file, "before" if by < 0 else "after")
        self._write(replace(state, position=state.position + by))
        self._labels, self._quality = labels, self._known()

    def made(self) -> Mapping[str, Any] | None:
        """How the labels were segmented, if that was done from the page; None if they are those of the run."""
        return next((step.made for step in reversed(self.state.done) if step.made is not None), None)

    # ---- the base

    def _base(self) -> tuple[Labels, Quality]:
        path = self._folder / BASE
        if not path.is_file():
            return self._found()
        with np.load(path, allow_pickle=False) as file:
            return file["labels"].astype(np.int32), _quality_in(file) or Quality()

    def _keep_base(self) -> None:
        """Keep the labels of the run, which another run may replace."""
        path = self._folder / BASE
        if not path.is_file():
            make_folder(self._folder)
            labels, quality = self._found()
            _write_arrays(path, labels=_small(labels), quality=quality.stacked)

    def _fold(self) -> None:
        """Beyond what can be undone, the oldest steps become part of the base."""
        surplus = len(self._state.steps) - MOST_STEPS
        if surplus <= 0:
            return
        labels, quality = self._base()
        labels = labels.copy()
        for step in self._state.steps[:surplus]:
            _apply(labels, self._folder / step.file, "after")
            quality = self._quality_after(quality, step)
        # A crash in between repeats these steps, which changes nothing: each sets what is there anyway.
        _write_arrays(self._folder / BASE, labels=_small(labels), quality=quality.stacked)
        rest = self._state.steps[surplus:]
        self._write(replace(self._state, steps=rest, position=len(rest)), keep=True)

    def _known(self) -> Quality:
        quality = self._base()[1] if not any(step.made for step in self._state.done) else Quality()
        for step in self._state.done:
            quality = self._quality_after(quality, step)
        return quality

    def _quality_after(self, quality: Quality, step: Step) -> Quality:
        if step.kind == "edit":
            return quality.without(step.changed)
        with np.load(self._folder / step.file, allow_pickle=False) as file:
            return _quality_in(file) or Quality()

    # ---- files

    def _write(self, state: State, keep: bool = False) -> None:
        """Write the state with the next revision, or only `keep` it with the same."""
        state = replace(state, revision=state.revision + (not keep), about=self._about)
        make_folder(self._folder)
        write_json(self._folder / STATE, _as_json(state))
        self._state, self._read = state, state_of_file(self._folder / STATE)

    def _remove_unused(self) -> None:
        used = {step.file for step in self._state.steps}
        for path in self._folder.glob("step-*.npz"):
            if path.name not in used:
                path.unlink(missing_ok=True)


def _read_state(path: Path) -> State:
    """Raises CellspanError that names the file if it is damaged."""
    try:
        found = json.loads(path.read_bytes())
        steps = tuple(Step(str(one["file"]), one["kind"], tuple(one["changed"]), one["made"]) for one in found["steps"])
        state = State(int(found["revision"]), found["verdict"], int(found["position"]), steps, found["about"])
        state = replace(state, run=found.get("run"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CellspanError(
            f"{path}: the corrections of this image cannot be read ({type(error).__name__}); move the folder "
            f"{path.parent.name} away to begin anew."
        ) from None
    return state


def _as_json(state: State) -> dict[str, Any]:
    steps = [
        {"file": step.file, "kind": step.kind, "changed": list(step.changed), "made": step.made} for step in state.steps
    ]
    return {
        "about": dict(state.about),
        "revision": state.revision,
        "verdict": state.verdict,
        "position": state.position,
        "run": state.run,
        "steps": steps,
    }


def _save_step(path: Path, before: Labels, after: Labels, quality: Quality | None) -> None:
    """The part that changed, as it was and as it is."""
    box = _changed_box(before, after)
    origin = np.array([part.start for part in box], np.int64)
    more = {} if quality is None else {"quality": quality.stacked}
    _write_arrays(path, origin=origin, before=_small(before[box]), after=_small(after[box]), **more)


def _changed_box(before: Labels, after: Labels) -> tuple[slice, ...]:
    different = before != after
    box = []
    for axis in range(before.ndim):
        others = tuple(other for other in range(before.ndim) if other != axis)
        places = np.flatnonzero(different.any(axis=others))
        box.append(slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0))
    return tuple(box)


def _apply(labels: Labels, path: Path, which: Literal["before", "after"]) -> None:
    """Raises CellspanError that names the file if it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            origin, part = file["origin"], file[which]
        box = tuple(slice(int(first), int(first) + n) for first, n in zip(origin, part.shape, strict=True))
        labels[box] = part
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CellspanError(f"{path}: this correction cannot be read ({type(error).__name__}).") from None


def _small(labels: Labels) -> NDArray[Any]:
    return labels.astype(file_type(int(labels.max(initial=0))))


def _quality_in(file: Any) -> Quality | None:
    if "quality" not in file.files:
        return None
    probability, flow_error = file["quality"]
    return Quality(probability, flow_error)


def _write_arrays(path: Path, **arrays: NDArray[Any]) -> None:
    """As np.savez_compressed, but five times as fast."""

    def write(part: Path) -> None:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=FAST) as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w") as file:
                    np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)

    write_atomically(path, write)
