"""`cellspan migrate`: converts Cellpose steps in pipelines and macros to cellspan.

core does not import the bridges, so they register, by file suffix, what they can convert.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import click

from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import write_atomically


@click.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path), required=False)
@click.option("--overwrite", is_flag=True, help="Replace NEW if it exists.")
def migrate(old: Path, new: Path | None, overwrite: bool) -> None:
    """Convert Cellpose steps to cellspan.

    Converts RunCellpose in a CellProfiler pipeline (OLD.cppipe) or project (OLD.cpproj), or Cellpose in an ImageJ
    macro (OLD.ijm), and leaves everything else unchanged. NEW defaults to OLD_cellspan in the same folder. Settings
    without an equivalent are listed.

    \b
    Examples:
      cellspan migrate old.cppipe new.cppipe
      cellspan migrate old.ijm
    """
    found = {point.name: point for point in entry_points(group="cellspan.migrate")}
    suffix = old.suffix.lower().removeprefix(".")
    if suffix not in found:
        known = " or ".join(f".{name}" for name in sorted(found))
        raise CellspanError(f"{old}: this type of file cannot be migrated; give a {known} file.")
    if not old.is_file():
        raise CellspanError(f"{old}: there is no such file.")
    convert = found[suffix].load()
    made = getattr(convert, "suffix", old.suffix)  # a project becomes a pipeline
    new = new or old.with_name(f"{old.stem}_cellspan{made}")
    if made != old.suffix and new.suffix.lower() == old.suffix.lower():
        raise CellspanError(f"{new}: what is made of {old.name} is a {made} file; give a name that ends so.")
    if new.exists() and not overwrite:
        raise CellspanError(f"{new}: the file already exists; give another name or add --overwrite.")
    content, report = convert(old)
    write_atomically(new, lambda path: path.write_bytes(content))
    for line in report:
        click.echo(line)
    click.echo(new)
