"""`cellspan install`: puts the plugin or the macros where CellProfiler or Fiji looks for them.

The bridges register themselves as entry points, because core knows nothing of them.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import click

from cellspan.core.errors import CellspanError


@click.group()
def install() -> None:
    """Put cellspan into CellProfiler or Fiji.

    \b
    Examples:
      cellspan install cellprofiler --to ~/CellProfiler/plugins
      cellspan install fiji --to ~/Fiji.app
    """


def _install(program: str, folder: Path) -> None:
    found = entry_points(group="cellspan.install", name=program)
    if not found:
        raise CellspanError(f"This installation of cellspan has no part for {program}; run: pip install cellspan")
    for path in next(iter(found)).load()(folder):
        click.echo(path)


@install.command()
@click.option("--to", required=True, type=click.Path(path_type=Path), help="CellProfiler's plugins folder.")
def cellprofiler(to: Path) -> None:
    """Copy the module IdentifyObjectsByFlow into CellProfiler's plugins folder (see its Preferences)."""
    _install("cellprofiler", to)
    click.echo("Restart CellProfiler; the module is IdentifyObjectsByFlow, in the category Object Processing.")


@install.command()
@click.option("--to", required=True, type=click.Path(path_type=Path), help="The folder of Fiji or ImageJ.")
def fiji(to: Path) -> None:
    """Copy the commands into Fiji or plain ImageJ."""
    _install("fiji", to)
    click.echo("Restart Fiji or ImageJ; the commands are in the menu Plugins.")
