"""The options of a segmentation for the page's form: all from `core.parameters`, with ranges for its sliders."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Any

from cellspan.core.parameters import DYNAMICS, Parameters

# What a slider spans where the option itself has no end, or more than is useful, and its steps.
SLIDERS: dict[str, tuple[float, float, float]] = {
    "diameter": (0, 200, 0.5),
    "flow_threshold": (0, 3, 0.05),
    "cellprob_threshold": (-6, 6, 0.1),
    "min_size": (0, 2000, 1),
    "max_size_fraction": (0.01, 1, 0.01),
    "sharpen": (0, 50, 0.5),
    "smooth": (0, 20, 0.5),
    "smooth_flows": (0, 5, 0.25),
    "stitch_threshold": (0, 1, 0.05),
    "tile_overlap": (0.05, 0.5, 0.05),
    "anisotropy": (0, 20, 0.1),
    "iterations": (0, 2000, 10),
    "tile_norm": (0, 1000, 10),
}

# In the words of the field; other options are called as they are in the shell.
LABELS = {
    "combine": "Combine channels by",
    "channel": "Channel to segment",
    "cellprob_threshold": "Cell probability threshold",
    "min_size": "Minimum size (pixels)",
    "max_size_fraction": "Maximum size (fraction of the image)",
    "exclude_on_edges": "Discard objects touching the border",
    "invert": "Dark objects on a bright background",
    "normalize": "Intensity percentiles",
    "limits": "Intensity limits (grey values)",
    "tile_norm": "Tile for normalisation (pixels)",
    "sharpen": "Sharpen (radius in pixels)",
    "smooth": "Smooth (radius in pixels)",
    "restore": "Restore first with the model",
    "tile": "Tile for the network (pixels)",
    "augment": "Average over flipped copies",
    "resample": "Outlines at full resolution",
    "iterations": "Steps along the flows",
    "do_3d": "Segment as 3D volume",
    "anisotropy": "z-step divided by pixel size",
    "smooth_flows": "Smooth the flows in 3D (voxels)",
    "stitch_threshold": "Join slices that overlap by",
    "diameter": "Diameter (pixels)",
}


def known(values: Mapping[str, Any]) -> dict[str, Any]:
    """The options that this version has, of those that a record or another version wrote."""
    return {name: value for name, value in values.items() if name in Parameters.model_fields}


def specs() -> list[dict[str, Any]]:
    """One for each option, in the order in which they are defined; `quick` ones need no new run of the network."""
    return [_spec(name) for name in Parameters.model_fields]


def _spec(name: str) -> dict[str, Any]:
    field = Parameters.model_fields[name]
    kind, choices = _kind(field.annotation)
    lowest, highest, step = SLIDERS.get(name, (None, None, 1 if kind == "integer" else None))
    default = list(field.default) if isinstance(field.default, tuple) else field.default
    return {
        "name": name,
        "label": LABELS.get(name, name.replace("_", " ").capitalize()),
        "help": field.description or "",
        "kind": kind,
        "choices": choices,
        "default": default,
        "minimum": lowest,
        "maximum": highest,
        "step": step,
        "quick": name in DYNAMICS,
    }


def _kind(annotation: Any) -> tuple[str, list[str]]:
    """number, integer, boolean, choice, numbers or text, and what to choose from."""
    kinds = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    plain = [typing.get_args(kind)[0] if typing.get_origin(kind) is typing.Annotated else kind for kind in kinds]
    if annotation is bool:
        return "boolean", []
    if any(typing.get_origin(kind) is typing.Literal for kind in plain):
        return "choice", [str(word) for word in typing.get_args(plain[0])]
    if any(typing.get_origin(kind) is tuple for kind in plain):
        return "numbers", []
    if float in plain:
        return "number", []
    return ("integer", []) if int in plain else ("text", [])
