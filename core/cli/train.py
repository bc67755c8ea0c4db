"""`cellspan train`: annotated images -> a model folder."""

from __future__ import annotations

from pathlib import Path

import click
from cellspan.core.errors import CellspanError
from cellspan.core.models.registry import find_model


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the new model.")
@click.option("--from", "start", help="Model to start from (name or folder); its weights are fine-tuned.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Budget of time. [default: 30]")
@click.option("--epochs", type=click.IntRange(min=1), help="Budget in rounds over the images, instead of --minutes.")
@click.option("--resume", is_flag=True, help="Continue the training in --out.")
@click.option("--objects", default="objects", show_default=True, help="What the model finds, for people.")
@click.option(
    "--mean-diameter", type=click.FloatRange(5, 200), help="Object diameter in pixels that the network works at."
)
@click.option("--batch", default=8, show_default=True, type=click.IntRange(min=1), help="Crops a step.")
@click.option("--seed", default=0, show_default=True, help="Seed of the weights and crops.")
def train(
    data: tuple[Path, ...],
    out: Path,
    start: str | None,
    minutes: float | None,
    epochs: int | None,
    resume: bool,
    objects: str,
    mean_diameter: float | None,
    batch: int,
    seed: int,
) -> None:
    """Train a model on folders DATA of annotated images.

    A folder holds pairs <id>_img.tif and <id>_masks.tif (or .png), at any depth; those in folders named val or test
    are held out to choose the best weights. Needs torch: pip install "cellspan[train]".

    \b
    Examples:
      cellspan train my_images --out my_model --from nuclei --minutes 10
      cellspan train my_images --out my_model --resume
    """
    if minutes and epochs:
        raise click.UsageError("Give --minutes or --epochs, not both.")
    try:
        from cellspan.core.training.loop import Recipe
        from cellspan.core.training.loop import train as run
    except ModuleNotFoundError as error:
        raise CellspanError(f'Training needs {error.name}; run: pip install "cellspan[train]"') from None
    from cellspan.core.training.data import find_pairs

    first = find_model(start) if start else None
    recipe = Recipe(name=out.name, objects=objects, minutes=minutes, epochs=epochs, batch=batch, seed=seed)
    if first is not None:
        recipe = Recipe(
            **{**vars(recipe), "widths": first.description.widths, "mean_diameter": first.description.mean_diameter}
        )
    if mean_diameter is not None:
        recipe = Recipe(**{**vars(recipe), "mean_diameter": mean_diameter})
    pairs = [pair for folder in data for pair in find_pairs(folder)]
    model = run(recipe, pairs, out, first, resume, report=lambda line: click.echo(line, err=True))
    click.echo(
        f"The model is in {model.folder}; use it with: cellspan segment IMAGES -o RESULTS --model {model.folder}"
    )
