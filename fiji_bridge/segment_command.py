"""`cellspan fiji-segment`: the command that ImageJ's macros run to segment an image, a stack or a hyperstack.

People wait for this program whenever they press OK in ImageJ, so it loads little: the engine, which is warm, checks
the options and does the work.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from cellspan.core.errors import CellspanError
from cellspan.fiji_bridge.answers import AnsweringCommand, Report, reporter, tell_notes
from cellspan.fiji_bridge.recent import RECENT
from cellspan.fiji_bridge.through_engine import engine_errors, parameters_from, shared_engine

KINDS = {".tif": "image/tiff", ".tiff": "image/tiff", ".png": "image/png"}
FIRST_BYTES = 4096  # of a TIFF, in which ImageJ says how many planes there are
SMALL = 1 << 26  # bytes that fit into the memory of any computer that runs ImageJ


def _origin(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int, int, int] | None:
    """'40,25,3,0' as numbers."""
    if value is None:
        return None
    if not re.fullmatch(r"-?\d+,-?\d+,\d+,\d+", value):
        raise click.BadParameter(f"'{value}' is not X,Y,SLICE,FRAME.")
    x, y, z, t = map(int, value.split(","))
    return x, y, z, t


@click.command(cls=AnsweringCommand, context_settings={"ignore_unknown_options": True})
@click.option("--input", "image", required=True, type=click.Path(path_type=Path), help="Image file: TIFF or PNG.")
@click.option("--rois", required=True, type=click.Path(path_type=Path), help="RoiSet.zip to write.")
@click.option("--labels", type=click.Path(path_type=Path), help="Label image (TIFF) to write as well.")
@click.option("--link", is_flag=True, help="Give an object the same number in every frame.")
@click.option(
    "--tracks", type=click.Path(path_type=Path), help="With --link: table (CSV) of tracks and parents to write."
)
@click.option(
    "--inside",
    type=click.Path(path_type=Path),
    help="Image as wide and high as the input, 0 outside a selection: drop objects whose centre is outside.",
)
@click.option(
    "--at",
    "origin",
    callback=_origin,
    metavar="X,Y,SLICE,FRAME",
    help="Where the first pixel of the input is in the whole image; slice and frame count from 1, 0 = only one.",
)
@click.option(
    "--hyperstack/--no-hyperstack",
    default=None,
    help="Bind ROIs to slice and frame of a hyperstack, or to a plane of a plain stack.  [default: like the input]",
)
@click.option(
    "--restored", type=click.Path(path_type=Path), help="TIFF to write as well: the image as --restore made it."
)
@click.option(
    "--preview",
    is_flag=True,
    help="Keep what the network saw in a plane; the same plane with other thresholds then takes no time in a worker.",
)
@click.option("--watch", is_flag=True, help="Show progress on standard error; cancel when standard input is closed.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def fiji_segment(
    of_worker: Report | None,
    image: Path,
    rois: Path,
    labels: Path | None,
    link: bool,
    tracks: Path | None,
    inside: Path | None,
    origin: tuple[int, int, int, int] | None,
    hyperstack: bool | None,
    restored: Path | None,
    preview: bool,
    watch: bool,
    options: tuple[str, ...],
) -> None:
    """Segment an image or a stack for ImageJ with the shared engine, plane by plane or as volumes.

    OPTIONS are those of `cellspan segment`. Prints `OK <number of ROIs> <path of the RoiSet.zip>` or
    `ERROR <sentence>`; the exit code is always 0. With `cellspan --for-programs fiji-segment`, a line of JSON with the
    error's code, sentence and fields follows.

    \b
    Examples:
      cellspan fiji-segment --input cells.tif --rois cells.zip --model nuclei
      cellspan fiji-segment --input movie.tif --rois movie.zip --link --model nuclei --diameter 30
    """
    parameters = parameters_from(options)
    report = of_worker or (reporter() if watch else None)
    kind = KINDS.get(image.suffix.lower())
    if kind is None:
        raise CellspanError(f"{image}: save the image as TIFF or PNG.")
    if origin is None and inside is None and is_single_plane(_content(image, FIRST_BYTES), kind):
        count = _segment_plane(image, kind, parameters, report, rois, labels, restored, preview)
    else:
        from cellspan.fiji_bridge.stack_segmenting import Layout, segment_stack

        layout = Layout(origin, hyperstack, link, preview)
        count = segment_stack(image, parameters, layout, inside, report, rois, labels, tracks, restored)
    click.echo(f"OK {count} {rois}")


def _segment_plane(
    image: Path,
    kind: str,
    parameters: dict[str, Any],
    report: Report | None,
    rois: Path,
    labels: Path | None,
    restored: Path | None,
    preview: bool,
) -> int:
    """A single plane takes the quick way: its file goes to the engine, and the engine's own files come back."""
    from cellspan.core.files.writing import write_atomically

    also = {"rois": "application/zip", **({"labels": "image/tiff"} if labels else {})}
    also |= {"restored": "application/x-npy"} if restored else {}
    with engine_errors():
        content = _content(image)
        result, files = RECENT.run(shared_engine(), content, kind, parameters, report, also, labels=False, keep=preview)
    write_atomically(rois, lambda part: part.write_bytes(files["rois"]))
    if labels:
        write_atomically(labels, lambda part: part.write_bytes(files["labels"]))
    if restored:
        from cellspan.core.files.npy import load_npy  # numpy and tifffile, which others need not wait for
        from cellspan.fiji_bridge.restored import write_restored

        write_restored(restored, [[load_npy(files["restored"])]])
    tell_notes(result.notes, report)
    return result.count


def _content(image: Path, most: int = -1) -> bytes:
    """The bytes of a file, or its first ones; raises CellspanError, also if it does not fit into the memory."""
    from cellspan.core.files.regular import open_regular, size_of

    try:
        with open_regular(image) as file:
            size = size_of(file)
            if most < 0 and size > SMALL:
                from cellspan.core.machine.memory import require_memory  # slow to import

                require_memory(size, f"{image}: sending this file to the engine", "segment a part of the image")
            return file.read(most)
    except OSError as error:
        raise CellspanError(f"{image}: the file cannot be read ({error.strerror}).") from None


def is_single_plane(start: bytes, kind: str) -> bool:
    """Whether a file that begins so is surely one plane with all its channels; ImageJ's own files say so."""
    if kind != "image/tiff":
        return True
    start = start[:FIRST_BYTES]
    counts = {name.decode(): int(number) for name, number in re.findall(rb"\n(images|channels)=(\d+)", start)}
    return b"ImageJ=" in start and counts.get("images", 1) == counts.get("channels", 1)
