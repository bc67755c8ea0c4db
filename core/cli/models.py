"""`cellspan models`: list, describe, import, download and export models."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cellspan.core.cli.programs import are_listening, tell_progress
from cellspan.core.machine.shell import quoted

if TYPE_CHECKING:
    from cellspan.core.cli.progress import Progress
    from cellspan.core.models.registry import ListedModel

MEGABYTE = 1_000_000


@click.group()
def models() -> None:
    """List, describe, import, fetch and export models.

    Use a model by its name, as in: cellspan segment images/ -o results --model nuclei

    \b
    Examples:
      cellspan models list
      cellspan models info nuclei
      cellspan models fetch cyto3
      cellspan models import my_cellpose_model --name my_cells
    """


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_(as_json: bool) -> None:
    """List the models, one per line.

    Each line shows the model's name, what it finds, its mean diameter, its kind and size, and where it comes from.
    Models in Cellpose's own folder are listed too, as cellpose/NAME if another model has the same name.

    \b
    Examples:
      cellspan models list
      cellspan models list --json
    """
    from cellspan.core.machine.memory import in_words
    from cellspan.core.models.registry import known_models

    listed = known_models()
    if as_json:
        click.echo(json.dumps([_as_json(model) for model in listed], indent=1, ensure_ascii=False))
        return
    width = max((len(model.name) for model in listed), default=0)
    for model in listed:
        start = f"{model.name:{width}}  "
        if model.problem:
            click.echo(f"{start}cannot be used: {model.problem}")
            continue
        place = f"Cellpose, {model.file}" if model.origin == "Cellpose" else model.origin
        size = "any diameter" if model.kind.any_size else f"mean diameter {model.mean_diameter:g} pixels"
        advice = ", a graphics card is advised" if model.kind.wants_graphics_card else ""
        network = f"{model.kind.name}, {in_words(model.size)}{advice}"
        click.echo(f"{start}{model.objects:12}  {size:23}  {network}  ({place})")


def _as_json(model: ListedModel) -> dict[str, object]:
    """What programs show of a model in a list."""
    return {
        "name": model.name,
        "finds": model.objects,
        "mean_diameter": model.mean_diameter,
        "kind": model.kind.name,
        "about": model.about,
        "restores": model.kind.restores,
        "bytes": model.size,
        "graphics_card_advised": model.kind.wants_graphics_card,
        "origin": model.origin,
        "file": str(model.file),
        "problem": model.problem,
    }


@models.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
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
    # The coefficients of the size model would fill pages.
    about = model.description.model_dump(mode="json", exclude={"size_model": {"coefficients"}})
    place = {"name": about.pop("name"), "origin": origin_of(model), "file": str(model.weights_file)}
    click.echo(json.dumps({**place, **about}, indent=1, ensure_ascii=False))


@models.command("import")
@click.argument("source", type=click.Path(path_type=Path), metavar="FILE_OR_FOLDER")
@click.option("--name", help="Name of the new model.  [default: the file's]")
@click.option(
    "--mean-diameter", type=click.FloatRange(1, 500), help="Object diameter in pixels at which the model was trained."
)
def import_(source: Path, name: str | None, mean_diameter: float | None) -> None:
    """Copy a checkpoint, a package or a model folder into your models.

    Give a checkpoint of Cellpose (of version 1 to 3, or cpsam of 4), a package of bioimage.io (.zip) that holds one, or
    a model folder of cellspan. A size model (size_<name>.npy) beside the checkpoint is imported with it. Code in the
    file is never run. Checkpoints in
    Cellpose's own folder need no import: `cellspan models list` already shows them.

    \b
    Examples:
      cellspan models import my_cellpose_model
      cellspan models import ~/.cellpose/models/nucleitorch_0 --name nuclei_cellpose
      cellspan models import trained_by_a_colleague/ --name yeast
      cellspan models import package_of_bioimage.io.zip --name embryos
    """
    from cellspan.core.models.importing import import_model

    model = import_model(source, name, mean_diameter)
    about = model.description
    sizes = "estimates diameters" if about.size_model else "cannot estimate diameters"
    known = "knows objects of any size" if about.rules.any_size else sizes
    diameter = f"mean diameter {about.mean_diameter:g} pixels"
    click.echo(f"{model.name}: {diameter}, {known}; use it with --model {quoted(model.name)}")


@models.command()
@click.argument("name", required=False)
@click.option("--sha256", metavar="HEX", help="Accept the checkpoint only if it has this SHA-256.")
@click.option("--url", envvar="CELLSPAN_MODELS_URL", help="Address of a mirror.  [default: Cellpose's server]")
@click.option(
    "--offline", is_flag=True, envvar="CELLSPAN_OFFLINE", help="Download nothing; only check the local files."
)
@click.option("--overwrite", is_flag=True, help="Download the files again.")
def fetch(name: str | None, sha256: str | None, url: str | None, offline: bool, overwrite: bool) -> None:
    """Download an official Cellpose model, or list all of them.

    NAME is cyto3, cyto2, cyto, nuclei, cpsam_v2 or another model of Cellpose; without a name, all are listed. The model
    is saved in Cellpose's folder (~/.cellpose/models, or the one set in CELLPOSE_LOCAL_MODELS_PATH), so Cellpose finds
    it too. An interrupted download continues where it stopped. The file's SHA-256 is saved beside it, and later
    downloads must match it.

    \b
    Examples:
      cellspan models fetch
      cellspan models fetch cyto3
      cellspan models fetch nuclei --url https://mirror.example.org/cellpose

    The environment variables CELLSPAN_MODELS_URL and CELLSPAN_OFFLINE=1 do the same as --url and --offline.
    """
    from cellspan.core.cli.progress import Progress
    from cellspan.core.models.fetching import FetchedFile, Source, fetch_model

    if name is None:
        _list_official(url)
        return
    with Progress(0, "kB") as progress:
        source = Source(
            address=url,
            offline=offline,
            overwrite=overwrite,
            on_bytes=_tell_megabytes() if are_listening() else partial(_show_bytes, progress),
            on_note=progress.note,
        )
        model, files = fetch_model(name, source, sha256)

    def describe(file: FetchedFile) -> str:
        doubt = "" if file.confirmed_by else " (not verified; compare it with a checksum that you trust)"
        return f"{file.target} {'downloaded' if file.is_new else 'is already here'}\n  SHA-256 {file.sha256}{doubt}"

    for file in files:
        click.echo(describe(file))
    click.echo(model.name if are_listening() else f"Use it with --model {quoted(model.name)}")


def _show_bytes(progress: Progress, done: int, total: int | None) -> None:
    progress.reach(done // 1000, total // 1000 if total else None)


def _tell_megabytes() -> Callable[[int, int | None], None]:
    """A listener for a program that watches; each megabyte is told once."""
    told = -1

    def hear(done: int, total: int | None) -> None:
        nonlocal told
        if done // MEGABYTE != told:
            told = done // MEGABYTE
            size = f" of {total // MEGABYTE}" if total else ""
            tell_progress(done / total if total else 0.0, f"downloading, {told}{size} MB")

    return hear


def _list_official(mirror: str | None) -> None:
    """One line for each official model; for programs, of JSON."""
    from cellspan.core.models.official import OFFICIAL

    if are_listening():
        for name, model in OFFICIAL.items():
            click.echo(json.dumps({"name": name, "images": model.images}))
        return
    width = max(map(len, OFFICIAL))
    for name, model in OFFICIAL.items():
        sizes = "estimates diameters" if model.sizes else ""
        channels = f"{model.channels} channel{'' if model.channels == 1 else 's'}"
        words = f"{channels:10}  {sizes:19}  {model.images}"
        address = (mirror or model.address).rstrip("/")
        click.echo(f"{name:{width}}  {words}  ({address}/{model.weights.name})")


@models.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--bioimageio", is_flag=True, help="Write a package of bioimage.io (.zip) instead.")
def export(name: str, file: Path, bioimageio: bool) -> None:
    """Write a model as a torch checkpoint, or as a package of bioimage.io.

    Cellpose can read a checkpoint if the model has the same sizes as Cellpose's own. A package also holds the
    network's code, a test and a description, so that the programs of bioimage.io can run it. Exporting needs torch.

    \b
    Examples:
      cellspan models export my_model my_model.pth
      cellspan models export my_model my_model.zip --bioimageio
    """
    from cellspan.core.models.importing import export_checkpoint
    from cellspan.core.models.package_writing import export_package
    from cellspan.core.models.registry import find_model

    model = find_model(name)
    if bioimageio:
        export_package(model, file)
        click.echo(f"The package is {file}; enter its authors and licence in rdf.yaml before you publish it.")
        return
    export_checkpoint(model, file)
    click.echo(f"The weights of {name} were saved to {file}")
