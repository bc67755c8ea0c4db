"""`cellspan fiji-segment`: what the ImageJ macros call; one line out, exit code always 0."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from cellspan.core.cli.options import device_option, parameter_options
from cellspan.core.errors import CellspanError
from cellspan.core.parameters import Parameters


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
        except CellspanError as error:
            _fail(str(error))
        except Exception as error:  # noqa: BLE001 - a macro has nothing but this line
            _fail(f"{type(error).__name__}: {error}")


def _fail(sentence: str) -> NoReturn:
    click.echo("ERROR " + " ".join(sentence.split()))
    sys.exit(0)


@click.command(cls=_OneLine)
@click.option("--input", "image", required=True, type=click.Path(path_type=Path), help="Image file.")
@click.option("--rois", required=True, type=click.Path(path_type=Path), help="RoiSet.zip to write.")
@click.option("--labels", type=click.Path(path_type=Path), help="Label image (TIFF) to write as well.")
@device_option
@parameter_options
def fiji_segment(image: Path, rois: Path, labels: Path | None, device: str, parameters: Parameters) -> None:
    """Segment one image for ImageJ through the shared engine.

    Prints `OK <count> <path of the RoiSet.zip>` or `ERROR <one line>`; the exit code is always 0.

    \b
    Example:
      cellspan fiji-segment --input cells.tif --rois cells.zip --model nuclei
    """
    from cellspan.core.files import write_atomically
    from cellspan.core.service.client import Engine, EngineError

    kinds = {".tif": "image/tiff", ".tiff": "image/tiff", ".png": "image/png"}
    if image.suffix.lower() not in kinds:
        raise CellspanError(f"{image}: save the image as TIFF or PNG.")
    try:
        body = image.read_bytes()
    except OSError as error:
        raise CellspanError(f"{image}: the file cannot be read ({error.strerror}).") from None
    also = {"rois": "application/zip", **({"labels": "image/tiff"} if labels else {})}
    engine = Engine([sys.executable, "-m", "cellspan.core.cli", "serve"])
    given = {**parameters.changed(), "device": device}
    if len(Path(parameters.model).parts) > 1:
        given["model"] = str(Path(parameters.model).expanduser().absolute())  # the engine runs in another folder
    try:
        result, files = engine.run(body, kinds[image.suffix.lower()], given, also=also)
    except EngineError as error:
        raise CellspanError(str(error)) from None
    write_atomically(rois, lambda part: part.write_bytes(files["rois"]))
    if labels:
        write_atomically(labels, lambda part: part.write_bytes(files["labels"]))
    click.echo(f"OK {result.labels.max(initial=0)} {rois}")
