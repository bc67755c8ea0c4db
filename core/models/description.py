"""A model's description: the content of model.json, and its folder with the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from cellspan.core.errors import CellspanError, first_line
from cellspan.core.files.hashing import sha256_of
from cellspan.core.files.regular import open_regular
from cellspan.core.machine.memory import in_words, require_memory
from cellspan.core.models.architecture import (
    CHANNELS,
    MOST_CHANNELS,
    MOST_WIDTHS,
    OUTPUTS,
    RESTORED,
    WIDEST,
    Convolutional,
    different_tensors,
    weight_count,
)
from cellspan.core.models.kinds import KINDS, Kind, KindName, Layout
from cellspan.core.models.transformer import Transformer

DESCRIPTION = "model.json"
WEIGHTS = "weights.safetensors"
LONGEST = 16 << 20  # bytes of a description; those of the bundled models have 10,000
SMALLEST_MEAN, LARGEST_MEAN = 0.5, 4000.0  # pixels; plausible mean diameters
SMALLEST_SIZE, LARGEST_SIZE = 0.01, 100_000.0  # pixels; plausible range of a size model
STEEPEST = 1e6  # largest number in a size model; those of the bundled models are below 10


def _without_nan(content: Any) -> Any:
    """Scores and notes with None instead of NaN and infinity, which are not valid JSON."""
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


Notes = Annotated[dict[str, Any], BeforeValidator(_without_nan)]
Slope = Annotated[float, Field(ge=-STEEPEST, le=STEEPEST, allow_inf_nan=False)]
Size = Annotated[float, Field(ge=SMALLEST_SIZE, le=LARGEST_SIZE, allow_inf_nan=False)]


class SizeModel(BaseModel):
    """log(diameter in pixels) = intercept + coefficients . style (ridge regression)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    coefficients: list[Slope]
    intercept: Slope
    smallest: Size = Field(description="smallest diameter in the regression, pixels")
    largest: Size = Field(description="largest diameter in the regression, pixels")
    median_error: float | None = Field(None, description="median relative error on held-out images")

    @model_validator(mode="after")
    def _in_order(self) -> SizeModel:
        if self.smallest > self.largest:
            raise ValueError(f"the smallest diameter, {self.smallest:g}, is larger than the largest, {self.largest:g}")
        return self


class ModelDescription(BaseModel):
    """The content of model.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: KindName = Field("flow-cnn", description="of the network: see core.models.kinds")
    objects: str = Field(description="what the model finds: nuclei, cells, ...")
    widths: tuple[Annotated[int, Field(ge=1, le=WIDEST)], ...] = Field(
        (), max_length=MOST_WIDTHS, description="of a convolutional network: its channels and those of each level"
    )
    transformer: Transformer | None = Field(None, description="of a transformer: its sizes")
    mean_diameter: float = Field(
        ge=SMALLEST_MEAN,
        le=LARGEST_MEAN,
        allow_inf_nan=False,
        description="pixels; images are rescaled to it",
    )
    usual_diameter: float | None = Field(
        None,
        ge=SMALLEST_MEAN,
        le=LARGEST_MEAN,
        allow_inf_nan=False,
        description="pixels; of the objects in training images, the first guess where diameters cannot be estimated",
    )
    size_model: SizeModel | None = None
    weights_sha256: str = Field(description="of the weights file")
    source_sha256: str | None = Field(None, description="of the original Cellpose checkpoint")
    training: Notes = Field(default_factory=dict, description="sources, licences, steps, versions")
    scores: Notes = Field(default_factory=dict)
    limits: list[str] = Field(default_factory=list, description="where the model fails, in sentences")

    @model_validator(mode="after")
    def _fitting(self) -> ModelDescription:
        if self.transformer is None and len(self.widths) < 2:
            raise ValueError("widths: a network has the channels of the image and at least one level")
        if (self.transformer is not None) != (self.kind == "flow-sam"):
            raise ValueError(f"a model of the kind {self.kind} is described by other sizes")
        if self.layout.channels > MOST_CHANNELS:
            raise ValueError(f"the network has {self.layout.channels} input channels, more than {MOST_CHANNELS}")
        if self.rules.restores and self.layout.channels != RESTORED:
            raise ValueError(f"the network has {self.layout.channels} input channels, but restores {RESTORED}")
        if self.size_model is not None and len(self.size_model.coefficients) != self.layout.style_length:
            raise ValueError(
                f"the size model has {len(self.size_model.coefficients)} coefficients, but the network's style "
                f"has {self.layout.style_length} numbers"
            )
        return self

    @property
    def rules(self) -> Kind:
        """What all models of this kind have in common."""
        return KINDS[self.kind]

    @property
    def layout(self) -> Layout:
        """The sizes of the network."""
        return self.transformer or Convolutional(self.widths, RESTORED if self.rules.restores else OUTPUTS)

    @property
    def apart(self) -> int | None:
        """How many channels the network sees each by itself; None if it sees what to segment and perhaps the nuclei."""
        return self.layout.channels if self.rules.apart or self.layout.channels > CHANNELS else None

    @property
    def sees_nuclei(self) -> bool:
        """Whether the network has a channel for the nuclei."""
        return self.layout.channels >= CHANNELS


@dataclass(frozen=True)
class Model:
    """A model on disk; weights are read on request."""

    folder: Path
    description: ModelDescription

    @property
    def name(self) -> str:
        """The name for users."""
        return self.description.name

    @property
    def sha256(self) -> str:
        """Hash of the weights, recorded with every result."""
        return self.description.weights_sha256

    @property
    def identity(self) -> dict[str, str | None]:
        """The identity of the model, for the record of a result."""
        return self.description.model_dump(include={"name", "weights_sha256", "source_sha256"})

    @property
    def weights_file(self) -> Path:
        """The weights file."""
        return self.folder / WEIGHTS

    def weights(self) -> dict[str, NDArray[Any]]:
        """The network's state, name -> array, floats in 32 bits; raises CellspanError if the file is damaged.

        Also if it contains a different network than the description, or numbers that are not finite.
        """
        from safetensors.numpy import load_file  # imported here because lists of models need no weights

        path = self.weights_file
        _require_size(path, self.description.layout)
        try:
            found = sha256_of(path)
            state = load_file(path)
        except CellspanError:
            raise
        except MemoryError:
            raise CellspanError(f"{path}: the weights do not fit into the free memory.") from None
        except Exception as error:  # noqa: BLE001 - of the file system, of safetensors, of numpy
            raise CellspanError(f"{path}: the model's weights cannot be read ({first_line(error)[:300]}).") from None
        if found != self.sha256:
            raise CellspanError(f"{path}: the weights do not match {DESCRIPTION}; copy the model again.")
        require_weights(path, state, self.description.layout)
        # Files may store 16 bits to save space; the network computes in 32 bits.
        return {name: array.astype(np.float32) if array.dtype == np.float16 else array for name, array in state.items()}


def _require_size(path: Path, layout: Layout) -> None:
    """Refuse a file that is much larger than its network, and a network larger than the memory."""
    numbers = weight_count(layout.shapes)
    require_memory(layout.memory, f"{path}: {layout}", "use another model")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise CellspanError(f"{path}: the model's weights cannot be read ({error.strerror}).") from None
    if size > 8 * numbers + LONGEST:
        raise CellspanError(
            f"{path}: the file has {in_words(size)}, far more than the network in {DESCRIPTION} needs; "
            "copy the model again."
        )


def require_weights(path: Path, state: Mapping[str, NDArray[Any]], layout: Layout) -> None:
    """Raise CellspanError if these are not finite tensors of a network of these sizes."""
    wrong = different_tensors({name: array.shape for name, array in state.items()}, layout.shapes)
    wrong += [name for name, array in state.items() if array.dtype.kind not in "fiu"]
    if wrong:
        raise CellspanError(f"{path}: these are not the weights of {layout}: '{wrong[0][:100]}' does not match.")
    for name, array in state.items():
        with np.errstate(over="ignore"):  # the network computes in 32 bits, where 1e300 is infinite
            count = array.size - int(np.count_nonzero(np.isfinite(array.astype(np.float32, copy=False))))
        if count:
            raise CellspanError(
                f"{path}: {count} of {array.size} weights in '{name}' are NaN, infinite or too large, so the network "
                "would find nothing; the training failed, or the file is damaged: use an earlier checkpoint."
            )
        if problem := layout.problem(name, array):
            raise CellspanError(f"{path}: '{name}' {problem}.")


def load_model(folder: Path) -> Model:
    """The model in a folder; raises CellspanError with the reason if it cannot be used."""
    path = folder / DESCRIPTION
    try:
        with open_regular(path) as file:
            content = file.read(LONGEST + 1)
    except OSError:
        raise CellspanError(
            f"{folder}: this is not a model folder, because it has no readable {DESCRIPTION}."
        ) from None
    if len(content) > LONGEST:
        raise CellspanError(f"{path}: the file is too long for a model description ({in_words(LONGEST)} at most).")
    return Model(folder, parsed_description(path, content))


def parsed_description(path: Path, content: bytes) -> ModelDescription:
    """Parse the bytes of a model.json; raises CellspanError that names the file and the entry."""
    try:
        return ModelDescription.model_validate_json(content.decode("utf-8"))
    except ValidationError as error:
        raise CellspanError(f"{path}: {reason(error)}.") from None
    except (UnicodeDecodeError, RecursionError, MemoryError):
        raise CellspanError(f"{path}: the model description cannot be read; copy the model again.") from None


def reason(error: ValidationError) -> str:
    """The first problem that pydantic found, as part of a sentence."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))[:200]
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
