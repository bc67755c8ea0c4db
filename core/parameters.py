"""Every option of a segmentation, defined once: command line, HTTP, CellProfiler and Fiji all derive from here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from cellspan.core.errors import CellspanError


def _none_from_words(value: Any) -> Any:
    """Text such as '' / 'none' / 'off' / 'auto' means 'not set', as it comes from URLs, dialogs and the shell."""
    if isinstance(value, str) and value.strip().lower() in {"", "none", "off", "auto", "automatic"}:
        return None
    return value


def _zero_means_none(value: Any) -> Any:
    value = _none_from_words(value)
    try:
        return None if value is not None and float(value) == 0 else value
    except (TypeError, ValueError):
        return value


def _percentiles(value: Any) -> Any:
    """'1,99' -> (1, 99)."""
    value = _none_from_words(value)
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


OptionalIndex = Annotated[int | None, BeforeValidator(_none_from_words)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Parameters(BaseModel):
    """Options of a segmentation; immutable, unknown names are refused.

    Diameters and sizes are in pixels of the image as it is given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model: str = Field("cyto", description="Model to use: a bundled or imported model's name, or the path of a model.")
    diameter: Annotated[float | None, BeforeValidator(_zero_means_none)] = Field(
        None, gt=0, le=4000, allow_inf_nan=False, description="Typical object diameter in pixels; 0 = estimate it."
    )
    channel: OptionalIndex = Field(
        None, ge=0, description="Channel to segment, counted from 0; none = the only one, or the luminance of RGB."
    )
    nuclei_channel: OptionalIndex = Field(
        None, ge=0, description="Channel that shows the nuclei and helps to find cells, counted from 0."
    )
    flow_threshold: Finite = Field(
        0.4, ge=0, description="Largest flow error an object may have; raise it to keep more objects, 0 = keep all."
    )
    cellprob_threshold: Finite = Field(
        0.0, ge=-20, le=20, description="Lower it to find fainter objects and larger outlines, raise it for fewer."
    )
    min_size: int = Field(15, ge=0, description="Objects with fewer pixels are dropped.")
    max_size_fraction: Finite = Field(
        0.4, gt=0, le=1, description="Objects that cover more than this fraction of the image are dropped."
    )
    exclude_on_edges: bool = Field(False, description="Drop objects that touch the image border.")
    invert: bool = Field(False, description="Objects are darker than the background: invert the image first.")
    normalize: Annotated[tuple[float, float] | None, BeforeValidator(_percentiles)] = Field(
        (1.0, 99.0), description="Percentiles LOW,HIGH that become 0 and 1; none = take the intensities as they are."
    )
    tile: OptionalIndex = Field(
        None, ge=64, le=4096, description="Side of the square tiles the network sees, in pixels; none = the best one."
    )
    tile_overlap: Finite = Field(0.1, ge=0.05, le=0.5, description="Fraction by which neighbouring tiles overlap.")
    augment: bool = Field(False, description="Average the network over flipped copies: slower, a little better.")
    resample: bool = Field(True, description="Follow the flows at full image resolution: smoother outlines.")
    iterations: OptionalIndex = Field(
        None, ge=1, le=100_000, description="Steps along the flows; none = from the diameter. Raise for long filaments."
    )
    do_3d: bool = Field(False, description="Segment a z-stack as one volume.")
    anisotropy: Annotated[float | None, BeforeValidator(_zero_means_none)] = Field(
        None,
        gt=0,
        le=100,
        allow_inf_nan=False,
        description="z step divided by the pixel size, for volumes; 0 = as the file says, else 1.",
    )
    smooth_flows: Finite = Field(
        0.0, ge=0, le=20, description="Smooth the flows of volumes over so many voxels: fewer objects in pieces."
    )
    stitch_threshold: Finite = Field(0.0, ge=0, le=1, description="Join 2D objects over z from this overlap; 0 = off.")
    fill_holes: bool = Field(True, description="Fill holes inside objects.")

    @model_validator(mode="after")
    def _percentiles_in_order(self) -> Parameters:
        if self.normalize is not None and not 0 <= self.normalize[0] < self.normalize[1] <= 100:
            raise ValueError(f"normalize: {self.normalize} must be two percentiles in ascending order, such as 1,99")
        return self

    @property
    def is_volume(self) -> bool:
        """Whether the image is taken as a volume: segmented in 3D, or slice by slice and joined."""
        return self.do_3d or self.stitch_threshold > 0

    def changed(self) -> dict[str, Any]:
        """The options that differ from the defaults: what a person wants to read."""
        return self.model_dump(exclude_defaults=True, mode="json")


# What the network does not see: with its outputs at hand, these can change without asking it again.
DYNAMICS = (
    "flow_threshold",
    "cellprob_threshold",
    "min_size",
    "max_size_fraction",
    "exclude_on_edges",
    "fill_holes",
    "iterations",
    "resample",
)


def parse_parameters(values: Mapping[str, Any]) -> Parameters:
    """Check `values` (from any door: text or typed) into Parameters; raises CellspanError in one sentence."""
    try:
        return Parameters(**values)
    except ValidationError as error:
        raise CellspanError(_sentence(error)) from None


def _sentence(error: ValidationError) -> str:
    """The first problem in pydantic's report as a sentence for people."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"][:1])
    if first["type"] == "extra_forbidden":
        return f"There is no option '{name}'; the options are: {', '.join(Parameters.model_fields)}."
    if not name:
        return first["msg"].removeprefix("Value error, ") + "."
    reason = first["msg"][0].lower() + first["msg"][1:]
    return f"{name} = {first['input']!r} is not possible: {reason}."
