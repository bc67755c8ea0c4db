"""Judging objects: single pieces, flow errors, holes, sizes and edges, as the parameters want them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellspan.core.objects.labels import (
    Labels,
    areas,
    drop_on_edges,
    fill_holes,
    in_reading_order,
    keep,
    largest_pieces,
    on_edges,
)
from cellspan.core.objects.runs import largest_of, pieces_of, runs_of
from cellspan.core.objects.within import cut_to, on_border
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Mask


def cleaned(found: Labels, parameters: Parameters, errors: Callable[[Labels], NDArray[np.float64]]) -> Labels:
    """What the dynamics found, less what the parameters refuse; `errors` gives the flow error of each label."""
    return judged(found, parameters, errors).labels


@dataclass(frozen=True)
class Judged:
    """Labels 1..n; their flow errors, if any were asked for; and whose shapes have changed since then."""

    labels: Labels
    errors: NDArray[np.float64] | None
    changed: NDArray[np.bool_]


def judged(found: Labels, parameters: Parameters, errors_of: Callable[[Labels], NDArray[np.float64]]) -> Judged:
    """See cleaned."""
    labels = _single_pieces(found, parameters.max_size_fraction * found.size)
    errors = None
    if parameters.flow_threshold > 0:
        errors = errors_of(labels)
        good = errors <= parameters.flow_threshold
        labels, errors = _kept(labels, good), errors[good]
    sizes = areas(labels)
    before = sizes
    if parameters.fill_holes:
        labels = fill_holes(labels)
        sizes = areas(labels, len(before))
    wanted = sizes >= max(parameters.min_size, 1)
    labels = _kept(labels, wanted)
    changed = (sizes != before)[wanted]
    errors = None if errors is None else errors[wanted]
    if parameters.exclude_on_edges:
        inner = ~on_edges(labels, len(changed))
        labels, changed = _kept(labels, inner), changed[inner]
        errors = None if errors is None else errors[inner]
    return Judged(labels, errors, changed)


def cut_to_mask(
    found: Labels, errors: NDArray[np.float64] | None, mask: Mask, parameters: Parameters
) -> tuple[Labels, NDArray[np.float64] | None]:
    """Objects without what lies outside the mask, and without those that are then too small.

    With `exclude_on_edges` those that touch its border go too, because they may be cut. The errors are those of the
    objects that stay; None if shapes have changed.
    """
    labels = cut_to(found, mask)
    if labels is not found:
        labels, errors = largest_pieces(labels), None
    sizes = areas(labels, int(found.max(initial=0)))
    wanted = sizes >= max(parameters.min_size, 1)
    if parameters.exclude_on_edges:
        wanted &= ~(on_edges(labels, len(sizes)) | on_border(labels, mask, len(sizes)))
    return _kept(labels, wanted), None if errors is None else errors[wanted]


def _kept(labels: Labels, wanted: NDArray[np.bool_]) -> Labels:
    """As keep, but the labels themselves if all are wanted."""
    return labels if wanted.all() else keep(labels, wanted)


def _single_pieces(found: Labels, most: float) -> Labels:
    """Each object's largest piece, without those of more than `most` pixels, numbered in reading order."""
    if found.ndim == 3:
        labels = in_reading_order(largest_pieces(found))
        return _kept(labels, areas(labels) <= most)
    count = int(found.max(initial=0))
    runs = runs_of(found)
    numbers = largest_of(runs, pieces_of(runs, count), count)
    sizes = np.bincount(numbers, runs.lengths, minlength=count + 1)
    numbers[sizes[numbers] > most] = 0
    return runs.painted(in_reading_order(numbers))


def drop_unwanted(labels: Labels, parameters: Parameters) -> Labels:
    """Without objects under `min_size` pixels and, if `exclude_on_edges`, those at the border; renumbered."""
    labels = keep(labels, areas(labels) >= max(parameters.min_size, 1))
    return drop_on_edges(labels) if parameters.exclude_on_edges else labels
