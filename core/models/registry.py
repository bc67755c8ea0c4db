"""Finds models by name, and lists them.

A name refers, in this order, to the user's own model, a bundled model, or a checkpoint in Cellpose's folder.
`cellpose/<name>` always refers to the last, and any model can be given by the path of its folder or checkpoint.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path

from cellspan.core.errors import CellspanError
from cellspan.core.files.hashing import sha256_of
from cellspan.core.files.regular import exists, is_folder, is_regular, readable
from cellspan.core.machine.memory import in_words
from cellspan.core.models.cellpose import examine, load_checkpoint
from cellspan.core.models.description import (
    DESCRIPTION,
    WEIGHTS,
    Model,
    ModelDescription,
    SizeModel,
    load_model,
)
from cellspan.core.models.kinds import KINDS, Kind
from cellspan.core.models.official import ELSEWHERE, FILE_OF, NAME_OF, OFFICIAL
from cellspan.core.models.torch_file import is_torch_file

__all__ = [
    "BUNDLED",
    "DESCRIPTION",
    "WEIGHTS",
    "ListedModel",
    "Model",
    "ModelDescription",
    "SizeModel",
    "cellpose_folder",
    "find_model",
    "is_plain_name",
    "known_models",
    "list_models",
    "load_model",
    "origin_of",
    "sha256_of",
    "user_models",
]

BUNDLED = Path(__file__).parent / "bundled"
LONGEST_NAME = 255  # bytes of a file name, on all common file systems
SHOWN = 80  # characters of a wrong name to show in a message
CELLPOSE = "cellpose/"  # prefix for a model in Cellpose's folder


@dataclass(frozen=True)
class ListedModel:
    """A model in a list; only its description was read."""

    name: str
    origin: str
    file: Path  # the weights file or, if unusable, the file in its place
    objects: str = ""
    mean_diameter: float = 0.0  # pixels
    estimates_diameters: bool = False
    kind: Kind = KINDS["flow-cnn"]
    problem: str = ""  # why it cannot be used, if so

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.file.stat().st_size if self.file.exists() else 0

    @property
    def about(self) -> str:
        """What it finds, its network and size, and whether a graphics card is advised, in words for lists.

        What it finds comes first, because a dialog may cut the rest off, and because it is what people choose by.
        """
        finds = f"{self.objects}; " if self.objects else ""
        advice = ", graphics card advised" if self.kind.wants_graphics_card else ""
        return f"{finds}{self.kind.network}, {in_words(self.size)}{advice}"


def user_models() -> Path:
    """The folder of imported models."""
    return user_data_path("cellspan", appauthor=False) / "models"


def cellpose_folder() -> Path:
    """Cellpose's folder of models for this user."""
    named = os.environ.get("CELLPOSE_LOCAL_MODELS_PATH")
    return Path(named).expanduser() if named else Path.home() / ".cellpose" / "models"


def origin_of(model: Model) -> str:
    """The origin of a model, in a word or two."""
    places = {BUNDLED: "bundled", user_models(): "your own"}
    return places.get(model.folder.parent) or ("Cellpose" if model.folder == cellpose_folder() else "path")


def known_models() -> list[ListedModel]:
    """Bundled models, the user's own, and those in Cellpose's folder, each alphabetically; weights are not read."""
    models: dict[str, ListedModel] = {}
    for root, origin in ((BUNDLED, "bundled"), (user_models(), "your own")):
        for path in sorted(root.glob(f"*/{DESCRIPTION}")):
            models[path.parent.name] = _listed(path.parent, origin)
    for file in _cellpose_files():
        listed = _listed_checkpoint(file)
        models.setdefault(listed.name, listed)
    return list(models.values())


def list_models() -> list[Model]:
    """The models that can be used; `known_models` says what is wrong with the others."""
    models = []
    for item in known_models():
        # A damaged size model shows up only here, and must not prevent listing the others.
        with contextlib.suppress(CellspanError):
            models.append(find_model(item.name))
    return models


def _listed(folder: Path, origin: str) -> ListedModel:
    file = folder / WEIGHTS
    try:
        about = load_model(folder).description
    except CellspanError as error:
        return ListedModel(folder.name, origin, file, problem=str(error))
    sizes = about.size_model is not None
    return ListedModel(folder.name, origin, file, about.objects, about.mean_diameter, sizes, kind=about.rules)


def _listed_checkpoint(file: Path) -> ListedModel:
    name = _cellpose_name(file)
    try:
        found = examine(file)
    except CellspanError as error:
        return ListedModel(name, "Cellpose", file, problem=str(error))
    sizes = found.size_file is not None
    return ListedModel(name, "Cellpose", file, found.objects, found.mean_diameter, sizes, kind=found.kind)


def _cellpose_files() -> Iterator[Path]:
    """Checkpoints of any version, without size models and lists of names."""
    try:
        files = sorted(path for path in cellpose_folder().iterdir() if is_regular(path) and path.name[0] != ".")
    except OSError:  # no such folder, or no permission
        return
    # Names that are not valid text cannot be sent to the engine; import such a checkpoint by its path.
    yield from (file for file in files if readable(file.name) == file.name and is_torch_file(file))


def _cellpose_name(file: Path) -> str:
    """The shortest name for this file."""
    name = NAME_OF.get(file.name, file.name)
    return name if _own_folder(name) is None else CELLPOSE + name


def _own_folder(name: str) -> Path | None:
    """The folder of the user's own or bundled model with this name."""
    if not is_plain_name(name):
        return None
    folders = (root / name for root in (user_models(), BUNDLED))
    return next((folder for folder in folders if is_regular(folder / DESCRIPTION)), None)


def _cellpose_file(name: str) -> Path | None:
    """The file in Cellpose's folder for a name with or without cellpose/."""
    name = name.removeprefix(CELLPOSE)
    if not is_plain_name(name):
        return None
    candidates = (cellpose_folder() / file for file in (FILE_OF.get(name, name), name))
    return next((file for file in candidates if is_regular(file)), None)


def is_plain_name(name: str) -> bool:
    """Whether a model can have this name, which is also the name of its folder."""
    short = len(readable(name).encode()) <= LONGEST_NAME
    return (
        bool(name)
        and short
        and readable(name) == name
        and "\0" not in name
        and Path(name).name == name
        and not name.startswith(".")
    )


def shown(name: str) -> str:
    """A name for a message: shortened, and without control characters."""
    printable = name if name.isprintable() else ascii(name)[1:-1]
    return printable if len(printable) <= SHOWN else f"{printable[:SHOWN]}..."


def find_model(name: str) -> Model:
    """A model by name, or by the path of its folder or checkpoint; raises CellspanError that lists the names."""
    if folder := _own_folder(name):
        return load_model(folder)
    if file := _cellpose_file(name):
        return load_checkpoint(file, _cellpose_name(file))
    # Paths cannot contain NUL, on which expanduser fails.
    path = Path() if "\0" in name or not name else Path(os.path.expanduser(name))
    if name and path.name == DESCRIPTION:
        path = path.parent
    if path != Path() and is_folder(path):
        return load_model(path)
    if path != Path() and is_regular(path):
        return load_checkpoint(path, readable(path.name))
    if path != Path() and exists(path):
        raise CellspanError(f"{shown(name)}: this is a pipe, a device or a socket, not a model.")
    names = ", ".join(item.name for item in known_models() if not item.problem) or "none"
    advice = "You can also give the path to a model folder or a Cellpose checkpoint."
    if (official := name.removeprefix(CELLPOSE)) in OFFICIAL:
        advice = f"To download Cellpose's model, run: cellspan models fetch {official}"
    elif official in ELSEWHERE:
        advice = f"Cellpose's {official} cannot be used: {ELSEWHERE[official]}."
    raise CellspanError(f"There is no model '{shown(name)}'; the available models are: {names}. {advice}")
