"""`cellspan restore`: images -> the same with less noise or blur."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cellspan.core.cli.options import device_option, options_for, series_option
from cellspan.core.cli.programs import tell_notes
from cellspan.core.cli.progress import Progress
from cellspan.core.cli.stopping import stopping
from cellspan.core.files.regular import readable
from cellspan.core.parameters import Parameters

if TYPE_CHECKING:
    from cellspan.core.results.batch import Existing
    from cellspan.core.results.run_record import Record

OPTIONS = (
    "diameter",
    "channel",
    "nuclei_channel",
    "invert",
    "normalize",
    "limits",
    "tile_norm",
    "sharpen",
    "smooth",
)


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for the restored images.")
@click.option(
    "--model", default="denoise_cyto3", show_default=True, help="Model that restores images, by its name or path."
)
@click.option("--overwrite", is_flag=True, help="Replace restored images that exist already.")
@click.option("--skip-existing", "--resume", "skip_existing", is_flag=True, help="Skip what is restored already.")
@series_option
@device_option
@options_for(*OPTIONS)
def restore(
    inputs: tuple[str, ...],
    output: Path,
    model: str,
    overwrite: bool,
    skip_existing: bool,
    series: tuple[int, ...],
    device: str,
    parameters: Parameters,
) -> None:
    """Restore images: files, folders (including subfolders) or patterns.

    Writes <name>_restored.tif with all channels, each restored by itself, or those that --channel names; stacks are
    restored slice by slice. Grey values are about 0 to 1, as the network sees them. Give the diameter of the objects:
    the network knows those of about 30 pixels (17 for models of nuclei), to which images are resized meanwhile.

    Models are those of Cellpose 3: denoise, deblur, upsample and oneclick for cyto3, cyto2 and nuclei; `cellspan models
    fetch` lists them. A model called upsample enlarges images of small objects.

    \b
    Examples:
      cellspan restore noisy.tif -o restored --diameter 25
      cellspan restore plate1/ -o restored --model deblur_cyto3 --diameter 40 --channel 1

    Exit code 0: done; 1: some images failed and are named; 2: wrong usage; 130 or 143: stopped by Ctrl-C or SIGTERM.
    """
    from cellspan.core.pictures.inputs import find_inputs
    from cellspan.core.pictures.several import every_series
    from cellspan.core.planes.restoring import Restorer
    from cellspan.core.results.batch import Batch, Outcome, segment_files
    from cellspan.core.results.restored_files import KIND

    if overwrite and skip_existing:
        raise click.UsageError("--overwrite replaces images and --skip-existing keeps them; give only one of them.")
    notes: list[str] = []
    images = every_series(find_inputs(inputs, notes.append), series)
    tell_notes(notes)
    restorer = Restorer(model, device)
    parameters = parameters.model_copy(update={"model": model})  # for the record
    existing: Existing = "overwrite" if overwrite else "skip" if skip_existing else "refuse"
    outcome, found = Outcome(stopped=True), set[str]()
    with Progress(len(images), "image") as progress, stopping() as stop:
        batch = Batch(restorer, output, parameters, [KIND], existing, notes=notes, on_progress=progress.within)

        def show(record: Record) -> None:
            found.update(record.get("notes", []))
            if "error" in record:
                progress.step(f"FAILED {record['error']}", important=True)
            elif "skipped" in record:
                progress.skip()
            else:
                progress.step(f"{record['input']}: restored in {record['seconds']:.1f} s")

        with contextlib.suppress(KeyboardInterrupt):  # a second Ctrl-C
            outcome = segment_files(batch, images, show, stop)
    failed = sum("error" in record for record in outcome.records)
    click.echo(f"{len(outcome.records) - failed} of {len(images)} images restored; they are in {readable(output)}")
    tell_notes(sorted(found))
    if outcome.problem:
        click.echo(f"cellspan: {readable(outcome.problem)}", err=True)
    if outcome.stopped:
        click.echo("Stopped: give the same command with --skip-existing to go on.", err=True)
        sys.exit(stop.exit_code)
    if failed or outcome.problem:
        sys.exit(1)
