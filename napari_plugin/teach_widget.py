"""The widget *Teach a model*: corrected labels become training pairs, and from them a model for every program."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import napari
from magicgui.types import FileDialogMode
from magicgui.widgets import (
    ComboBox,
    Container,
    FileEdit,
    FloatSpinBox,
    Label,
    LineEdit,
    ProgressBar,
    PushButton,
    create_widget,
)
from napari.layers import Image, Labels
from napari.utils.notifications import show_error, show_info, show_warning
from platformdirs import user_documents_path
from qtpy.QtCore import QTimer

from cellspan.napari_plugin.aside import Aside
from cellspan.napari_plugin.engine import COMMAND, model_names
from cellspan.napari_plugin.pairs import write_pairs
from cellspan.napari_plugin.segment_widget import MODELS
from cellspan.napari_plugin.stacks import stack_of

TICK = 500  # milliseconds between two looks at the training
LOG = "training.log"


class TeachWidget(Container[Any]):
    """Collects corrected images in a folder and trains a model with them by `cellspan train`."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        """A form beside the viewer."""
        self._viewer = napari_viewer  # napari gives it to a parameter of this name
        self._training: subprocess.Popen[bytes] | None = None
        self._seconds = 0.0
        self.image: Any = create_widget(annotation=Image, label="Image")
        self.nuclei: Any = create_widget(
            annotation=Image | None, label="Nuclei (helps)", options={"nullable": True, "value": None}
        )
        self.labels_layer: Any = create_widget(annotation=Labels, label="Corrected labels")
        self.folder = FileEdit(
            label="Folder of corrected images",
            mode=FileDialogMode.EXISTING_DIRECTORY,
            value=user_documents_path() / "cellspan" / "corrected",
        )
        self.add = PushButton(text="Add this image")
        self.start_model = ComboBox(label="Start from", choices=MODELS, value="cyto")
        self.new_name = LineEdit(label="New model", value="my_cells")
        self.minutes = FloatSpinBox(label="Minutes", min=0.1, max=10_000, step=1, value=10)
        self.train = PushButton(text="Train")
        self.cancel = PushButton(text="Stop training", enabled=False)
        self.progress = ProgressBar(min=0, max=100, value=0, visible=False)
        self.words = Label(value="")
        form = [self.image, self.nuclei, self.labels_layer, self.folder, self.add, self.start_model, self.new_name]
        super().__init__(widgets=[*form, self.minutes, self.train, self.cancel, self.progress, self.words], labels=True)
        self.add.changed.connect(self.add_image)
        self.train.changed.connect(self.start_training)
        self.cancel.changed.connect(self.stop_training)
        self._timer = QTimer()
        self._timer.timeout.connect(self._look)
        self._asking = Aside(model_names, self._offer)

    def add_image(self) -> None:
        """Write the image and its corrected labels as a training pair."""
        image, labels, nuclei = self.image.value, self.labels_layer.value, self.nuclei.value
        if image is None or labels is None:
            show_warning("Select an image and its labels; 'Segment cells' makes labels that you can correct.")
            return
        try:
            stack = stack_of(
                image.data, None if nuclei is None else nuclei.data, image.rgb, nuclei is not None and nuclei.rgb
            )
            written = write_pairs(stack, labels.data, image.name, self._corrected)
        except (ValueError, OSError) as error:
            show_error(str(error))
            return
        if not written:
            show_warning(f"{labels.name} is empty; correct or draw objects first.")
            return
        self.words.value = f"{len(written)} image(s) added; {self._count()} in the folder"

    def start_training(self) -> None:
        """Train in a process of its own, which goes on while the viewer is used."""
        folder, name = self._corrected, self.new_name.value.strip()
        if self._training is not None:
            return
        if not self._count():
            show_warning("Add at least one corrected image first.")
            return
        if not name:
            show_warning("Enter a name for the new model.")
            return
        minutes = self.minutes.value
        options = ["--from", self.start_model.value, "--minutes", f"{minutes:g}", "--register", name]
        command = [*COMMAND, "train", str(folder), "--out", str(folder.parent / "models" / name), *options]
        with (folder / LOG).open("wb") as log:
            self._training = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        self._seconds, self.progress.value, self.progress.visible = 0.0, 0, True
        self.train.enabled, self.cancel.enabled = False, True
        self._timer.start(TICK)

    def stop_training(self) -> None:
        """End the training; what it has learnt stays in its folder."""
        if self._training is not None:
            self._training.terminate()

    def _look(self) -> None:
        """What the training says, and whether it has ended."""
        training = self._training
        if training is None:
            return
        self._seconds += TICK / 1000
        self.progress.value = min(99, int(100 * self._seconds / (60 * self.minutes.value)))
        lines = (self._corrected / LOG).read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        self.words.value = last[-120:]
        if training.poll() is None:
            return
        self._timer.stop()
        self._training = None
        self.train.enabled, self.cancel.enabled, self.progress.visible = True, False, False
        if training.returncode == 0:
            show_info(f"The model {self.new_name.value.strip()} is ready, here and in every other program.")
        elif training.returncode > 0:
            show_error(last)
        else:
            self.words.value = "The training was stopped."

    @property
    def _corrected(self) -> Path:
        return Path(str(self.folder.value))

    def _count(self) -> int:
        folder = self._corrected
        return len(list(folder.glob("*_img.tif"))) if folder.is_dir() else 0

    def _offer(self, names: list[str] | BaseException) -> None:
        if isinstance(names, BaseException):
            self.words.value = str(names)
            return
        chosen = self.start_model.value
        self.start_model.choices = names
        self.start_model.value = chosen if chosen in names else names[0]
