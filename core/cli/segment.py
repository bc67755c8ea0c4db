"""`cellspan segment`: images -> labels, ROIs, overlays, tables."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cellspan.core.cli.options import device_option, parameter_options, series_option
from cellspan.core.cli.programs import are_listening, problem_line, tell_notes
from cellspan.core.cli.progress import Progress
from cellspan.core.cli.stopping import stopping
from cellspan.core.errors import CellspanError
from cellspan.core.files.regular import readable
from cellspan.core.files.result_names import ENDINGS
from cellspan.core.parameters import Parameters

if TYPE_CHECKING:
    from cellspan.core.results.batch import Existing
    from cellspan.core.results.run_record import Record

OUTPUT_NAMES = ", ".join(ENDINGS)


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for the results.")
@click.option(
    "--save", default="labels,rois,overlay,table", show_default=True, help=f"What to write, among {OUTPUT_NAMES}."
)
@click.option("--overwrite", is_flag=True, help="Replace results that exist already.")
@click.option(
    "--skip-existing",
    "--resume",
    "skip_existing",
    is_flag=True,
    help="Skip images that already have all their results: resume a stopped run, or segment only new images.",
)
@click.option(
    "--reuse-flows",
    is_flag=True,
    help="Keep the output of the network (_network.npz), so that other thresholds and sizes do not need it again.",
)
@series_option
@click.option(
    "--mask",
    type=click.Path(path_type=Path),
    help="Where to look: an image that is 0 outside (a mask or labels), for one image; or a folder with a mask of each "
    "image's name.",
)
@device_option
@parameter_options
def segment(
    inputs: tuple[str, ...],
    output: Path,
    save: str,
    overwrite: bool,
    skip_existing: bool,
    reuse_flows: bool,
    series: tuple[int, ...],
    mask: Path | None,
    device: str,
    parameters: Parameters,
) -> None:
    """Segment images: files, folders (including subfolders) or patterns.

    Results and annotations (names ending in _labels, _masks, _overlay, _flows, _probability or _orthogonal) are skipped
    if their image is found too; a note says how many. Brackets in a pattern may also be part of a file name.

    A file with several images (series, scenes, positions, wells) gives results for each of them, called <name>_s0,
    <name>_s1, ...; --series selects some of them.

    \b
    Examples:
      cellspan segment cells.tif -o results --model nuclei
      cellspan segment plate1/ -o results --model nuclei --diameter 25 --save labels,table
      cellspan segment "plate1/*_w1.tif" -o results --channel 0 --flow-threshold 0.6
      cellspan segment embryo.ome.tif -o results --model nuclei --do-3d --anisotropy 4
      cellspan segment stack.tif -o results --model nuclei --stitch-threshold 0.25
      cellspan segment plate1/ -o results --limits 200,4000   (the same grey values for every image)
      cellspan segment noisy.tif -o results --restore denoise_cyto3 --diameter 30 --save labels,restored
      cellspan segment tissue.tif -o results --channel 1,2 --combine maximum --mask tumour.tif
      cellspan segment plate1/ -o results --model nuclei --skip-existing   (resumes, or adds new images)
      cellspan segment plate1/ -o results --reuse-flows --overwrite --flow-threshold 0.6   (tries thresholds quickly)

    Several runs may write to the same folder at the same time: run.json is the record of the last run to finish, and
    run-<started>.json are the records of the others.

    Exit code 0: done; 1: some images failed and are named; 2: wrong usage; 130 or 143: stopped by Ctrl-C or SIGTERM.
    """
    from cellspan.core.inference.expectation import note_before
    from cellspan.core.pictures.inputs import find_inputs
    from cellspan.core.pictures.mask_files import MaskFiles
    from cellspan.core.pictures.several import every_series
    from cellspan.core.results.batch import Batch, Outcome, segment_files
    from cellspan.core.results.outputs import output_paths
    from cellspan.core.segmenter import Segmenter

    kinds = [kind.strip() for kind in save.split(",") if kind.strip()]
    if not kinds:
        raise click.UsageError(f"--save names nothing to write; choose from {OUTPUT_NAMES}.")
    if overwrite and skip_existing:
        raise click.UsageError("--overwrite replaces results and --skip-existing keeps them; give only one of them.")
    if reuse_flows and "network" not in kinds:
        kinds.append("network")
    if "network" in kinds and parameters.is_volume:
        raise click.UsageError("The network's output for volumes is not kept; leave out --reuse-flows and `network`.")
    if "restored" in kinds and parameters.restore is None:
        raise click.UsageError(
            "There is no restored image to save; add --restore denoise_cyto3, or another such model."
        )
    if "outlines" in kinds and parameters.is_volume:
        raise click.UsageError("Outlines as text are for planes; save `rois` for volumes.")
    output_paths(output, Path(), kinds)  # refuses unknown kinds before any work
    notes: list[str] = []
    found = find_inputs(inputs, notes.append)
    masks = None if mask is None else MaskFiles(mask)
    images = every_series(found if masks is None else masks.without_masks(found), series)
    if masks is not None:
        masks.require_one(images)
    tell_notes(notes)
    segmenter = Segmenter(parameters.model, device)
    tell_notes(note_before(segmenter.model.description, segmenter.predictor.device))
    outcome = Outcome(stopped=True)
    with Progress(len(images), "image") as progress, stopping() as stop:
        existing: Existing = "overwrite" if overwrite else "skip" if skip_existing else "refuse"
        batch = Batch(segmenter, output, parameters, kinds, existing, reuse_flows, notes, progress.within, masks)
        tally = _Tally(len(images))

        def show(record: Record) -> None:
            tally.add(record)
            _show(progress, record)

        with contextlib.suppress(KeyboardInterrupt):  # a second Ctrl-C
            outcome = segment_files(batch, images, show, stop)
    tally.tell(output)
    if outcome.problem:
        click.echo(f"cellspan: {readable(outcome.problem)}", err=True)
    if outcome.stopped:
        click.echo(
            "Stopped: give the same command with --skip-existing to go on with the images that remain.", err=True
        )
        sys.exit(stop.exit_code)
    if tally.failed or outcome.problem:
        sys.exit(1)


def _show(progress: Progress, record: Record) -> None:
    if "error" in record:
        progress.step(f"FAILED {record['error']}", important=True)
        if are_listening():
            click.echo(problem_line(CellspanError(record["error"], record["code"], **record["fields"])), err=True)
    elif "skipped" in record:
        progress.skip()
    else:
        which = f", series {record['series']}" if "series" in record else ""
        progress.step(
            f"{record['input']}{which}: {record['objects']} objects, diameter {record['diameter']:.1f} pixels"
        )


class _Tally:
    """What the last lines say of all images."""

    def __init__(self, images: int) -> None:
        self.images, self.done, self.skipped, self.failed, self.objects = images, 0, 0, 0, 0
        self.notes: set[str] = set()

    def add(self, record: Record) -> None:
        self.notes.update(record.get("notes", []))
        if "error" in record:
            self.failed += 1
        elif "skipped" in record:
            self.skipped += 1
        else:
            self.done += 1
            self.objects += record["objects"]

    def tell(self, output: Path) -> None:
        there = f", {self.skipped} more were there already" if self.skipped else ""
        images = f"{self.objects} objects in {self.done} of {self.images} images{there}"
        click.echo(f"{images}; results in {readable(output)}")
        tell_notes(sorted(self.notes))
