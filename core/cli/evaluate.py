"""`cellspan evaluate`: how well label images match true ones."""

from __future__ import annotations

from pathlib import Path

import click

from cellspan.core.cli.progress import Progress


@click.command()
@click.argument("predicted", type=click.Path(path_type=Path), metavar="PREDICTED_DIR")
@click.argument("true", type=click.Path(path_type=Path), metavar="TRUE_DIR")
@click.option(
    "--boundary",
    "tolerance",
    type=click.FloatRange(0, 100),
    metavar="PIXELS",
    help="Also compare outlines: the score counts as right what lies within so many pixels of the other outline, and "
    "'pixels off' is the median distance.",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Also write all numbers to this file.")
def evaluate(predicted: Path, true: Path, tolerance: float | None, json_file: Path | None) -> None:
    """Average precision TP / (TP + FP + FN) at IoU 0.5, 0.75 and 0.9, precision and recall, per image and pooled.

    Pairs <id>_masks.* in TRUE_DIR with <id>_labels.* (or <id>_img_labels.*) in PREDICTED_DIR. What Cellpose saves is
    read on both sides: <id>_seg.npy and <id>_cp_masks.*.

    \b
    Examples:
      cellspan segment images/ -o results && cellspan evaluate results images/
      cellspan evaluate results images/ --boundary 2
    """
    from cellspan.core.files.regular import readable
    from cellspan.core.files.writing import write_json
    from cellspan.core.results.evaluation import evaluate_folders, summary

    with Progress(0, "image") as progress:
        scores = evaluate_folders(predicted, true, progress.reach, tolerance)
    total = summary(scores)
    rows = [score.as_row() for score in scores]
    shown = [*rows, {"image": "mean per image", **total["mean"]}, total["pooled"]]
    width = max(len(readable(row["image"])) for row in shown)
    names = [name for name in rows[0] if name != "image"]
    click.echo(f"{'image':{width}}  " + "  ".join(f"{name:>13}" for name in names))
    for row in shown:
        click.echo(f"{readable(row['image']):{width}}  " + "  ".join(f"{_shown(row.get(name)):>13}" for name in names))
    if json_file:
        write_json(json_file, {**total, "per_image": rows})


def _shown(value: object) -> str:
    """A number, or nothing where there is none."""
    return "" if value is None else str(value)
