"""`cellspan evaluate`: how well label images match true ones."""

from __future__ import annotations

from pathlib import Path

import click

from cellspan.core.cli.progress import Progress


@click.command()
@click.argument("predicted", type=click.Path(path_type=Path), metavar="PREDICTED_DIR")
@click.argument("true", type=click.Path(path_type=Path), metavar="TRUE_DIR")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Also write all numbers to this file.")
def evaluate(predicted: Path, true: Path, json_file: Path | None) -> None:
    """Average precision TP / (TP + FP + FN) at IoU 0.5, 0.75 and 0.9, precision and recall, per image and pooled.

    Pairs <id>_masks.* in TRUE_DIR with <id>_labels.* (or <id>_img_labels.*) in PREDICTED_DIR.

    \b
    Example:
      cellspan segment images/ -o results && cellspan evaluate results images/
    """
    from cellspan.core.files.regular import readable
    from cellspan.core.files.writing import write_json
    from cellspan.core.results.evaluation import evaluate_folders, summary

    with Progress(0, "image") as progress:
        scores = evaluate_folders(predicted, true, progress.reach)
    total = summary(scores)
    rows = [score.as_row() for score in scores]
    shown = [*rows, {"image": "mean per image", **total["mean"]}, total["pooled"]]
    width = max(len(readable(row["image"])) for row in shown)
    names = [name for name in rows[0] if name != "image"]
    click.echo(f"{'image':{width}}  " + "  ".join(f"{name:>13}" for name in names))
    for row in shown:
        click.echo(f"{readable(row['image']):{width}}  " + "  ".join(f"{row.get(name, ''):>13}" for name in names))
    if json_file:
        write_json(json_file, {**total, "per_image": rows})
