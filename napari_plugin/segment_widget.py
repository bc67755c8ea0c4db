"""The widget *Segment cells*: image layers in, a layer of labels out, whose outlines follow the thresholds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import napari
import numpy as np
from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FloatSlider,
    FloatSpinBox,
    Label,
    ProgressBar,
    PushButton,
    SpinBox,
    create_widget,
)
from napari.layers import Image, Labels, Shapes
from napari.utils.notifications import show_error, show_info, show_warning

from cellspan.core.models.partners import OFFERED
from cellspan.core.service.client import EngineError, EngineForgot, EngineResult
from cellspan.napari_plugin.aside import Aside
from cellspan.napari_plugin.engine import engine, model_names
from cellspan.napari_plugin.files import FILE
from cellspan.napari_plugin.found import Found, features_of
from cellspan.napari_plugin.stacks import JOINED, PLANE, VOLUME, WAYS, Stack, anisotropy_of, stack_of

MODELS = ["cyto", "nuclei"]  # until the engine has told all of them
LINE = "typical cell"  # the layer in which a line measures the diameter
AS_IT_IS = "No"
OF, CORRECTED = "cellspan image", "corrected"  # in the metadata of layers of labels
JOIN_OVERLAP = 0.25  # overlap at which objects in neighbouring slices are one
Told = Callable[[float, str], None]


class Stopped(Exception):
    """The user pressed Cancel."""


@dataclass
class _Seen:
    """The plane whose network outputs the engine keeps, for other thresholds."""

    kept: EngineResult
    layer: Labels
    where: tuple[int, ...]


@dataclass
class _Task:
    """What is to be segmented, read from the window before the work begins."""

    stack: Stack
    parameters: dict[str, Any]
    way: str
    place: tuple[int, ...]  # on show
    parts: list[Found] = field(default_factory=list)

    def run(self, tell: Told) -> EngineResult | None:
        """Fill `parts`; the result of the only plane, whose outputs the engine keeps. Raises EngineError."""
        if self.way == PLANE:
            where, pixels = self.stack.plane(self.place)
            result = engine().segment(pixels, self.parameters, tell, ("objects",), keep=True)
            self.parts.append(Found.of(result, where))
            return result
        is_volume = self.way in (VOLUME, JOINED)
        pieces = list(self.stack.volumes() if is_volume else self.stack.planes())
        for number, (where, pixels) in enumerate(pieces):

            def tell_part(part: float, words: str, number: int = number) -> None:
                tell(
                    (number + part) / len(pieces),
                    words if len(pieces) == 1 else f"{number + 1} of {len(pieces)}: {words}",
                )

            result = engine().segment(pixels, self.parameters, tell_part, ("objects",))
            self.parts.append(Found.of(result, where))
        return None


class SegmentWidget(Container[Any]):
    """Finds cells in an image layer; while a single plane is shown, its labels follow the thresholds."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        """A form beside the viewer."""
        self._viewer = napari_viewer  # napari gives it to a parameter of this name
        self._seen: _Seen | None = None
        self._aside: Aside[Any] | None = None
        self._is_due = False  # the thresholds were moved while the engine was at work
        self._is_stopped = False
        self._told = (0.0, "")  # by the thread that works; the window looks at it from time to time
        self._make()
        super().__init__(widgets=self._form(), labels=True)
        self._connect()

    def _make(self) -> None:
        self.image: Any = create_widget(annotation=Image, label="Image")
        self.nuclei: Any = create_widget(
            annotation=Image | None, label="Nuclei (helps)", options={"nullable": True, "value": None}
        )
        self.model = ComboBox(label="Model", choices=MODELS, value="cyto")
        self.diameter = FloatSpinBox(
            label="Diameter (pixels)", min=0, max=4000, step=1, value=0, tooltip="Of a typical object; 0 = estimate."
        )
        self.measure = PushButton(text="Measure: draw a line across a cell")
        self.restore = ComboBox(
            label="Restore the image first",
            choices=[AS_IT_IS, *OFFERED],
            value=AS_IT_IS,
            tooltip="A network of Cellpose 3 takes noise, blur or coarse pixels away before objects are looked for; "
            "give the diameter, too. In a terminal, cellspan models fetch denoise_cyto3 downloads the model.",
        )
        self.way = ComboBox(label="Segment", choices=list(WAYS), value=PLANE)
        self.flow_threshold = FloatSlider(
            label="Flow threshold", min=0, max=3, value=0.4, tooltip="Raise it if cells are missing; 0 = keep all."
        )
        self.cellprob_threshold = FloatSlider(
            label="Probability threshold", min=-6, max=6, value=0, tooltip="Lower it for fainter and larger cells."
        )
        self.min_size = SpinBox(label="Smallest size (pixels)", min=0, max=100_000, value=15)
        self.exclude_on_edges = CheckBox(text="Discard objects touching the border")
        self.invert = CheckBox(text="Objects are dark")
        self.run = PushButton(text="Segment")
        self.cancel = PushButton(text="Cancel", enabled=False)
        self.progress = ProgressBar(min=0, max=100, value=0, visible=False)
        self.words = Label(value="")

    def _form(self) -> list[Any]:
        choices = [self.image, self.nuclei, self.model, self.diameter, self.measure, self.restore, self.way]
        thresholds = [self.flow_threshold, self.cellprob_threshold, self.min_size, self.exclude_on_edges, self.invert]
        return [*choices, *thresholds, self.run, self.cancel, self.progress, self.words]

    def _connect(self) -> None:
        self.run.changed.connect(self.segment)
        self.cancel.changed.connect(self.stop)
        self.measure.changed.connect(self._draw_line)
        for followed in (self.flow_threshold, self.cellprob_threshold, self.min_size, self.exclude_on_edges):
            followed.changed.connect(self.follow)
        self._asking = Aside(lambda: (model_names(), model_names(restore=True)), self._offer)

    # ---- what the user does

    def segment(self) -> None:
        """Segment what is chosen; the labels come into a layer of their own."""
        layer = self.image.value
        if self._aside is not None:
            return
        if layer is None:
            show_warning("Open an image first, for example by dropping a file onto the viewer.")
            return
        try:
            task = self._task(layer)
        except ValueError as error:
            show_error(str(error))
            return
        self._start(lambda: task.run(self._tell), lambda kept: self._add(layer, task, kept))

    def follow(self) -> None:
        """Other thresholds for the plane that was segmented last, without running the network again."""
        if self._seen is None or self._seen.layer not in self._viewer.layers:
            return
        if _is_corrected(self._seen.layer):
            self.words.value = "You have corrected these labels, so they stay. Segment makes a new layer."
            return
        if self._aside is not None:
            self._is_due = True
            return
        seen = self._seen
        changes = self._thresholds()
        self._start(
            lambda: engine().again(seen.kept, changes, self._tell, ("objects",)),
            lambda result: self._replace(seen, Found.of(result, seen.where)),
        )

    def stop(self) -> None:
        """Take the image back from the engine."""
        self._is_stopped = True

    # ---- the work in its own thread

    def _start(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self._is_stopped, self._told = False, (0.0, "")
        self.cancel.enabled, self.run.enabled = True, False
        self.progress.visible = True

        def ended(outcome: Any) -> None:
            self._aside = None
            self.cancel.enabled, self.run.enabled = False, True
            self.progress.visible = False
            if isinstance(outcome, BaseException):
                self._failed(outcome)
            else:
                done(outcome)
            if self._is_due:
                self._is_due = False
                self.follow()

        self._aside = Aside(work, ended, self._show)

    def _tell(self, fraction: float, words: str) -> None:
        """Called by the engine's client in the thread that works."""
        if self._is_stopped:
            raise Stopped  # the client then takes the image back from the engine
        self._told = (fraction, words)

    def _show(self) -> None:
        fraction, self.words.value = self._told
        self.progress.value = int(100 * fraction)

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, Stopped):
            self.words.value = "Cancelled."
        elif isinstance(error, EngineForgot):
            self._seen = None
            self.words.value = "The engine no longer has this image; press Segment."
        else:
            self.words.value = ""
            show_error(str(error) if isinstance(error, EngineError) else f"{type(error).__name__}: {error}")

    # ---- the window and the layers

    def _task(self, layer: Image) -> _Task:
        """Raises ValueError with a sentence."""
        nuclei = self.nuclei.value
        stack = stack_of(
            layer.data, None if nuclei is None else nuclei.data, layer.rgb, nuclei is not None and nuclei.rgb
        )
        way = self.way.value
        if way in (VOLUME, JOINED) and len(stack.shape) < 3:
            raise ValueError(f"{layer.name} is a single plane; choose '{PLANE}'.")
        depth = {}
        if way in (VOLUME, JOINED):
            depth = {"anisotropy": anisotropy_of(layer.scale)}
            depth |= {"do_3d": True} if way == VOLUME else {"stitch_threshold": JOIN_OVERLAP}
        parameters = {
            "model": self.model.value,
            "diameter": self.diameter.value or None,
            "restore": None if self.restore.value == AS_IT_IS else self.restore.value,
            "invert": self.invert.value,
            **self._thresholds(),
            **stack.options,
            **depth,
        }
        place = layer.world_to_data(self._viewer.dims.point)
        return _Task(stack, parameters, way, tuple(round(float(step)) for step in place))

    def _thresholds(self) -> dict[str, Any]:
        return {
            "flow_threshold": self.flow_threshold.value,
            "cellprob_threshold": self.cellprob_threshold.value,
            "min_size": self.min_size.value,
            "exclude_on_edges": self.exclude_on_edges.value,
        }

    def _add(self, image: Image, task: _Task, kept: EngineResult | None) -> None:
        """The labels as a layer over the image; those of an earlier run are replaced, unless they were corrected."""
        name, shape = f"{image.name} objects", task.stack.shape
        earlier = [
            layer for layer in self._viewer.layers if isinstance(layer, Labels) and layer.metadata.get(OF) == name
        ]
        layer = earlier[-1] if earlier else None
        if layer is None or _is_corrected(layer) or layer.data.shape != shape:
            scale, translate = image.scale[-len(shape) :], image.translate[-len(shape) :]
            layer = self._viewer.add_labels(np.zeros(shape, np.int32), name=name, scale=scale, translate=translate)
            layer.metadata[OF] = name
            layer.events.paint.connect(partial(_note_correction, layer))
        elif task.way != PLANE:
            layer.data[...] = 0
        for part in task.parts:
            layer.data[part.where] = part.labels
        layer.features = features_of(task.parts)
        layer.metadata[FILE] = image.source.path
        layer.metadata["cellspan"] = {**task.parameters, "diameter": task.parts[0].diameter}
        layer.refresh()
        self._seen = None if kept is None else _Seen(kept, layer, task.parts[0].where)
        self._tell_found(task.parts)

    def _replace(self, seen: _Seen, found: Found) -> None:
        seen.layer.data[seen.where] = found.labels
        seen.layer.features = features_of([found])
        seen.layer.refresh()
        self._tell_found([found])

    def _tell_found(self, parts: list[Found]) -> None:
        count, first = sum(part.count for part in parts), parts[0]
        self.words.value = f"{count} objects, diameter {first.diameter:.1f} pixels, {first.model}"
        for note in dict.fromkeys(note for part in parts for note in part.notes):
            show_info(note)
        if count == 0:
            show_warning(
                "No objects were found. Enter the diameter, lower the probability threshold, or try another model."
            )

    def _offer(self, told: tuple[list[str], list[str]] | BaseException) -> None:
        if isinstance(told, BaseException):
            self.words.value = str(told)
            return
        (names, restoring), chosen = told, self.model.value
        self.model.choices = names
        self.model.value = chosen if chosen in names else names[0]
        chosen = self.restore.value
        self.restore.choices = [AS_IT_IS, *dict.fromkeys([*OFFERED, *restoring])]
        self.restore.value = chosen

    def _draw_line(self) -> None:
        """A layer in which the length of the last line becomes the diameter."""
        image = self.image.value
        if image is None:
            show_warning("Open an image first, for example by dropping a file onto the viewer.")
            return
        if LINE not in self._viewer.layers:
            scale, translate = image.scale[-2:], image.translate[-2:]
            lines = self._viewer.add_shapes(ndim=2, name=LINE, scale=scale, translate=translate, edge_color="yellow")
            lines.events.data.connect(lambda: self._take_length(lines))
        lines = self._viewer.layers[LINE]
        self._viewer.layers.selection.active = lines
        lines.mode = "add_line"

    def _take_length(self, lines: Shapes) -> None:
        if len(lines.data):
            first, last = lines.data[-1][0], lines.data[-1][-1]
            length = float(np.linalg.norm(np.asarray(last) - np.asarray(first)))
            if length >= 1:
                self.diameter.value = round(length, 1)


def _note_correction(layer: Labels, event: Any = None) -> None:
    """The user has painted, erased or filled: this work is not to be lost."""
    layer.metadata[CORRECTED] = True


def _is_corrected(layer: Labels) -> bool:
    return bool(layer.metadata.get(CORRECTED))
