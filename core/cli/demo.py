"""`cellspan demo`: a simulated picture through the whole path, offline, right after installing."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cellspan.core.cli.options import device_option


@click.command()
@click.option(
    "-o",
    "--output",
    default="cellspan_demo",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder for the results.",
)
@device_option
def demo(output: Path, device: str) -> None:
    """Segment a simulated field of nuclei and write every kind of result.

    Open demo_overlay.png to see the outlines, or drop demo_rois.zip onto ImageJ.

    \b
    Example:
      cellspan demo -o look_at_me
    """
    import tifffile

    from cellspan.core.files.regular import readable
    from cellspan.core.files.writing import make_folder, write_atomically
    from cellspan.core.objects.metrics import average_precision
    from cellspan.core.parameters import Parameters
    from cellspan.core.pictures.inputs import Input
    from cellspan.core.pictures.reading import read_labels
    from cellspan.core.results.batch import Batch, segment_files
    from cellspan.core.results.outputs import ENDINGS
    from cellspan.core.segmenter import Segmenter
    from cellspan.core.training.simulate import simulate_nuclei

    make_folder(output)
    field = simulate_nuclei()
    picture = write_atomically(output / "demo.tif", lambda part: tifffile.imwrite(part, field.image))
    parameters = Parameters(model="nuclei")
    batch = Batch(
        Segmenter("nuclei", device),
        output,
        parameters,
        [kind for kind in ENDINGS if kind != "restored"],
        existing="overwrite",
    )
    [record] = segment_files(batch, [Input(picture, Path())]).records
    if "error" in record:
        click.echo(readable(record["error"]), err=True)
        sys.exit(1)
    found = read_labels(output / "demo_labels.tif")
    precision = average_precision(field.labels, found, (0.5,))[0]
    click.echo(
        f"Found {record['objects']} of {field.labels.max()} simulated nuclei (AP@0.5 {precision:.2f}) "
        f"in {record['seconds']:.1f} s; look at {readable(output / 'demo_overlay.png')}"
    )
