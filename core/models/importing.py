"""Official Cellpose 1 to 3 checkpoints become models of cellspan, without executing anything that they carry.

A checkpoint is a torch state_dict with widths such as (2, 32, 64, 128, 256); beside it may lie `size_<name>.npy`, the
regression from style to diameter.
"""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray
from safetensors.numpy import save_file

from cellspan.core.errors import CellspanError
from cellspan.core.files import make_folder, write_atomically, write_json
from cellspan.core.models.registry import (
    BUNDLED,
    DESCRIPTION,
    WEIGHTS,
    Model,
    ModelDescription,
    SizeModel,
    load_model,
    sha256_of,
    user_models,
)

NUCLEI_DIAMETER, CELL_DIAMETER = 17.0, 30.0  # pixels; what the checkpoints were trained at, where they do not say it
SMALLEST, LARGEST = 5.0, 2000.0  # pixels; Cellpose estimates no smaller ones and sets no upper limit
State = dict[str, NDArray[Any]]


def import_model(source: Path, name: str | None = None, mean_diameter: float | None = None) -> Model:
    """Copy a cellspan model folder, or convert a Cellpose 1 to 3 checkpoint, into the user's models.

    `name` defaults to the file's. `mean_diameter` in pixels replaces what the checkpoint says. Raises CellspanError
    with the reason if the file is no such checkpoint or the name is taken.
    """
    source = source.expanduser()
    name = name or source.stem
    target = user_models() / name
    _check_name(name, target)
    if not source.exists():
        raise CellspanError(f"{source}: there is no such file or folder.")
    make_folder(target.parent)
    # Filled under a temporary name and renamed, so that no half model is ever found.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".importing-") as folder:
        new = Path(folder) / name
        if source.is_dir():
            load_model(source).weights()  # refuses a damaged one
            shutil.copytree(source, new, ignore=shutil.ignore_patterns("training"))
            description = load_model(new).description.model_copy(update={"name": name})
        else:
            new.mkdir()
            description = _convert(source, new, name, mean_diameter)
        write_json(new / DESCRIPTION, description.model_dump(mode="json"))
        os.replace(new, target)
    return load_model(target)


def _check_name(name: str, target: Path) -> None:
    if not name or Path(name).name != name or name.startswith("."):
        raise CellspanError(f"'{name}' cannot be the name of a model; use letters, digits, - and _.")
    if (BUNDLED / name).exists() or target.exists():
        raise CellspanError(f"There is a model '{name}' already; choose another name with --name.")


def _convert(source: Path, folder: Path, name: str, mean_diameter: float | None) -> ModelDescription:
    state = read_checkpoint(source)
    usual = NUCLEI_DIAMETER if "nuclei" in source.name else CELL_DIAMETER
    diameter = mean_diameter or (float(state["diam_mean"][0]) if "diam_mean" in state else usual)
    for key in ("diam_mean", "diam_labels"):  # early checkpoints lack them
        state.setdefault(key, np.array([diameter], np.float32))
    widths = _checked_widths(source, state)
    save_file({key: np.asarray(value, order="C") for key, value in state.items()}, folder / WEIGHTS)
    size_file = _size_file(source)
    return ModelDescription(
        name=name,
        objects="nuclei" if "nuclei" in source.name else "cells",
        widths=widths,
        mean_diameter=diameter,
        size_model=read_size_model(size_file, widths[-1], diameter) if size_file else None,
        weights_sha256=sha256_of(folder / WEIGHTS),
        training={"imported_from": source.name, "source_sha256": sha256_of(source)},
    )


def read_checkpoint(path: Path) -> State:
    """The tensors of a torch file by name; nothing that the file carries is executed. Raises CellspanError."""
    try:
        import torch
    except ModuleNotFoundError:
        raise CellspanError('Reading a torch checkpoint needs torch; run: pip install "cellspan[gpu]"') from None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - torch raises anything on foreign files
        raise CellspanError(f"{path}: this is not a torch checkpoint of tensors ({type(error).__name__}).") from None
    if not isinstance(content, dict) or not content or not all(torch.is_tensor(value) for value in content.values()):
        raise CellspanError(f"{path}: this torch file holds no state_dict.")
    return {str(key).removeprefix("module."): value.numpy() for key, value in content.items()}


def export_checkpoint(model: Model, path: Path) -> None:
    """Write a model's weights as a torch state_dict; raises CellspanError."""
    try:
        import torch
    except ModuleNotFoundError:
        raise CellspanError('Writing a torch checkpoint needs torch; run: pip install "cellspan[gpu]"') from None
    state = {name: torch.from_numpy(array.copy()) for name, array in model.weights().items()}
    write_atomically(path, lambda part: torch.save(state, part))


def _checked_widths(path: Path, state: State) -> tuple[int, ...]:
    """The widths of the network, after comparing every name and shape."""
    from cellspan.core.network import FlowNetwork, widths_of

    if any(key.startswith(("encoder.", "neck.", "W2")) for key in state):
        raise CellspanError(f"{path}: this is a Cellpose 4 (SAM) checkpoint; cellspan reads those of Cellpose 1 to 3.")
    try:
        widths = widths_of(state)
        expected = FlowNetwork(widths).state_dict()
    except (KeyError, IndexError, ValueError, RuntimeError):
        raise CellspanError(f"{path}: these are not the weights of a Cellpose 1 to 3 network.") from None
    missing, extra = sorted(set(expected) - set(state)), sorted(set(state) - set(expected))
    counters = [key for key in missing if key.endswith("num_batches_tracked")]  # old torch did not store them
    state.update({key: np.zeros((), np.int64) for key in counters})
    wrong = [key for key in [*missing, *extra] if key not in counters]
    wrong += [key for key in expected if key in state and tuple(expected[key].shape) != state[key].shape]
    if wrong:
        raise CellspanError(f"{path}: these are not the weights of a Cellpose 1 to 3 network: '{wrong[0]}' differs.")
    return widths


def _size_file(checkpoint: Path) -> Path | None:
    """The regression that belongs to a checkpoint; official ones are called size_cyto3.npy or size_cytotorch_0.npy."""
    candidates = (checkpoint.with_name(f"size_{checkpoint.name}.npy"), Path(f"{checkpoint}_size.npy"))
    return next((path for path in candidates if path.is_file()), None)


def read_size_model(path: Path, style_length: int, mean_diameter: float) -> SizeModel:
    """Cellpose's size model, log(diameter / mean) = A (style - smean) + ymean; raises CellspanError."""
    try:
        content = _load_npy_object(path)
        slope = np.asarray(content["A"], np.float64).ravel()
        centre = np.asarray(content["smean"], np.float64).ravel()
        offset = float(np.asarray(content["ymean"]).ravel()[0])
    except (KeyError, IndexError, TypeError, ValueError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise CellspanError(f"{path}: this is not a Cellpose size model ({error}).") from None
    if slope.shape != (style_length,) or centre.shape != (style_length,):
        raise CellspanError(f"{path}: this size model is for styles of another length than {style_length}.")
    return SizeModel(
        coefficients=[float(value) for value in slope],
        intercept=float(np.log(mean_diameter) + offset - slope @ centre),
        smallest=SMALLEST,
        largest=LARGEST,
    )


class _ArraysOnly(pickle.Unpickler):
    """Rebuilds numpy arrays and plain containers; anything else is refused before it can run."""

    ALLOWED = frozenset({"_reconstruct", "scalar", "ndarray", "dtype", "_frombuffer"})

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "numpy" and name in self.ALLOWED:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it refers to {module}.{name}, which is not an array")


def _load_npy_object(path: Path) -> dict[str, Any]:
    """A dictionary that numpy saved as a pickled object."""
    with path.open("rb") as file:
        _skip_header(file)
        content = _ArraysOnly(file).load()
    content = content.item() if isinstance(content, np.ndarray) else content
    if not isinstance(content, dict):
        raise ValueError("it holds no dictionary")
    return content


def _skip_header(file: BinaryIO) -> None:
    major, _ = npy_format.read_magic(file)
    if major == 1:
        npy_format.read_array_header_1_0(file)
    else:
        npy_format.read_array_header_2_0(file)
