"""`cellspan install`: copies the plugin or the macros to where CellProfiler or Fiji looks for them.

core does not import the bridges, so they register as entry points: each names the function `install` of a module that
also has `check` and `remove`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, cast

import click

from cellspan.core.errors import CellspanError
from cellspan.core.files.installed import Finding

MARKS = {True: "ok  ", False: "FAIL", None: "-   "}


class Bridge(Protocol):
    """A bridge's module that installs it."""

    def install(self, folder: Path) -> list[Path]:
        """Write the files into the folder; returns the files written."""

    def check(self, folder: Path, program: Path | None) -> Iterable[Finding]:
        """Findings about the files in the folder; `program` is CellProfiler or Fiji, if known."""

    def remove(self, folder: Path) -> list[Path]:
        """Delete what `install` wrote; returns the files deleted."""

    def is_installed(self, folder: Path) -> bool:
        """Whether any of our files are in the folder."""

    def find(self) -> list[Path]:
        """The program's folders on this computer."""


@click.group()
def install() -> None:
    """Install cellspan in CellProfiler or Fiji, check it, or remove it.

    \b
    Examples:
      cellspan install cellprofiler --to ~/CellProfiler/plugins
      cellspan install cellprofiler --to ~/CellProfiler/plugins --check
      cellspan install fiji --to ~/Fiji.app
      cellspan install fiji --to ~/Fiji.app --remove
    """


def _what_to_do(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that all programs share."""
    look = click.option("--check", is_flag=True, help="Only check the installation; exit code 1 if something is wrong.")
    take = click.option("--remove", is_flag=True, help="Delete the files that cellspan installed and no others.")
    return look(take(command))


def _run(name: str, folder: Path, check: bool, remove: bool, program: Path | None, afterwards: str) -> None:
    if check and remove:
        raise click.UsageError("Give --check or --remove, not both.")
    bridge = _bridge(name)
    if remove:
        _remove(bridge, folder)
        return
    if not check:
        bridge.install(folder)  # the findings below say how many files there are, and where
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
        click.echo(f"{folder}: cellspan is not installed here.")


def bridges() -> Iterator[tuple[str, Bridge]]:
    """Name and module of every bridge."""
    for entry in sorted(entry_points(group="cellspan.install")):
        yield entry.name, cast(Bridge, import_module(entry.module))


def _bridge(name: str) -> Bridge:
    found = dict(bridges())
    if name not in found:
        raise CellspanError(f"This installation of cellspan has no support for {name}; run: pip install cellspan")
    return found[name]


@install.command()
@click.option("--to", required=True, type=click.Path(path_type=Path), help="CellProfiler's plugins folder.")
@_what_to_do
@click.option(
    "--cellprofiler",
    "program",
    type=click.Path(path_type=Path),
    help="The cellprofiler program or a Python with CellProfiler, to test that the module loads.  [default: from PATH]",
)
def cellprofiler(**options: Any) -> None:
    """Copy IdentifyObjectsByFlow into CellProfiler's plugins folder (see its Preferences) and check it."""
    told = "Restart CellProfiler; IdentifyObjectsByFlow is in the category Object Processing."
    _run("cellprofiler", options.pop("to"), **options, afterwards=told)


@install.command()
@click.option("--to", required=True, type=click.Path(path_type=Path), help="The folder of Fiji or ImageJ.")
@_what_to_do
def fiji(**options: Any) -> None:
    """Copy the commands into Fiji or plain ImageJ and check them."""
    told = "Restart Fiji or ImageJ; the commands are in the Plugins menu."
    _run("fiji", options.pop("to"), **options, program=None, afterwards=told)
