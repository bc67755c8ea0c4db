"""Every option of a segmentation, defined once: command line, HTTP, CellProfiler and Fiji all derive from here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from cellspan.core.errors import CellspanError


def _none_from_words(value: Any) -> Any:
    """'', 'none', 'off' and 'auto' mean 'not set' in URLs, dialogs and the shell."""
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
    """Options of a segmentation; immutable, and unknown names are refused.

    Diameters and sizes are in pixels of the original image.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model: str = Field("cyto", description="Model: the name of a bundled or imported model, or the path to a model.")
    diameter: Annotated[float | None, BeforeValidator(_zero_means_none)] = Field(
        None,
        gt=0,
        le=4000,
        allow_inf_nan=False,
        description="Typical object diameter in pixels; 0 = estimate. "
        "Raise it if objects are split, lower it if neighbours merge.",
    )
    channel: OptionalIndex = Field(
        None, ge=0, description="Channel to segment, counted from 0; none = the only one, or the brightness of RGB."
    )
    nuclei_channel: OptionalIndex = Field(
        None, ge=0, description="Channel with the nuclei, counted from 0; helps to separate touching cells."
    )
    flow_threshold: Finite = Field(
        0.4,
        ge=0,
        description="Largest flow error of an object; 0 = keep all. "
        "Raise it if cells are missing, lower it to discard oddly shaped objects.",
    )
    cellprob_threshold: Finite = Field(
        0.0,
        ge=-20,
        le=20,
        description="Lower it to find fainter objects and draw larger outlines, "
        "raise it for fewer and smaller ones; useful from -6 to 6.",
    )
    min_size: int = Field(
        15, ge=0, description="Discard objects with fewer pixels (voxels in 3D); raise it to remove debris."
    )
    max_size_fraction: Finite = Field(
        0.4, gt=0, le=1, description="Discard objects that cover more than this fraction of the image."
    )
    exclude_on_edges: bool = Field(False, description="Discard objects that touch the image border.")
    invert: bool = Field(False, description="Turn on for dark objects on a bright background.")
    normalize: Annotated[tuple[float, float] | None, BeforeValidator(_percentiles)] = Field(
        (1.0, 99.0), description="Intensity percentiles LOW,HIGH to scale to 0 and 1; none = do not scale."
    )
    tile: OptionalIndex = Field(
        None, ge=64, le=4096, description="Side of the square tiles for the network, in pixels; none = automatic."
    )
    tile_overlap: Finite = Field(
        0.1, ge=0.05, le=0.5, description="Overlap of neighbouring tiles, as a fraction; raise it if seams show."
    )
    augment: bool = Field(
        False,
        description="Average the network over flipped copies: about four times slower, "
        "slightly better for elongated and crowded cells.",
    )
    resample: bool = Field(True, description="Follow the flows at full image resolution for smoother outlines.")
    iterations: OptionalIndex = Field(
        None,
        ge=1,
        le=100_000,
        description="Steps along the flows; none = from the diameter. Raise it if filaments split.",
    )
    do_3d: bool = Field(False, description="Segment a z-stack as one volume.")
    anisotropy: Annotated[float | None, BeforeValidator(_zero_means_none)] = Field(
        None,
        gt=0,
        le=100,
        allow_inf_nan=False,
        description="z-step divided by the pixel size, for z-stacks; 0 = as stored in the file, else 1.",
    )
    smooth_flows: Finite = Field(
        0.0, ge=0, le=20, description="3D: smooth the flows over this many voxels; try 1 if objects fall into pieces."
    )
    stitch_threshold: Finite = Field(
        0.0,
        ge=0,
        le=1,
        description="Segment a z-stack slice by slice and join objects that overlap by at least this fraction (IoU); "
        "try 0.25, 0 = off.",
    )
    fill_holes: bool = Field(True, description="Fill holes inside objects; turn off for ring-shaped ones.")

    @model_validator(mode="after")
    def _percentiles_in_order(self) -> Parameters:
        if self.normalize is not None and not 0 <= self.normalize[0] < self.normalize[1] <= 100:
            raise ValueError(f"normalize: {self.normalize} must be two percentiles in ascending order, such as 1,99")
        return self

    @property
    def is_volume(self) -> bool:
        """Whether the image is a volume: segmented in 3D, or slice by slice and joined."""
        return self.do_3d or self.stitch_threshold > 0

    def changed(self) -> dict[str, Any]:
        """The options that differ from the defaults."""
        return self.model_dump(exclude_defaults=True, mode="json")


# These act on the network's outputs, so they can change without running it again.
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
    """Parameters from `values` (text or typed); raises CellspanError with one sentence."""
    try:
        return Parameters(**values)
    except ValidationError as error:
        raise CellspanError(_sentence(error)) from None


def _sentence(error: ValidationError) -> str:
    """The first problem in pydantic's report, as one sentence."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"][:1])
    if first["type"] == "extra_forbidden":
        return f"There is no option '{name}'; the options are: {', '.join(Parameters.model_fields)}."
    if not name:
        return first["msg"].removeprefix("Value error, ") + "."
    reason = first["msg"][0].lower() + first["msg"][1:]
    return f"{name} = {first['input']!r} is not possible: {reason}."
