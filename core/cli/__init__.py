"""The `cellspan` command: one file per group of verbs, loaded only when used."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import NoReturn

import click

from cellspan.core.errors import CellspanError

# verb -> (module, function, one line for --help); modules are imported only when used, so that --help is instant
VERBS = {
    "segment": ("segment", "segment", "Find cells or nuclei in images, folders or patterns."),
    "demo": ("demo", "demo", "Segment a simulated image: try this first."),
    "restore": ("restore", "restore", "Take noise or blur out of images, without looking for objects."),
    "review": ("review", "review", "Look at results in the browser, correct them, teach a model with them."),
    "evaluate": ("evaluate", "evaluate", "Score label images against annotated ones."),
    "train": ("train", "train", "Train or fine-tune a model on annotated images."),
    "models": ("models", "models", "List, fetch, import and export models."),
    "serve": ("service", "serve", "Run the engine that CellProfiler and Fiji share."),
    "service": ("service", "service", "Show or stop the running engine."),
    "migrate": ("migrate", "migrate", "Convert RunCellpose pipelines and Cellpose macros to cellspan."),
    "install": ("install", "install", "Install cellspan in CellProfiler or Fiji."),
    "doctor": ("doctor", "doctor", "Check the installation and say how to fix it."),
}

# verbs of the bridges, found by entry point because core does not import them, with their line for --help
BRIDGED = {
    "batch": "Run a CellProfiler pipeline over many images, in parallel.",
    "fiji-segment": "Segment one image for an ImageJ macro.",
    "fiji-cells": "Segment cells and pair them with their nuclei for ImageJ.",
    "fiji-link": "Give the objects of a time-lapse numbers that stay, for ImageJ.",
    "fiji-worker": "Segment one image after another for ImageJ's commands.",
}


class _Group(click.Group):
    """Loads verbs lazily and turns a CellspanError into one line and exit code 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*VERBS, *BRIDGED]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in BRIDGED:
            return _bridged(cmd_name)
        if cmd_name not in VERBS:
            return None
        module, function, _ = VERBS[cmd_name]
        command: click.Command = getattr(import_module(f"cellspan.core.cli.{module}"), function)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([*((name, line) for name, (_, _, line) in VERBS.items()), *BRIDGED.items()])

    def invoke(self, ctx: click.Context) -> None:
        try:
            super().invoke(ctx)
        except CellspanError as error:
            _fail(ctx, error)
        except click.UsageError as error:
            if not ctx.params["for_programs"]:
                raise
            _fail(ctx, CellspanError(error.format_message(), "usage"))


def _fail(ctx: click.Context, error: CellspanError) -> NoReturn:
    from cellspan.core.cli.programs import problem_line

    click.echo(problem_line(error) if ctx.params["for_programs"] else f"cellspan: {error}", err=True)
    sys.exit(2)


def _bridged(name: str) -> click.Command:
    from importlib.metadata import PackageNotFoundError, distribution  # slow to import

    missing = CellspanError(f"The command `{name}` is missing; run: pip install --force-reinstall cellspan")
    try:
        # Those of cellspan alone: to look through all packages takes longer than what a quick verb does.
        found = distribution("cellspan").entry_points.select(group="cellspan.verbs", name=name)
    except PackageNotFoundError:
        raise missing from None
    if not found:
        raise missing
    command: click.Command = next(iter(found)).load()
    return command


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cellspan")
@click.option(
    "--for-programs",
    is_flag=True,
    help="Print errors as lines of JSON (code, sentence, fields) and notes as lines NOTE ..., for programs.",
)
def main(for_programs: bool) -> None:
    """Find every cell or nucleus in microscope images.

    \b
    Examples:
      cellspan demo
      cellspan segment images/ -o results --model nuclei
    """
