"""What is known of a model: the content of model.json, and the folder in which its weights lie beside it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cellspan.core.errors import CellspanError

DESCRIPTION = "model.json"
WEIGHTS = "weights.safetensors"


class SizeModel(BaseModel):
    """log(diameter in pixels) = intercept + coefficients . style (ridge regression)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    coefficients: list[float]
    intercept: float
    smallest: float = Field(description="smallest diameter in the regression, pixels")
    largest: float = Field(description="largest diameter in the regression, pixels")
    median_error: float | None = Field(None, description="median relative error on held-out images")


class ModelDescription(BaseModel):
    """The content of model.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    objects: str = Field(description="what the model finds, for people: nuclei, cells, ...")
    widths: tuple[int, ...]
    mean_diameter: float = Field(gt=0, description="pixels; images are resized so that objects have it")
    size_model: SizeModel | None = None
    weights_sha256: str = Field(description="of the file that the weights are read from")
    source_sha256: str | None = Field(None, description="of the Cellpose checkpoint that the weights come from")
    training: dict[str, Any] = Field(default_factory=dict, description="sources, licences, steps, versions")
    scores: dict[str, Any] = Field(default_factory=dict)
    limits: list[str] = Field(default_factory=list, description="where it fails, in sentences for people")


@dataclass(frozen=True)
class Model:
    """A model on disk; weights are read when they are asked for."""

    folder: Path
    description: ModelDescription

    @property
    def name(self) -> str:
        """The name that users type."""
        return self.description.name

    @property
    def sha256(self) -> str:
        """Hash of the weights, recorded with every result."""
        return self.description.weights_sha256

    @property
    def identity(self) -> dict[str, str | None]:
        """What a result records of its model."""
        return self.description.model_dump(include={"name", "weights_sha256", "source_sha256"})

    @property
    def weights_file(self) -> Path:
        """The file that the weights are read from."""
        return self.folder / WEIGHTS

    def weights(self) -> dict[str, NDArray[Any]]:
        """The network's state, name -> array, floats in 32 bits; raises CellspanError if the file is damaged."""
        from safetensors import SafetensorError  # here because lists of models need no weights
        from safetensors.numpy import load_file

        path = self.weights_file
        try:
            found = sha256_of(path)
            state = load_file(path)
        except (OSError, SafetensorError) as error:
            raise CellspanError(f"{path}: the model's weights cannot be read ({error}).") from None
        if found != self.sha256:
            raise CellspanError(
                f"{path}: the weights are not those that {DESCRIPTION} describes; copy the model again."
            )
        # Files may hold 16 bits to be small; the network computes in 32.
        return {name: array.astype(np.float32) if array.dtype == np.float16 else array for name, array in state.items()}


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def load_model(folder: Path) -> Model:
    """The model in a folder; raises CellspanError with the reason if it is none."""
    path = folder / DESCRIPTION
    try:
        description = ModelDescription.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise CellspanError(f"{folder}: this is no model folder, it has no readable {DESCRIPTION}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole file"
        raise CellspanError(f"{path}: {place}: {first['msg']}.") from None
    return Model(folder, description)
