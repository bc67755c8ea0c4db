"""`cellspan fiji-cells`: what Segment Cells with Nuclei runs in ImageJ, to pair cells with their nuclei."""

from __future__ import annotations

from pathlib import Path

import click

from cellspan.fiji_bridge.answers import AnsweringCommand, Report, reporter
from cellspan.fiji_bridge.through_engine import parameters_from

RULES = ("keep", "discard")


@click.command(cls=AnsweringCommand, context_settings={"ignore_unknown_options": True})
@click.option("--input", "image", required=True, type=click.Path(path_type=Path), help="Image file: TIFF or PNG.")
@click.option("--rois", required=True, type=click.Path(path_type=Path), help="RoiSet.zip to write.")
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    help="Label image (TIFF) to write as well, with cells, nuclei and cytoplasm as channels.",
)
@click.option(
    "--inside",
    type=click.Path(path_type=Path),
    help="Image as wide and high as the input, 0 outside a selection: drop cells whose centre is outside.",
)
@click.option("--nuclei-diameter", default=0.0, help="Typical diameter of nuclei in pixels; 0 = estimate.")
@click.option("--without-nucleus", default="discard", type=click.Choice(RULES), help="Cells without a nucleus.")
@click.option(
    "--several-nuclei",
    default="split",
    type=click.Choice(("split", *RULES)),
    help="Cells with several nuclei: split them along the flows, or pair them with the largest nucleus.",
)
@click.option("--without-cell", default="discard", type=click.Choice(RULES), help="Nuclei without a cell.")
@click.option(
    "--restored", type=click.Path(path_type=Path), help="TIFF to write as well: the image as --restore made it."
)
@click.option("--preview", is_flag=True, help="As of fiji-segment: other thresholds then take no time in a worker.")
@click.option("--watch", is_flag=True, help="Show progress on standard error; cancel when standard input is closed.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def fiji_cells(
    of_worker: Report | None,
    image: Path,
    rois: Path,
    labels: Path | None,
    inside: Path | None,
    nuclei_diameter: float,
    without_nucleus: str,
    several_nuclei: str,
    without_cell: str,
    restored: Path | None,
    preview: bool,
    watch: bool,
    options: tuple[str, ...],
) -> None:
    """Segment cells and nuclei for ImageJ and pair them, with the shared engine, plane by plane or as volumes.

    OPTIONS are those of `cellspan segment` for the cells; --nuclei-channel is needed. Prints `OK <number of ROIs>
    <path of the RoiSet.zip>` or `ERROR <sentence>`; the exit code is always 0.

    \b
    Example:
      cellspan fiji-cells --input cells.tif --rois cells.zip --channel 0 --nuclei-channel 1 --diameter 45
    """
    parameters = parameters_from(options)
    from cellspan.fiji_bridge.pair_segmenting import Rules, segment_pairs  # slow: numba, scipy

    rules = Rules(without_nucleus, several_nuclei, without_cell)
    report = of_worker or (reporter() if watch else None)
    count = segment_pairs(image, parameters, nuclei_diameter, rules, inside, report, rois, labels, restored, preview)
    click.echo(f"OK {count} {rois}")
