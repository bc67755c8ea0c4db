"""`cellspan models`: what models there are."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cellspan.core.models.registry import find_model, list_models


@click.group()
def models() -> None:
    """List and describe the models.

    \b
    Examples:
      cellspan models list
      cellspan models info nuclei
    """


@models.command("list")
def list_() -> None:
    """One line a model: name, what it finds, its mean diameter."""
    for model in list_models():
        about = model.description
        click.echo(f"{about.name:12} {about.objects:12} mean diameter {about.mean_diameter:g} pixels")


@models.command()
@click.argument("name")
def info(name: str) -> None:
    """All that is known of a model, as JSON."""
    click.echo(json.dumps(find_model(name).description.model_dump(mode="json"), indent=1))


@models.command("import")
@click.argument("source", type=click.Path(path_type=Path), metavar="FILE_OR_FOLDER")
@click.option("--name", help="Name of the new model.  [default: the file's]")
@click.option(
    "--mean-diameter", type=click.FloatRange(1, 500), help="Diameter in pixels that the model was trained at."
)
def import_(source: Path, name: str | None, mean_diameter: float | None) -> None:
    """Take over a Cellpose 1 to 3 checkpoint (such as ~/.cellpose/models/cyto3), or a model folder of cellspan.

    A size model (size_<name>.npy) beside the checkpoint comes along. Nothing that the file carries is executed.

    \b
    Example:
      cellspan models import ~/.cellpose/models/cyto3 --name cyto3
    """
    from cellspan.core.models.importing import import_model

    model = import_model(source, name, mean_diameter)
    about = model.description
    sizes = "estimates diameters" if about.size_model else "cannot estimate diameters"
    click.echo(f"{model.name}: mean diameter {about.mean_diameter:g} pixels, {sizes}; use it with --model {model.name}")


@models.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
def export(name: str, file: Path) -> None:
    """Write a model's weights as a torch checkpoint, as Cellpose 1 to 3 reads them.

    \b
    Example:
      cellspan models export my_model my_model.pth
    """
    from cellspan.core.models.importing import export_checkpoint

    export_checkpoint(find_model(name), file)
    click.echo(f"The weights of {name} are in {file}")
