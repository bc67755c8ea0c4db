"""`cellspan doctor`: what is installed, found and running, and what to do about what is not."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cellspan.core.cli.health import Check, checks
from cellspan.core.cli.report import report_of
from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import write_atomically


@click.command()
@click.option("--fix", is_flag=True, help="Mend what can be mended without asking, such as outdated files in Fiji.")
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write everything into this text file, for a bug report; without names of people, folders or secrets.",
)
def doctor(fix: bool, report: Path | None) -> None:
    """Say what is installed, found and running, and what to do about what is not.

    It looks for CellProfiler and Fiji in the usual places, and says whether cellspan's files in them are current.

    Exit code 0 if segmentation can work, 1 if not.

    \b
    Examples:
      cellspan doctor
      cellspan doctor --fix
      cellspan doctor --report cellspan_report.txt
    """
    found = []
    for check in checks():
        found.append(check)
        click.echo(_line(check))
    if fix:
        _mend(found)
    if report:
        text = report_of([_line(check) for check in found])
        write_atomically(report, lambda part: part.write_text(text, encoding="utf-8"))
        click.echo(f"{report}: written")
    sys.exit(0 if all(check.good or not check.needed for check in found) else 1)


def _line(check: Check) -> str:
    mark = "ok  " if check.good else ("FAIL" if check.needed else "-   ")
    return f"{mark} {check.line}"


def _mend(found: list[Check]) -> None:
    """Mend what can be, once for each way of mending it."""
    ways = dict.fromkeys(check.mend for check in found if check.mend is not None)  # one mends several faults
    if not ways:
        click.echo("Nothing here can be mended by itself.")
    for mend in ways:
        try:
            click.echo(f"+    {mend()}")
        except CellspanError as error:
            click.echo(f"+    not mended: {error}")
