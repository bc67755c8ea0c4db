"""`cellspan models`: what models there are, where they come from, and how more of them get here."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.group()
def models() -> None:
    """List, describe, import, fetch and export models.

    A model is used by its name, as in: cellspan segment images/ -o results --model nuclei

    \b
    Examples:
      cellspan models list
      cellspan models info nuclei
      cellspan models fetch cyto3
      cellspan models import my_cellpose_model --name my_cells
    """


@models.command("list")
def list_() -> None:
    """Show the models, one on each line.

    A line has the model's name, what it finds, its mean diameter, where it comes from. The models that Cellpose keeps
    on this machine are listed too. If one has the name of another model, it is called cellpose/NAME.

    \b
    Example:
      cellspan models list
    """
    from cellspan.core.models.registry import known_models

    listed = known_models()
    width = max((len(model.name) for model in listed), default=0)
    for model in listed:
        start = f"{model.name:{width}}  "
        if model.problem:
            click.echo(f"{start}cannot be used: {model.problem}")
            continue
        place = f"Cellpose, {model.file}" if model.origin == "Cellpose" else model.origin
        click.echo(f"{start}{model.objects:12}  mean diameter {model.mean_diameter:g} pixels  ({place})")


@models.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="All of it, for programs.")
def info(name: str, as_json: bool) -> None:
    """Show a model's card.

    It says what the model finds, what it was trained on and under which licences, its scores, and where it fails.

    \b
    Examples:
      cellspan models info nuclei
      cellspan models info cellpose/nuclei --json
    """
    from cellspan.core.models.card import card
    from cellspan.core.models.registry import find_model, origin_of

    model = find_model(name)
    if not as_json:
        click.echo(f"{card(model)}\nFile: {model.weights_file} ({origin_of(model)})")
        return
    # The coefficients of the size model say nothing to people and fill pages.
    about = model.description.model_dump(mode="json", exclude={"size_model": {"coefficients"}})
    place = {"name": about.pop("name"), "origin": origin_of(model), "file": str(model.weights_file)}
    click.echo(json.dumps({**place, **about}, indent=1, ensure_ascii=False))


@models.command("import")
@click.argument("source", type=click.Path(path_type=Path), metavar="FILE_OR_FOLDER")
@click.option("--name", help="Name of the new model.  [default: the file's]")
@click.option(
    "--mean-diameter", type=click.FloatRange(1, 500), help="Diameter in pixels that the model was trained at."
)
def import_(source: Path, name: str | None, mean_diameter: float | None) -> None:
    """Make a checkpoint or a model folder your own.

    The checkpoint is one that Cellpose 1 to 3 saved, the folder one of cellspan. A size model (size_<name>.npy) beside
    the checkpoint comes along. Nothing that the file carries is executed. Checkpoints in Cellpose's own folder need no
    import: `cellspan models list` shows them.

    \b
    Examples:
      cellspan models import my_cellpose_model
      cellspan models import ~/.cellpose/models/nucleitorch_0 --name nuclei_cellpose
      cellspan models import trained_by_a_colleague/ --name yeast
    """
    from cellspan.core.models.importing import import_model

    model = import_model(source, name, mean_diameter)
    about = model.description
    sizes = "estimates diameters" if about.size_model else "cannot estimate diameters"
    click.echo(f"{model.name}: mean diameter {about.mean_diameter:g} pixels, {sizes}; use it with --model {model.name}")


@models.command()
@click.argument("name")
@click.option("--sha256", metavar="HEX", help="What the checkpoint's SHA-256 must be; anything else is refused.")
@click.option("--url", envvar="CELLSPAN_MODELS_URL", help="Address of a mirror.  [default: Cellpose's server]")
@click.option("--offline", is_flag=True, envvar="CELLSPAN_OFFLINE", help="Download nothing, only check what is there.")
@click.option("--overwrite", is_flag=True, help="Download files again that are there already.")
def fetch(name: str, sha256: str | None, url: str | None, offline: bool, overwrite: bool) -> None:
    """Download an official Cellpose model.

    NAME is cyto3, cyto2, cyto, nuclei or another of Cellpose 1 to 3 (a wrong one gets the list). The model goes into
    Cellpose's folder (~/.cellpose/models, or the one that CELLPOSE_LOCAL_MODELS_PATH names), where Cellpose finds it
    too. An interrupted download goes on where it stopped. The file's SHA-256 is written beside it, and a later download
    must have the same.

    \b
    Examples:
      cellspan models fetch cyto3
      cellspan models fetch nuclei --url https://mirror.example.org/cellpose

    CELLSPAN_MODELS_URL and CELLSPAN_OFFLINE=1 in the environment stand for --url and --offline.
    """
    from cellspan.core.cli.progress import Progress
    from cellspan.core.models.fetching import FetchedFile, Source, fetch_model
    from cellspan.core.models.official import ADDRESS

    with Progress(0, "kB") as progress:
        source = Source(
            address=url or ADDRESS,
            offline=offline,
            overwrite=overwrite,
            on_bytes=lambda done, total: progress.reach(done // 1000, total // 1000 if total else None),
            on_note=progress.note,
        )
        model, files = fetch_model(name, source, sha256)

    def describe(file: FetchedFile) -> str:
        doubt = "" if file.confirmed_by else " (nobody vouches for it; compare it with one that you trust)"
        return f"{file.target} {'downloaded' if file.is_new else 'was there already'}\n  SHA-256 {file.sha256}{doubt}"

    for file in files:
        click.echo(describe(file))
    click.echo(f"Use it with --model {model.name}")


@models.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
def export(name: str, file: Path) -> None:
    """Write a model as a torch checkpoint.

    Cellpose 1 to 3 reads it if the model has the widths of Cellpose's own. This needs torch.

    \b
    Example:
      cellspan models export my_model my_model.pth
    """
    from cellspan.core.models.importing import export_checkpoint
    from cellspan.core.models.registry import find_model

    export_checkpoint(find_model(name), file)
    click.echo(f"The weights of {name} are in {file}")
