"""`cellspan install`: puts the plugin or the macros where CellProfiler or Fiji looks for them.

The bridges register themselves as entry points, because core knows nothing of them: an entry point names the function
`install` of a module that has `check` and `remove` beside it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, cast

import click

from cellspan.core.errors import CellspanError
from cellspan.core.files.installed import Finding

MARKS = {True: "ok  ", False: "FAIL", None: "-   "}


class Bridge(Protocol):
    """The module of a bridge that installs it."""

    def install(self, folder: Path) -> list[Path]:
        """Write the files into the folder; the files that were written."""

    def check(self, folder: Path, program: Path | None) -> Iterable[Finding]:
        """What holds of the files in the folder; `program` is the other program, if it is known."""

    def remove(self, folder: Path) -> list[Path]:
        """Delete what `install` wrote; the files that were deleted."""


@click.group()
def install() -> None:
    """Put cellspan into CellProfiler or Fiji, look at what is there, or remove it.

    \b
    Examples:
      cellspan install cellprofiler --to ~/CellProfiler/plugins
      cellspan install cellprofiler --to ~/CellProfiler/plugins --check
      cellspan install fiji --to ~/Fiji.app
      cellspan install fiji --to ~/Fiji.app --remove
    """


def _what_to_do(command: Callable[..., None]) -> Callable[..., None]:
    """The two options that every program has."""
    look = click.option("--check", is_flag=True, help="Only look at what is there; exit code 1 if something is wrong.")
    take = click.option("--remove", is_flag=True, help="Delete the files that cellspan installed, and nothing else.")
    return look(take(command))


def _run(name: str, folder: Path, check: bool, remove: bool, program: Path | None, afterwards: str) -> None:
    if check and remove:
        raise click.UsageError("--check and --remove exclude each other.")
    bridge = _bridge(name)
    if remove:
        _remove(bridge, folder)
        return
    if not check:
        for path in bridge.install(folder):
            click.echo(path)
    healthy = True
    for finding in bridge.check(folder, program):
        click.echo(f"{MARKS[finding.good]} {finding.text}")
        healthy = healthy and finding.good is not False
    if not healthy:
        sys.exit(1)
    if not check:
        click.echo(afterwards)


def _remove(bridge: Bridge, folder: Path) -> None:
    deleted = bridge.remove(folder)
    for path in deleted:
        click.echo(f"removed {path}")
    if not deleted:
        click.echo(f"{folder}: nothing of cellspan is there.")


def _bridge(name: str) -> Bridge:
    found = entry_points(group="cellspan.install", name=name)
    if not found:
        raise CellspanError(f"This installation of cellspan has no part for {name}; run: pip install cellspan")
    return cast(Bridge, import_module(next(iter(found)).module))


@install.command()
@click.option("--to", required=True, type=click.Path(path_type=Path), help="CellProfiler's plugins folder.")
@_what_to_do
@click.option(
    "--cellprofiler",
    "program",
    type=click.Path(path_type=Path),
    help="A Python with CellProfiler, or its command: is asked to load the module. Found by itself on the PATH.",
)
def cellprofiler(**options: Any) -> None:
    """Copy the module IdentifyObjectsByFlow into CellProfiler's plugins folder (see its Preferences) and check it."""
    told = "Restart CellProfiler; the module is IdentifyObjectsByFlow, in the category Object Processing."
    _run("cellprofiler", options.pop("to"), **options, afterwards=told)


@install.command()
@click.option("--to", required=True, type=click.Path(path_type=Path), help="The folder of Fiji or ImageJ.")
@_what_to_do
def fiji(**options: Any) -> None:
    """Copy the commands into Fiji or plain ImageJ and check them."""
    told = "Restart Fiji or ImageJ; the commands are in the menu Plugins."
    _run("fiji", options.pop("to"), **options, program=None, afterwards=told)
