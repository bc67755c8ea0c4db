"""The table "Which model when" in docs/models.md: one row for each kind of image, with the scores of the models' files.

python -m tests.docs.which_model             writes the table anew
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cellspan.core.models.registry import find_model

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "models.md"
BEGIN = "<!-- which model: python -m tests.docs.which_model -->\n\n"
END = "\n<!-- end of which model -->\n"
HEAD = """\
| your images | take | AP@0.5 | if that does not do |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    """A kind of image, the bundled model for it, what tells how well it does, and what else to try."""

    images: str
    take: str  # and its options
    sources: tuple[str, ...] = ()  # validation images
    examples: tuple[str, ...] = ()  # of CellProfiler
    note: str = ""
    otherwise: str = ""

    @property
    def model(self) -> str:
        """The name of the bundled model."""
        return self.take.split()[0]


TEACH = "four corrected images ([training](training.md))"
VOLUMES = "[which way](volumes.md)"
ROWS = (
    Row("nuclei in fluorescence", "nuclei", ("dsb2018_fluo", "bbbc039"), otherwise=f"enter the diameter; {TEACH}"),
    Row("nuclei in stained tissue", "nuclei", ("dsb2018_brightfield",), otherwise=TEACH),
    Row("adherent cells in phase contrast", "cyto", ("usiigaci_phase",), otherwise="`livecell_cp3`, `cyto3`"),
    Row("yeast in phase contrast", "cyto", ("yeastvision_phase",), otherwise="`yeast_PhC_cp3`"),
    Row("bacteria in fluorescence", "cyto", ("ecoli_fluo_tractatus",), otherwise="`bact_fluor_cp3`, `deepbacs_cp3`"),
    Row(
        "whole cells in fluorescence",
        "cyto --nuclei-channel 1",
        examples=("ExampleHuman", "ExampleFly"),
        otherwise="`cyto3`, which has seen real ones; `cyto` learned this kind from simulated cells",
    ),
    Row(
        "dense tissue, membranes and nuclei",
        "cyto --nuclei-channel 1",
        ("codex_expert",),
        note="two experts agree to {experts:.2f}",
        otherwise="`cyto3`, `tissuenet_cp3`",
    ),
    Row(
        "long bacteria and filaments in phase contrast",
        "cyto",
        ("omnipose_samples",),
        note="hardly any are found",
        otherwise=f"`bact_phase_cp3`; {TEACH}",
    ),
    Row("stacks of nuclei", "nuclei --do-3d", otherwise=VOLUMES),
    Row("stacks of cells", "cyto --do-3d", note="simulated stacks", otherwise=VOLUMES),
)


def table() -> str:
    """The whole table."""
    return HEAD + "".join(_line(row) for row in ROWS)


def _line(row: Row) -> str:
    note = f"; {row.note.format(experts=_experts())}" if row.note else ""
    return f"| {row.images} | `{row.take}` | {_scores(row)}{note} | {row.otherwise} |\n"


def _scores(row: Row) -> str:
    if row.sources:
        return "; ".join(f"{ap50(row.model, source):.2f}" for source in row.sources)
    if row.examples:
        found = " and ".join(f"{100 * _found(example):.0f} %" for example in row.examples)
        return f"{found} of the cells in two of CellProfiler's examples"
    scores = [float(cells[2]) for cells in _cells("scores_volumes.md", row.model)]
    return f"{min(scores):.2f} to {max(scores):.2f}"


def ap50(name: str, source: str) -> float:
    """What the bundled model's own file says."""
    scores = find_model(name).description.scores
    return float(scores[source]["ap50"])


def _cells(page: str, first: str) -> list[list[str]]:
    """The cells of the lines of a page's tables that begin with a word."""
    text = (DOCS / page).read_text(encoding="utf-8")
    lines = [line.strip("| \n").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [cells for cells in lines if cells[0] == first]


def _found(example: str) -> float:
    [cells] = _cells("scores.md", example)
    return float(cells[3])


def _experts() -> float:
    [cells] = _cells("scores.md", "first and second expert")
    return float(cells[1])


def with_table(text: str) -> str:
    """The page with the newest table."""
    return re.sub(f"(?<={re.escape(BEGIN)}).*?(?={re.escape(END)})", lambda _: table(), text, flags=re.S)


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
