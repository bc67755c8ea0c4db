"""Every option of a segmentation, defined once: command line, HTTP, CellProfiler and Fiji all derive from here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

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


def _numbers(value: Any) -> Any:
    """'1,99' -> (1, 99)."""
    value = _none_from_words(value)
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


def _indices(value: Any) -> Any:
    """'0,2' -> (0, 2); '0' and (0,) -> 0."""
    value = _numbers(value)
    return value[0] if isinstance(value, (tuple, list)) and len(value) == 1 else value


def _different_channels(value: int | tuple[int, ...] | None) -> int | tuple[int, ...] | None:
    several = value if isinstance(value, tuple) else (value or 0,)
    if len(set(several)) < len(several) or not several or min(several) < 0:
        raise ValueError("give channels counted from 0, each once, such as 0,2")
    return value


def _zero_or_enough(side: int) -> int:
    if 0 < side < LEAST_TILE:
        raise ValueError(f"it must be at least {LEAST_TILE} pixels, or 0 for off")
    return side


LEAST_TILE, LARGEST_TILE = 16, 10_000  # pixels; percentiles of fewer say nothing
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
    channel: Annotated[int | tuple[int, ...] | None, BeforeValidator(_indices), AfterValidator(_different_channels)] = (
        Field(
            None,
            description="Channel to segment, counted from 0, or several such as 0,2 that are combined; "
            "none = the only one, or the brightness of RGB.",
        )
    )
    combine: Literal["mean", "maximum"] = Field(
        "mean",
        description="How several channels become one, after each is scaled: "
        "their mean, or at each pixel the maximum (the brightest).",
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
    normalize: Annotated[tuple[float, float] | None, BeforeValidator(_numbers)] = Field(
        (1.0, 99.0), description="Intensity percentiles LOW,HIGH to scale to 0 and 1; none = do not scale."
    )
    limits: Annotated[tuple[Finite, ...] | None, BeforeValidator(_numbers)] = Field(
        None,
        description="Grey values LOW,HIGH to scale to 0 and 1 in every image, so that plates stay comparable; "
        "LOW,HIGH,LOW,HIGH for a channel and its nuclei. "
        "They replace normalize, tile_norm, sharpen and smooth; none = use the percentiles.",
    )
    tile_norm: Annotated[int, AfterValidator(_zero_or_enough)] = Field(
        0, ge=0, le=LARGEST_TILE, description="Scale in tiles of this many pixels, for uneven light; try 100, 0 = off."
    )
    sharpen: Finite = Field(
        0.0,
        ge=0,
        le=200,
        description="Subtract the surroundings over this radius in pixels, for blurred images; "
        "try a quarter of the diameter, 0 = off.",
    )
    smooth: Finite = Field(
        0.0,
        ge=0,
        le=200,
        description="Smooth over this radius in pixels, for noisy images; try a tenth of the diameter, 0 = off.",
    )
    restore: Annotated[str | None, BeforeValidator(_none_from_words)] = Field(
        None,
        description="Model that restores the image first, such as denoise_cyto3, deblur_cyto3 or upsample_cyto3; "
        "none = leave it as it is.",
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

    @model_validator(mode="after")
    def _limits_fit(self) -> Parameters:
        if self.limits is None:
            return self
        pairs = list(zip(self.limits[::2], self.limits[1::2], strict=False))
        if not pairs or len(self.limits) % 2 or any(low >= high for low, high in pairs):
            raise ValueError(f"limits: {self.limits} must be two grey values in ascending order, such as 200,4000")
        if len(pairs) not in (1, self._seen_channels):
            raise ValueError(
                f"limits: {len(pairs)} pairs of grey values, but {self._seen_channels} channel(s) are looked at; "
                "give one pair for all, or one for each"
            )
        return self

    @model_validator(mode="after")
    def _tiles_have_percentiles(self) -> Parameters:
        if self.tile_norm and self.normalize is None and self.limits is None:
            raise ValueError("tile_norm scales tiles by percentiles: give normalize too, such as 1,99")
        return self

    @property
    def channels(self) -> tuple[int, ...]:
        """The channels to segment, of which there are several if they are to be combined; () = not chosen."""
        if self.channel is None:
            return ()
        return self.channel if isinstance(self.channel, tuple) else (self.channel,)

    @property
    def _seen_channels(self) -> int:
        return max(1, len(self.channels)) + (self.nuclei_channel is not None)

    def limits_of(self, number: int) -> tuple[float, float] | None:
        """The grey values that become 0 and 1 in one of the channels that are looked at; None = by percentiles.

        `number` counts the channels to segment from 0; the nuclei come last.
        """
        if self.limits is None:
            return None
        first = 2 * number if len(self.limits) > 2 else 0
        return self.limits[first], self.limits[first + 1]

    @property
    def without_effect(self) -> list[str]:
        """Options that were chosen although fixed limits replace them."""
        replaced = ("normalize", "tile_norm", "sharpen", "smooth")
        if self.limits is None:
            return []
        return [name for name in replaced if getattr(self, name) != Parameters.model_fields[name].default]

    def unscaled(self, **more: Any) -> Parameters:
        """The same with grey values as they are: neither scaled nor filtered nor inverted; `more` are other changes."""
        return self.model_copy(update={**UNSCALED, **more})

    @property
    def is_volume(self) -> bool:
        """Whether the image is a volume: segmented in 3D, or slice by slice and joined."""
        return self.do_3d or self.stitch_threshold > 0

    def changed(self) -> dict[str, Any]:
        """The options that differ from the defaults."""
        return self.model_dump(exclude_defaults=True, mode="json")


# With these, grey values stay as they are.
UNSCALED = {"normalize": None, "limits": None, "tile_norm": 0, "sharpen": 0.0, "smooth": 0.0, "invert": False}

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
    message = first["msg"].removeprefix("Value error, ")
    reason = message[0].lower() + message[1:]
    return f"{name} = {first['input']!r} is not possible: {reason}."
