"""`cellspan train`: annotated images -> a model folder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from cellspan.core.cli.progress import Progress
from cellspan.core.errors import CellspanError
from cellspan.core.models.architecture import CHANNELS
from cellspan.core.models.registry import Model, find_model


class _Range(click.FloatRange):
    """A range of numbers; click would let NaN through, and no budget and no diameter is infinite."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no number to calculate with.", param, ctx)
        return number


def _widths(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """'16,32' as (2, 16, 32): the network's two input channels come first."""
    if value is None:
        return None
    try:
        levels = tuple(int(part) for part in value.split(","))
    except ValueError:
        levels = ()
    if not 2 <= len(levels) <= 6 or min(levels) < 1:
        raise click.BadParameter(f"'{value}' is not 2 to 6 whole numbers with commas between, such as 16,32,48,64.")
    return (CHANNELS, *levels)


def _looks(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    from cellspan.core.training.simulate import LOOKS

    looks = tuple(part.strip() for part in value.split(","))
    if unknown := [look for look in looks if look not in LOOKS]:
        raise click.BadParameter(f"there is no look '{unknown[0]}'; there are {', '.join(LOOKS)}.")
    return looks


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the new model.")
@click.option("--from", "start", help="Model to start from (name or folder); its weights are fine-tuned.")
@click.option("--minutes", type=_Range(min=0, min_open=True), help="Budget of time. [default: 30]")
@click.option("--epochs", type=click.IntRange(min=1), help="Budget in rounds over the images, instead of --minutes.")
@click.option("--resume", is_flag=True, help="Continue the training in --out.")
@click.option("--register", metavar="NAME", help="Put the model into the list of models, in every program, as NAME.")
@click.option("--objects", help="What the model finds, for people.  [default: objects]")
@click.option("--mean-diameter", type=_Range(5, 200), help="Object diameter in pixels that the network works at.")
@click.option(
    "--widths",
    callback=_widths,
    help="Channels of the network's levels; with --from they are those of the model.  [default: 16,32,48,64]",
)
@click.option("--batch", type=click.IntRange(min=1), help="Crops a step.  [default: 8]")
@click.option("--learning-rate", type=_Range(0, 1, min_open=True), help="Learning rate at its peak.  [default: 0.002]")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed of the weights and crops.  [default: 0]")
@click.option(
    "--simulated",
    type=_Range(0, 1, max_open=True),
    help="Fraction of the training that is done on simulated cells of many kinds.  [default: 0]",
)
@click.option(
    "--looks",
    callback=_looks,
    help='Only these looks of simulated cells, with commas between, such as "nuclei,stained nuclei".  [default: all]',
)
@click.option(
    "--textures",
    type=click.Path(path_type=Path),
    help="Folder of pictures without annotation: their noise and backgrounds are mixed into the simulated cells.",
)
@click.option(
    "--invert",
    type=_Range(0, 1),
    help="Fraction of the crops with bright and dark exchanged, for models of every microscope.  [default: 0]",
)
@click.option(
    "--balance",
    type=_Range(0, 1),
    help="0: every folder of images counts the same; 1: every image does.  [default: 0.5]",
)
@click.option("--split", is_flag=True, help="Take each connected piece of black and white masks as an object.")
def train(
    data: tuple[Path, ...],
    out: Path,
    start: str | None,
    minutes: float | None,
    epochs: int | None,
    resume: bool,
    register: str | None,
    objects: str | None,
    mean_diameter: float | None,
    widths: tuple[int, ...] | None,
    batch: int | None,
    learning_rate: float | None,
    seed: int | None,
    simulated: float | None,
    looks: tuple[str, ...] | None,
    textures: Path | None,
    invert: float | None,
    balance: float | None,
    split: bool,
) -> None:
    """Train a model on folders DATA of annotated images.

    A folder holds pairs <id>_img.tif and <id>_masks.tif (or .png), at any depth, or images with outlines that you
    corrected in ImageJ (<image>_rois.zip). Those below folders named val choose the best weights, those below folders
    named test are left for you. Of a file with two channels, the second is taken as the nuclei. Needs torch:
    pip install "cellspan[train]".

    \b
    Examples:
      cellspan train my_images --out my_model --from nuclei --minutes 10
      cellspan train my_images --out my_model --from cyto --minutes 10 --register my_cells
      cellspan train my_images --out my_model --resume
    """
    if resume and (start or mean_diameter or widths):
        raise click.UsageError(
            "--resume continues a training as it was begun: leave --from, --mean-diameter and --widths out."
        )
    if start and widths:
        raise click.UsageError("--from takes the widths of the model: leave --widths out.")
    if minutes and epochs:
        raise click.UsageError("Give --minutes or --epochs, not both.")
    try:
        from cellspan.core.training.loop import train as run
        from cellspan.core.training.recipe import Recipe, resumed_recipe
    except ModuleNotFoundError as error:
        raise CellspanError(f'Training needs {error.name}; run: pip install "cellspan[train]"') from None
    from cellspan.core.models.importing import import_model, require_free_name
    from cellspan.core.training.comparison import compared
    from cellspan.core.training.data import find_pairs

    if register:
        require_free_name(register)  # now, not after minutes of training
    first = find_model(start) if start else None
    options: dict[str, Any] = {
        "objects": objects,
        "minutes": minutes,
        "epochs": epochs,
        "batch": batch,
        "learning_rate": learning_rate,
        "seed": seed,
        "simulated": simulated,
        "looks": looks,
        "textures": str(textures.absolute()) if textures else None,
        "invert": invert,
        "balance": balance,
        "split": split or None,
    }
    given = {name: value for name, value in options.items() if value is not None}
    if resume:
        recipe = resumed_recipe(out, given)
    else:
        own = {"name": out.name, "mean_diameter": mean_diameter, "widths": widths}
        given |= {name: value for name, value in own.items() if value is not None}
        recipe = Recipe.fine_tuning(first, **given) if first else Recipe(**given)
    if looks and not recipe.simulated:
        raise click.UsageError("--looks chooses among simulated cells: add --simulated, such as --simulated 0.5.")
    if textures and not recipe.simulated:
        raise click.UsageError("--textures is for simulated cells: add --simulated, such as --simulated 0.5.")
    pairs = [pair for folder in data for pair in find_pairs(folder)]
    with Progress(1000, "‰") as progress:

        def learn() -> Model:
            return run(recipe, pairs, out, first, resume, progress.note, lambda part: progress.reach(int(1000 * part)))

        if first:
            progress.note(f"Scoring the model '{first.name}' as it is.")
            model, comparison = compared(first, learn, pairs, split)
            progress.note(f"{comparison}.")
        else:
            model = learn()
    if register:
        name = import_model(model.folder, register).name
        click.echo(f"The model is '{name}' in every program now; use it with: --model \"{name}\"")
    else:
        click.echo(
            f"The model is in {model.folder}; use it with: cellspan segment IMAGES -o RESULTS --model {model.folder}"
        )
