"""`cellspan fiji-segment`: what the ImageJ commands call; one line out, exit code always 0.

People wait for this program whenever they press OK in ImageJ, so it loads little: the engine, which is warm, checks
the options and does the work.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from cellspan.core.errors import Cancelled, CellspanError

KINDS = {".tif": "image/tiff", ".tiff": "image/tiff", ".png": "image/png"}
FIRST_BYTES = 4096  # of a TIFF, in which ImageJ says how many planes there are


class _OneLine(click.Command):
    """ImageJ's exec() sees standard output only, so every outcome is one line there, wrong options included."""

    def main(self, *args: Any, **extra: Any) -> Any:
        return super().main(*args, **{**extra, "standalone_mode": False})

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(*args, **extra)
        except click.ClickException as error:
            _fail(error.format_message())

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            _fail(error.format_message())
        except Cancelled:
            _fail("The segmentation was cancelled.")
        except CellspanError as error:
            _fail(str(error))
        except Exception as error:  # noqa: BLE001 - a macro has nothing but this line
            _fail(f"{type(error).__name__}: {error}")


def _fail(sentence: str) -> NoReturn:
    click.echo("ERROR " + " ".join(sentence.split()))
    sys.exit(0)


def _place(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int, int, int] | None:
    """'40,25,3,0' as numbers."""
    if value is None:
        return None
    if not re.fullmatch(r"-?\d+,-?\d+,\d+,\d+", value):
        raise click.BadParameter(f"'{value}' is not X,Y,SLICE,FRAME.")
    x, y, z, t = map(int, value.split(","))
    return x, y, z, t


@click.command(cls=_OneLine, context_settings={"ignore_unknown_options": True})
@click.option("--input", "image", required=True, type=click.Path(path_type=Path), help="Image file: TIFF or PNG.")
@click.option("--rois", required=True, type=click.Path(path_type=Path), help="RoiSet.zip to write.")
@click.option("--labels", type=click.Path(path_type=Path), help="Label image (TIFF) to write as well.")
@click.option("--link", is_flag=True, help="The same object has the same number in every frame.")
@click.option(
    "--inside",
    type=click.Path(path_type=Path),
    help="Image of the input's size, 0 outside a selection: objects whose centre is outside are dropped.",
)
@click.option(
    "--at",
    "place",
    callback=_place,
    metavar="X,Y,SLICE,FRAME",
    help="Where in the whole image the first pixel of the input is; slice and frame from 1, 0 = there is only one.",
)
@click.option(
    "--hyperstack/--no-hyperstack",
    default=None,
    help="ROIs belong to a slice and a frame of a hyperstack, or to a slice of a plain stack.  [default: as the input]",
)
@click.option("--watch", is_flag=True, help="Progress on standard error; cancel when standard input is closed.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def fiji_segment(
    image: Path,
    rois: Path,
    labels: Path | None,
    link: bool,
    inside: Path | None,
    place: tuple[int, int, int, int] | None,
    hyperstack: bool | None,
    watch: bool,
    options: tuple[str, ...],
) -> None:
    """Segment an image or a stack for ImageJ through the shared engine, each plane for itself or as volumes.

    OPTIONS are those of `cellspan segment`. Prints `OK <number of ROIs> <path of the RoiSet.zip>` or `ERROR <one
    line>`; the exit code is always 0.

    \b
    Examples:
      cellspan fiji-segment --input cells.tif --rois cells.zip --model nuclei
      cellspan fiji-segment --input movie.tif --rois movie.zip --link --model nuclei --diameter 30
    """
    given = _parameters(options)
    report = _reporter() if watch else None
    kind = KINDS.get(image.suffix.lower())
    if kind is None:
        raise CellspanError(f"{image}: save the image as TIFF or PNG.")
    try:
        body = image.read_bytes()
    except OSError as error:
        raise CellspanError(f"{image}: the file cannot be read ({error.strerror}).") from None
    if place is None and inside is None and _is_single_plane(body, kind):
        count = _segment_plane(body, kind, given, report, rois, labels)
    else:
        from cellspan.core.cli.fiji_stack import Layout, segment_stack

        layout = Layout(place, hyperstack, link)
        count = segment_stack(image, body, given, layout, inside, engine(), report, rois, labels)
    click.echo(f"OK {count} {rois}")


def engine() -> Any:
    """The client of the shared engine, which starts it if it does not run."""
    from cellspan.core.service.client import Engine

    return Engine([sys.executable, "-m", "cellspan.core.cli", "serve"], interactive=True)


def _segment_plane(
    body: bytes,
    kind: str,
    given: dict[str, Any],
    report: Callable[[float, str], None] | None,
    rois: Path,
    labels: Path | None,
) -> int:
    """The engine's own files of a single plane, as they are: the quick way."""
    from cellspan.core.files.writing import write_atomically
    from cellspan.core.service.client import EngineError

    also = {"rois": "application/zip", **({"labels": "image/tiff"} if labels else {})}
    try:
        result, files = engine().run(body, kind, given, report, also, labels=False)
    except EngineError as error:
        raise CellspanError(str(error)) from None
    write_atomically(rois, lambda part: part.write_bytes(files["rois"]))
    if labels:
        write_atomically(labels, lambda part: part.write_bytes(files["labels"]))
    note(result.notes, report)
    return int(result.count)


def _parameters(words: tuple[str, ...]) -> dict[str, Any]:
    """`--flow-threshold 0.9 --invert --no-resample` as {flow_threshold: "0.9", invert: True, resample: False}.

    The engine knows which there are.
    """
    given: dict[str, Any] = {}
    words_left = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    while words_left:
        word = words_left.pop(0)
        if not word.startswith("--"):
            raise CellspanError(f"'{word}' does not belong to an option; options begin with two hyphens.")
        name = word[2:].replace("-", "_")
        if words_left and not words_left[0].startswith("--"):
            given[name] = words_left.pop(0)
        else:
            given[name.removeprefix("no_")] = not name.startswith("no_")
    if isinstance(given.get("model"), str):
        from cellspan.core.service.client import model_for_engine

        given["model"] = model_for_engine(given["model"])
    return given


def _is_single_plane(body: bytes, kind: str) -> bool:
    """Whether a file is surely one plane with all its channels: what ImageJ wrote says so itself."""
    if kind != "image/tiff":
        return True
    start = body[:FIRST_BYTES]
    counts = {name.decode(): int(number) for name, number in re.findall(rb"\n(images|channels)=(\d+)", start)}
    return b"ImageJ=" in start and counts.get("images", 1) == counts.get("channels", 1)


def _reporter() -> Callable[[float, str], None]:
    """Prints `PROGRESS 0.43 words`; raises Cancelled once standard input is closed."""
    closed = threading.Event()

    def wait_for_end() -> None:
        # Not through sys.stdin, whose lock would be held when Python ends.
        while os.read(0, 1024):
            pass
        closed.set()

    threading.Thread(target=wait_for_end, daemon=True).start()

    def report(fraction: float, words: str) -> None:
        if closed.is_set():
            raise Cancelled
        click.echo(f"PROGRESS {fraction:.2f} {words}", err=True)

    return report


def note(notes: list[str], report: Callable[[float, str], None] | None) -> None:
    """What a person should know of the result goes to those who watch."""
    for sentence in dict.fromkeys(notes) if report is not None else ():
        click.echo(f"NOTE {sentence}", err=True)
