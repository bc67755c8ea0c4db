"""The table of the module's window: what was found, what was discarded and why; narrow enough for a new window."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

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
    measured = {name: _areas(column.labels) for name, column in columns.items()}

    def row(value: Callable[[Column, np.ndarray], str]) -> list[str]:
        return [value(column, measured[name]) for name, column in columns.items()]

    rows = {"Objects": row(lambda column, areas: str(len(areas)))}
    for why in (TOO_SMALL, DIAMETER, BORDER, NO_PARTNER):
        rows[f"Discarded: {why}"] = [_number(column, why) for column in columns.values()]
    rows["Diameter, median"] = row(lambda column, areas: _percentiles(column, areas, anisotropy, 50))
    rows["10th, 90th percentile"] = row(lambda column, areas: _percentiles(column, areas, anisotropy, 10, 90))
    rows["Image covered"] = row(lambda column, areas: f"{100 * areas.sum() / column.labels.size:.1f} %")
    rows["Model"] = [column.model for column in columns.values()]
    rows["Diameter used"] = [_of(column, lambda result: f"{result.diameter:.1f}") for column in columns.values()]
    rows["Seconds"] = [_of(column, lambda result: f"{result.seconds:.2f}, {result.device}") for column in columns.values()]
    filled = {label: texts for label, texts in rows.items() if any(texts)}
    return list(filled), list(filled.values())


def _areas(labels: np.ndarray) -> np.ndarray:
    return np.bincount(labels.ravel(), minlength=1)[1:]


def _number(column: Column, reason: str) -> str:
    return str(column.reasons[reason]) if reason in column.reasons else NONE


def _percentiles(column: Column, areas: np.ndarray, anisotropy: float, *wanted: int) -> str:
    """Percentiles of the diameters, in pixels."""
    if not len(areas):
        return NONE
    diameters = across(areas, column.labels.ndim, anisotropy)
    return ", ".join(f"{value:.1f}" for value in np.percentile(diameters, wanted))


def _of(column: Column, text: Callable[[Any], str]) -> str:
    return NONE if column.result is None else text(column.result)
