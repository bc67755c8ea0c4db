"""`cellspan migrate`: turns steps of other programs in pipelines and macros into ours.

The bridges register by suffix what they can read, because core knows nothing of them.
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
    """Turn steps of other programs into ours.

    That is RunCellpose in a CellProfiler pipeline (OLD.cppipe), and Cellpose in an ImageJ macro (OLD.ijm). Everything
    else stays as it is. NEW defaults to OLD_cellspan beside it. What has no counterpart is named.

    \b
    Examples:
      cellspan migrate old.cppipe new.cppipe
      cellspan migrate old.ijm
    """
    found = {point.name: point for point in entry_points(group="cellspan.migrate")}
    suffix = old.suffix.lower().removeprefix(".")
    if suffix not in found:
        known = " or ".join(f".{name}" for name in sorted(found))
        raise CellspanError(f"{old}: this kind of file cannot be migrated; give a {known} file.")
    new = new or old.with_name(f"{old.stem}_cellspan{old.suffix}")
    if not old.is_file():
        raise CellspanError(f"{old}: there is no such file.")
    if new.exists() and not overwrite:
        raise CellspanError(f"{new}: the file exists; give another name or --overwrite.")
    content, report = found[suffix].load()(old)
    write_atomically(new, lambda path: path.write_bytes(content))
    for line in report:
        click.echo(line)
    click.echo(new)
