"""`cellspan segment`: images -> labels, ROIs, overlays, tables."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cellspan.core.cli.options import device_option, parameter_options
from cellspan.core.cli.progress import Progress
from cellspan.core.parameters import Parameters

# Those of core.outputs, written out because importing it would slow down --help; a test compares them.
OUTPUT_NAMES = "labels, rois, overlay, table, flows, probability"


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for the results.")
@click.option(
    "--save", default="labels,rois,overlay,table", show_default=True, help=f"What to write, among {OUTPUT_NAMES}."
)
@click.option("--overwrite", is_flag=True, help="Replace results that exist already.")
@device_option
@parameter_options
def segment(
    inputs: tuple[str, ...], output: Path, save: str, overwrite: bool, device: str, parameters: Parameters
) -> None:
    """Find the objects in images: files, folders (with all below them) or patterns.

    Files called *_masks* or *_labels* are not taken as inputs when folders are searched.

    \b
    Examples:
      cellspan segment cells.tif -o results --model nuclei
      cellspan segment plate1/ -o results --model nuclei --diameter 25 --save labels,table
      cellspan segment "plate1/*_w1.tif" -o results --channel 0 --flow-threshold 0.6
      cellspan segment embryo.ome.tif -o results --model nuclei --do-3d --anisotropy 4
      cellspan segment stack.tif -o results --model nuclei --stitch-threshold 0.25

    Exit code 0: done; 1: some images failed and are named; 2: wrong usage.
    """
    from cellspan.core.batch import Record, segment_files
    from cellspan.core.files import find_inputs
    from cellspan.core.outputs import output_paths
    from cellspan.core.segmenter import Segmenter

    kinds = [kind.strip() for kind in save.split(",") if kind.strip()]
    if not kinds:
        raise click.UsageError(f"--save names nothing to write; choose among {OUTPUT_NAMES}.")
    output_paths(output, Path(), kinds)  # refuses unknown kinds before any work
    images = find_inputs(inputs)
    segmenter = Segmenter(parameters.model, device)
    with Progress(len(images), "image") as progress:

        def show(record: Record) -> None:
            if "error" in record:
                progress.step(f"FAILED {record['error']}", important=True)
                return
            progress.step(f"{record['input']}: {record['objects']} objects, diameter {record['diameter']:.1f} pixels")

        records = segment_files(segmenter, images, output, parameters, kinds, overwrite, show, progress.within)
    failed = [record for record in records if "error" in record]
    objects = sum(record.get("objects", 0) for record in records)
    click.echo(f"{objects} objects in {len(records) - len(failed)} of {len(records)} images; results in {output}")
    for note in sorted({note for record in records for note in record.get("notes", [])}):
        click.echo(f"Note: {note}", err=True)
    if failed:
        sys.exit(1)
