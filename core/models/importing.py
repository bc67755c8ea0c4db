"""Imports models into the user's folder, and exports them as torch checkpoints."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from safetensors.numpy import save

from cellspan.core.errors import CellspanError
from cellspan.core.files.hashing import sha256_of
from cellspan.core.files.regular import exists, is_folder, is_regular, readable
from cellspan.core.files.writing import make_folder, write_json
from cellspan.core.models.cellpose import examine, read_checkpoint
from cellspan.core.models.description import (
    DESCRIPTION,
    LARGEST_MEAN,
    SMALLEST_MEAN,
    WEIGHTS,
    Model,
    ModelDescription,
    load_model,
)
from cellspan.core.models.package_reading import Package, is_package, open_package
from cellspan.core.models.registry import BUNDLED, is_plain_name, shown, user_models
from cellspan.core.models.torch_file import write_torch_file


def import_model(source: Path, name: str | None = None, mean_diameter: float | None = None) -> Model:
    """Copy a cellspan model folder, or convert a Cellpose checkpoint or a bioimage.io package, into the user's models.

    `name` defaults to the file's. `mean_diameter` in pixels replaces what a checkpoint says. Raises CellspanError with
    the reason if the file cannot be used or the name is taken.
    """
    if mean_diameter is not None and not SMALLEST_MEAN <= mean_diameter <= LARGEST_MEAN:
        raise CellspanError(
            f"mean diameter = {mean_diameter:g} pixels is not possible; give a value from {SMALLEST_MEAN:g} to "
            f"{LARGEST_MEAN:g}."
        )
    if "\0" in str(source) or not exists(source := source.expanduser()):
        raise CellspanError(f"{shown(str(source))}: there is no such file or folder.")
    name = name or source.stem
    target = user_models() / name
    require_free_name(name)
    if not is_folder(source) and not is_regular(source):
        raise CellspanError(f"{source}: this is a pipe, a device or a socket, not a model.")
    if is_folder(source) and mean_diameter is not None and not is_package(source):
        raise CellspanError(f"{source}: a cellspan model already has a mean diameter; leave out --mean-diameter.")
    make_folder(target.parent)
    try:
        _fill(source, target, name, mean_diameter)
    except MemoryError:
        raise CellspanError(f"{source}: the model does not fit into the free memory.") from None
    except OSError as error:
        raise CellspanError(f"{source}: the model cannot be copied to {target} ({error.strerror or error}).") from None
    return load_model(target)


def _fill(source: Path, target: Path, name: str, mean_diameter: float | None) -> None:
    # Filled under a temporary name and renamed, so that no incomplete model is found.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".importing-") as folder:
        new = Path(folder) / name
        if is_package(source):
            new.mkdir()
            with open_package(source) as package:
                description = _from_package(package, readable(source.name), new, name, mean_diameter)
        elif is_folder(source):
            load_model(source).weights()  # refuses a damaged one
            shutil.copytree(source, new, ignore=shutil.ignore_patterns("training"))
            description = load_model(new).description.model_copy(update={"name": name})
        else:
            new.mkdir()
            description = _convert(source, new, name, mean_diameter)
        write_json(new / DESCRIPTION, description.model_dump(mode="json"))
        os.replace(new, target)


def require_free_name(name: str) -> None:
    """Raise CellspanError if a new model cannot have this name, because it is taken or invalid."""
    if not is_plain_name(name):
        raise CellspanError(f"'{shown(name)}' is not a valid model name; use letters, digits, - and _.")
    if exists(BUNDLED / name) or exists(user_models() / name):
        raise CellspanError(f"A model named '{name}' already exists; choose another name.")


def _convert(source: Path, folder: Path, name: str, mean_diameter: float | None) -> ModelDescription:
    checkpoint = examine(source)
    state = read_checkpoint(source)
    if mean_diameter:
        state["diam_mean"] = np.array([mean_diameter], np.float32)
    # Not with safetensors' own file writer, which makes the file readable only by its owner.
    (folder / WEIGHTS).write_bytes(save({key: np.asarray(value, order="C") for key, value in state.items()}))
    return checkpoint.described(
        name=name,
        mean_diameter=mean_diameter or checkpoint.mean_diameter,
        weights_sha256=sha256_of(folder / WEIGHTS),
        source_sha256=sha256_of(source),
        training={"imported_from": readable(source.name)},
    )


def _from_package(
    package: Package, origin: str, folder: Path, name: str, mean_diameter: float | None
) -> ModelDescription:
    """The checkpoint in a package, with what the package says of it."""
    try:
        description = _convert(package.checkpoint, folder, name, mean_diameter)
    except CellspanError as error:  # whose file is a temporary one
        raise CellspanError(f"{origin}: {str(error).removeprefix(f'{package.checkpoint.parent}{os.sep}')}") from None
    notes = {"imported_from": origin, "package": package.about}
    try:
        own = ModelDescription.model_validate(package.own)
    except ValidationError:  # it was written by another program
        return description.model_copy(update={"training": notes})
    if own.layout != description.layout or own.kind != description.kind:
        return description.model_copy(update={"training": notes})
    kept = {"objects", "size_model", "usual_diameter", "scores", "limits"}
    if math.isclose(own.mean_diameter, description.mean_diameter, rel_tol=1e-6):  # weights have fewer digits
        kept.add("mean_diameter")
    return description.model_copy(
        update={**{key: getattr(own, key) for key in kept}, "training": {**own.training, **notes}}
    )


def export_checkpoint(model: Model, path: Path) -> None:
    """Write a model's weights as a torch state_dict; raises CellspanError."""
    try:
        import torch
    except ModuleNotFoundError:
        raise CellspanError('Writing a torch checkpoint needs torch; run: pip install "cellspan[gpu]"') from None
    state = {name: torch.from_numpy(array.copy()) for name, array in model.weights().items()}
    write_torch_file(path, state)
