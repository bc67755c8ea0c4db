"""The table of the module's window: what was found, what was discarded and why; narrow enough for a new window."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from cellspan_plugin.filters import BORDER, DIAMETER, TOO_SMALL, across

NO_PARTNER = "no partner"  # cells without nuclei and nuclei without cells, where these are discarded
NONE = ""  # an empty cell


class Column(NamedTuple):
    """The objects of one name."""

    labels: np.ndarray  # 1..n
    reasons: dict[str, int]  # how many were discarded for which reason
    result: Any = None  # of the engine, unless the objects come from somewhere else
    model: str = NONE  # as in the panel


def table_of(columns: dict[str, Column], anisotropy: float = 1.0) -> tuple[list[str], list[list[str]]]:
    """The labels of the rows, and the rows with one text for each of the columns."""
    areas = [np.bincount(column.labels.ravel(), minlength=1)[1:] for column in columns.values()]
    rows = {"Objects": [str(len(some)) for some in areas]}
    for why in (TOO_SMALL, DIAMETER, BORDER, NO_PARTNER):
        rows[f"Discarded: {why}"] = [_number(column, why) for column in columns.values()]
    rows["Diameter 10, 50, 90 %"] = [
        _percentiles(some, column.labels.ndim, anisotropy) for some, column in zip(areas, columns.values())
    ]
    if len(columns) == 1:  # for more, the new window has no room
        labels = next(iter(columns.values())).labels
        share = 100 * areas[0].sum() / labels.size
        rows["Image covered" if labels.ndim == 2 else "Volume covered"] = [f"{share:.1f} %"]
    found = [_engine(column) for column in columns.values()]
    rows["Model, diameter"] = [text for text, _ in found]
    rows["Seconds"] = [text for _, text in found]
    filled = {label: texts for label, texts in rows.items() if any(texts)}
    return list(filled), list(filled.values())


def _number(column: Column, reason: str) -> str:
    return str(column.reasons[reason]) if reason in column.reasons else NONE


def _percentiles(areas: np.ndarray, dimensions: int, anisotropy: float) -> str:
    """Percentiles of the diameters, in pixels."""
    if not len(areas):
        return NONE
    diameters = across(areas, dimensions, anisotropy)
    return ", ".join(_pixels(value) for value in np.percentile(diameters, (10, 50, 90)))


def _pixels(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


def _engine(column: Column) -> tuple[str, str]:
    """Model and diameter, and time and device, of objects that the engine found."""
    result = column.result
    if result is None:
        return NONE, NONE
    return f"{column.model}, {_pixels(result.diameter)}", f"{result.seconds:.2f}, {result.device}"
