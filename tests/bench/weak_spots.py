"""The known weak spots of the method, and what remedies bring: `python -m tests.bench.weak_spots --model cyto`.

Weak are dense cells of low contrast, and elongated cells that come out in fragments. Slices: validation images of
tissue, adherent cells and filaments, and simulated fields of such cells. Diameters are given, so that nothing but the
segmentation is compared.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from itertools import chain

import numpy as np
from tqdm import tqdm

from cellspan.core.dynamics.flows import flow_errors, labels_to_flows
from cellspan.core.dynamics.labelling import flows_to_labels
from cellspan.core.objects.labels import Labels, median_diameter, renumber
from cellspan.core.objects.metrics import best_overlaps, intersection_over_union, match
from cellspan.core.planes.result import Result
from cellspan.core.segmenter import Segmenter
from cellspan.core.training.simulate import simulate_cells

from .scores import ELONGATED, Case, case_of, elongations, validation

FIELDS = 10  # simulated ones a slice
Remedy = Callable[[Segmenter, Case], Result]


def simulated(look: str, cells: str, seed: int) -> Iterator[Case]:
    """Fields of one look and shape."""
    for k in range(FIELDS):
        made = simulate_cells((320, 320), 26, np.random.default_rng((seed, k)), look, cells)
        yield case_of(made)


SLICES: dict[str, Callable[[], Iterator[Case]]] = {
    "tissue": lambda: validation("codex_expert"),
    "dense, simulated": lambda: chain(
        simulated("fluorescence", "epithelial", 1), simulated("brightfield", "lobed", 2), simulated("phase", "round", 3)
    ),
    "adherent, phase contrast": lambda: validation("usiigaci_phase"),
    "filaments": lambda: validation("omnipose_samples"),
    "elongated, simulated": lambda: chain(
        simulated("fluorescence", "spindle", 4),
        simulated("phase", "filament", 5),
        simulated("fluorescence", "neurite", 6),
    ),
}


def with_parameters(**changes: object) -> Remedy:
    """Other parameters than the defaults."""
    return lambda segmenter, case: segmenter.segment(case.image, case.parameters.model_copy(update=changes))


def merged(threshold: float) -> Remedy:
    """Fragments whose common border carries no flow divergence become one object."""

    def remedy(segmenter: Segmenter, case: Case) -> Result:
        result = segmenter.segment(case.image, case.parameters.model_copy(update={"flow_threshold": 0.0}))
        labels = merge_fragments(result.labels, result.flows, threshold)
        kept = flow_errors(labels, result.flows) <= case.parameters.flow_threshold
        table = np.concatenate(([0], np.where(kept, np.arange(1, len(kept) + 1), 0)))
        return Result(**{**vars(result), "labels": renumber(table[labels].astype(np.int32))})

    return remedy


def with_truth(flows: bool = False, foreground: bool = False) -> Remedy:
    """The true flows or the true foreground in place of the network's: what is left is the other one's fault."""

    def remedy(segmenter: Segmenter, case: Case) -> Result:
        result = segmenter.segment(case.image, case.parameters)
        flow = labels_to_flows(case.true) if flows else result.flows
        logits = np.where(case.true > 0, 6.0, -6.0) if foreground else result.probability
        labels = flows_to_labels(flow, logits.astype(np.float32), case.parameters, case.parameters.diameter)
        return Result(**{**vars(result), "labels": labels})

    return remedy


REMEDIES: dict[str, Remedy] = {
    "as it is": with_parameters(),
    "averaged over mirror images": with_parameters(augment=True),
    "twice the steps": with_parameters(iterations=400),
    "flow threshold 0.8": with_parameters(flow_threshold=0.8),
    "no flow threshold": with_parameters(flow_threshold=0.0),
    "merged, divergence < 0.3": merged(0.3),
    "merged, divergence < 0.7": merged(0.7),
    "true flows": with_truth(flows=True),
    "true foreground": with_truth(foreground=True),
}


def merge_fragments(labels: Labels, flows: np.ndarray, threshold: float) -> Labels:
    """Join neighbours (4-connected) across whose border the flows (2, Y, X) diverge by less than `threshold`.

    The divergence at a pair of border pixels is the difference of the flows' components across the border: 2 where both
    flow straight away from it, 0 where the flow passes through.
    """
    sums: dict[tuple[int, int], list[float]] = {}
    for axis in (0, 1):
        low = labels[:-1] if axis == 0 else labels[:, :-1]
        high = labels[1:] if axis == 0 else labels[:, 1:]
        flow = flows[axis]
        difference = flow[1:] - flow[:-1] if axis == 0 else flow[:, 1:] - flow[:, :-1]
        border = (low != high) & (low > 0) & (high > 0)
        for a, b, d in zip(low[border], high[border], difference[border], strict=True):
            sums.setdefault((min(a, b), max(a, b)), []).append(float(d))
    parents = np.arange(labels.max(initial=0) + 1)

    def root(k: int) -> int:
        while parents[k] != k:
            k = parents[k]
        return k

    for (a, b), values in sums.items():
        if len(values) >= 3 and np.mean(values) < threshold:
            parents[max(root(a), root(b))] = min(root(a), root(b))
    return renumber(np.array([root(k) for k in range(len(parents))], np.int32)[labels])


def main() -> None:
    """Print a table: AP@0.5, and recall of elongated objects, of each remedy on each slice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="cyto")
    parser.add_argument("--slices", nargs="+", choices=SLICES, default=list(SLICES), metavar="SLICE")
    parser.add_argument("--remedies", nargs="+", choices=REMEDIES, default=list(REMEDIES), metavar="REMEDY")
    asked = parser.parse_args()
    segmenter = Segmenter(asked.model)
    print("| remedy | " + " | ".join(asked.slices) + " |\n" + "|---" * (len(asked.slices) + 1) + "|")
    cases = {name: [_told(case) for case in SLICES[name]()] for name in asked.slices}
    for remedy in asked.remedies:
        cells = []
        for name in tqdm(asked.slices, remedy, leave=False):
            scores, found = [], []
            for case in cases[name]:
                labels = REMEDIES[remedy](segmenter, case).labels
                scores.append(match(intersection_over_union(case.true, labels), 0.5).average_precision)
                found.append(best_overlaps(case.true, labels)[elongations(case.true) >= ELONGATED] >= 0.5)
            elongated = np.concatenate(found)
            cells.append(f"{np.mean(scores):.3f}" + (f" ({elongated.mean():.2f})" if elongated.size else ""))
        print(f"| {remedy} | " + " | ".join(cells) + " |", flush=True)


def _told(case: Case) -> Case:
    """The same with its true diameter."""
    diameter = median_diameter(case.true)
    return Case(case.image, case.parameters.model_copy(update={"diameter": diameter}), case.true)


if __name__ == "__main__":
    main()
