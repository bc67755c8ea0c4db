"""`cellspan train`: annotated images -> a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cellspan.core.cli.progress import Progress
from cellspan.core.errors import CellspanError
from cellspan.core.models.registry import find_model


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the new model.")
@click.option("--from", "start", help="Model to start from (name or folder); its weights are fine-tuned.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Budget of time. [default: 30]")
@click.option("--epochs", type=click.IntRange(min=1), help="Budget in rounds over the images, instead of --minutes.")
@click.option("--resume", is_flag=True, help="Continue the training in --out.")
@click.option("--objects", help="What the model finds, for people.  [default: objects]")
@click.option(
    "--mean-diameter", type=click.FloatRange(5, 200), help="Object diameter in pixels that the network works at."
)
@click.option("--batch", type=click.IntRange(min=1), help="Crops a step.  [default: 8]")
@click.option("--seed", type=int, help="Seed of the weights and crops.  [default: 0]")
@click.option(
    "--simulated",
    type=click.FloatRange(0, 1, max_open=True),
    help="Fraction of the training that is done on simulated cells of many kinds.  [default: 0]",
)
@click.option(
    "--invert",
    type=click.FloatRange(0, 1),
    help="Fraction of the crops with bright and dark exchanged, for models of every microscope.  [default: 0]",
)
@click.option(
    "--balance",
    type=click.FloatRange(0, 1),
    help="0: every folder of images counts the same; 1: every image does.  [default: 0.5]",
)
def train(
    data: tuple[Path, ...],
    out: Path,
    start: str | None,
    minutes: float | None,
    epochs: int | None,
    resume: bool,
    objects: str | None,
    mean_diameter: float | None,
    batch: int | None,
    seed: int | None,
    simulated: float | None,
    invert: float | None,
    balance: float | None,
) -> None:
    """Train a model on folders DATA of annotated images.

    A folder holds pairs <id>_img.tif and <id>_masks.tif (or .png), at any depth; those in folders named val
    choose the best weights, those in folders named test are left for you. Needs torch: pip install "cellspan[train]".

    \b
    Examples:
      cellspan train my_images --out my_model --from nuclei --minutes 10
      cellspan train my_images --out my_model --resume
    """
    if resume and (start or mean_diameter):
        raise click.UsageError("--resume continues a training as it was begun: leave --from and --mean-diameter out.")
    if minutes and epochs:
        raise click.UsageError("Give --minutes or --epochs, not both.")
    try:
        from cellspan.core.training.loop import Recipe, resumed_recipe
        from cellspan.core.training.loop import train as run
    except ModuleNotFoundError as error:
        raise CellspanError(f'Training needs {error.name}; run: pip install "cellspan[train]"') from None
    from cellspan.core.training.data import find_pairs

    first = find_model(start) if start else None
    options = {"objects": objects, "minutes": minutes, "epochs": epochs, "batch": batch, "seed": seed}
    options |= {"simulated": simulated, "invert": invert, "balance": balance}
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if resume:
        recipe = resumed_recipe(out, given)
    else:
        if first is not None:
            about = first.description
            given = {"widths": about.widths, "mean_diameter": about.mean_diameter, "objects": about.objects, **given}
        if mean_diameter is not None:
            given["mean_diameter"] = mean_diameter
        recipe = Recipe(name=out.name, **given)
    pairs = [pair for folder in data for pair in find_pairs(folder)]
    with Progress(1000, "‰") as progress:
        model = run(recipe, pairs, out, first, resume, progress.note, lambda part: progress.reach(int(1000 * part)))
    click.echo(
        f"The model is in {model.folder}; use it with: cellspan segment IMAGES -o RESULTS --model {model.folder}"
    )
