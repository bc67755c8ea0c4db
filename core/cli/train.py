"""`cellspan train`: annotated images -> a model folder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from cellspan.core.cli.options import series_option
from cellspan.core.cli.programs import are_listening, note_line
from cellspan.core.cli.progress import Progress
from cellspan.core.errors import CellspanError
from cellspan.core.inference.predictor import resolve_device
from cellspan.core.machine.processors import usable_processors
from cellspan.core.machine.shell import quoted
from cellspan.core.models.architecture import CHANNELS
from cellspan.core.models.registry import Model, find_model


class _Range(click.FloatRange):
    """A range of finite numbers; click alone lets NaN and infinity through."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
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
        raise click.BadParameter(f"'{value}' is not a list of 2 to 6 whole numbers, such as 16,32,48,64.")
    return (CHANNELS, *levels)


def _lacking(error: ModuleNotFoundError) -> CellspanError:
    return CellspanError(f'Training needs {error.name}; run: pip install "cellspan[train]"')


def _looks(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    try:
        from cellspan.core.training.simulate import LOOKS
    except ModuleNotFoundError as error:
        raise _lacking(error) from None
    looks = tuple(part.strip() for part in value.split(","))
    if unknown := [look for look in looks if look not in LOOKS]:
        raise click.BadParameter(f"there is no look '{unknown[0]}'; choose from {', '.join(LOOKS)}.")
    return looks


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the new model.")
@click.option("--from", "start", help="Model to fine-tune (name or folder); leave it out to start from scratch.")
@click.option("--minutes", type=_Range(min=0, min_open=True), help="Training time in minutes.  [default: 30]")
@click.option("--epochs", type=click.IntRange(min=1), help="Number of passes over the images, instead of --minutes.")
@click.option("--resume", is_flag=True, help="Continue an interrupted training in --out.")
@click.option("--register", metavar="NAME", help="Add the model to every program's list of models, as NAME.")
@click.option("--objects", help="What the model finds, as shown in the list of models.  [default: objects]")
@click.option("--mean-diameter", type=_Range(5, 200), help="Object diameter in pixels to which images are rescaled.")
@click.option(
    "--widths",
    callback=_widths,
    help="Channels in each level of a new network; more are slower.  [default: 16,32,48,64]",
)
@click.option("--batch", type=click.IntRange(min=1), help="Crops in each training step.  [default: 8; Cellpose 4: 1]")
@click.option(
    "--learning-rate",
    type=_Range(0, 1, min_open=True),
    help="Peak learning rate.  [default: 0.002; Cellpose 4: 0.00001]",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Random seed for weights and crops.  [default: 0]")
@click.option(
    "--simulated",
    type=_Range(0, 1, max_open=True),
    help="Fraction of the crops to take from simulated cells.  [default: 0]",
)
@click.option(
    "--looks",
    callback=_looks,
    help='Kinds of simulated images, separated by commas, such as "nuclei,stained nuclei".  [default: all]',
)
@click.option(
    "--textures",
    type=click.Path(path_type=Path),
    help="Folder of pictures without annotation: their noise and backgrounds are mixed into the simulated cells.",
)
@click.option(
    "--invert",
    type=_Range(0, 1),
    help="Fraction of the crops to invert, for models that should work on every microscope.  [default: 0]",
)
@click.option(
    "--balance",
    type=_Range(0, 1),
    help="0 gives every folder of images the same weight, 1 every image.  [default: 0.5]",
)
@click.option("--device", default="auto", help="Where to train: auto, cpu, cuda, cuda:N or mps.  [default: auto]")
@click.option(
    "--processes",
    type=click.IntRange(1, 256),
    help="Number of processes that prepare crops.  [default: 1; with a graphics card, one less than processors]",
)
@series_option
@click.option("--split", is_flag=True, help="For black and white masks: treat each connected piece as an object.")
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
    device: str,
    processes: int | None,
    series: tuple[int, ...],
    split: bool,
) -> None:
    """Train a model on folders DATA of annotated images.

    A folder holds pairs <id>.tif and <id>_masks.tif (or .png), at any depth, or images with outlines that you corrected
    in ImageJ (<id>_rois.zip) or in Cellpose (<id>_seg.npy, <id>_cp_masks.png). Images in folders named val are used to
    choose the best weights; images in folders named test are not used. In a file with two channels, the second shows
    the nuclei. Models of Cellpose 4 (--from cpsam_v2) are fine-tuned on a graphics card only. Training needs torch:
    pip install "cellspan[train]".

    \b
    Examples:
      cellspan train my_images --out my_model --from nuclei --minutes 10
      cellspan train my_images --out my_model --from cyto --minutes 10 --register my_cells
      cellspan train my_images --out my_model --resume
    """
    if resume and (start or mean_diameter or widths):
        raise click.UsageError(
            "--resume keeps the settings of the interrupted training; leave out --from, --mean-diameter and --widths."
        )
    if start and widths:
        raise click.UsageError("--from keeps the widths of that model; leave out --widths.")
    if minutes and epochs:
        raise click.UsageError("Give --minutes or --epochs, not both.")
    try:
        from cellspan.core.training.loop import train as run
        from cellspan.core.training.recipe import Recipe, resumed_recipe
        from cellspan.core.training.rules import require_card
    except ModuleNotFoundError as error:
        raise _lacking(error) from None
    from cellspan.core.models.importing import import_model, require_free_name
    from cellspan.core.training.comparison import compared
    from cellspan.core.training.pairs import chosen_series, find_pairs

    if register:
        require_free_name(register)  # now, not after minutes of training
    place = resolve_device(device)
    first = find_model(start) if start else None
    beside_card = max(1, usable_processors() - 1)  # one feeds the graphics card
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
        "processes": processes or (beside_card if place.startswith("cuda") and not resume else None),
    }
    given = {name: value for name, value in options.items() if value is not None}
    if resume:
        recipe = resumed_recipe(out, given)
    else:
        own = {"name": out.name, "mean_diameter": mean_diameter, "widths": widths}
        given |= {name: value for name, value in own.items() if value is not None}
        recipe = Recipe.fine_tuning(first, **given) if first else Recipe(**given)
    require_card(recipe.kind, place)  # before minutes of scoring
    if looks and not recipe.simulated:
        raise click.UsageError("--looks selects simulated images; add --simulated, such as --simulated 0.5.")
    if textures and not recipe.simulated:
        raise click.UsageError("--textures is for simulated images; add --simulated, such as --simulated 0.5.")
    pairs = chosen_series([pair for folder in data for pair in find_pairs(folder)], series)
    with Progress(1000, "‰") as progress:

        def learn() -> Model:
            return run(
                recipe, pairs, out, first, resume, progress.note, lambda part: progress.reach(int(1000 * part)), place
            )

        if first:
            progress.note(f"Scoring the model '{first.name}' before training.")
            model, comparison = compared(first, learn, pairs, split)
            progress.note(note_line(f"{comparison}.") if are_listening() else f"{comparison}.")
        else:
            model = learn()
    if register:
        name = import_model(model.folder, register).name
        click.echo(f"The model '{name}' is now available in every program; use it with: --model {quoted(name)}")
    else:
        use = f"cellspan segment IMAGES -o RESULTS --model {quoted(model.folder)}"
        click.echo(f"The model is in {model.folder}; use it with: {use}")
