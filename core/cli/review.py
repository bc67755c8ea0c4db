"""`cellspan review`: images and their objects in the browser, to look at, correct, accept and teach a model with."""

from __future__ import annotations

import json
import os
import sys
import webbrowser
from pathlib import Path

import click

from cellspan.core.cli.options import parameter_options
from cellspan.core.errors import CellspanError
from cellspan.core.parameters import Parameters
from cellspan.core.service.client import Engine, EngineError, find_engine


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder of the results.  [default: DIR/cellspan_results]"
)
@click.option("--no-browser", is_flag=True, help="Only print the link; it opens the page once, within five minutes.")
@parameter_options
def review(folder: Path, output: Path | None, no_browser: bool, parameters: Parameters) -> None:
    """Review a folder of images in the browser: look, correct, accept, save, teach.

    DIR holds images, with or without results, or it is the results folder of a run. Images without results can be
    segmented from the page. The page is served by the engine, to this computer and this user only. Every correction is
    saved at once in the results folder, below review/; close the browser whenever you like and go on later with the
    same command.

    \b
    Examples:
      cellspan review plate1/ -o results
      cellspan review results/
      cellspan review new_images/ --model nuclei --diameter 25
    """
    if not folder.is_dir():
        raise CellspanError(f"{folder}: there is no such folder; give a folder of images or of results.")
    asked = {
        "folder": str(folder.absolute()),
        "results": None if output is None else str(output.absolute()),
        "parameters": parameters.model_dump(mode="json", include=parameters.model_fields_set),
        "here": os.getcwd(),
    }
    command = [sys.executable, "-m", "cellspan.core.cli", "serve"]
    try:
        headers = {"Content-Type": "application/json"}
        answer = Engine(command).connect().json("POST", "/v1/reviews", json.dumps(asked).encode(), headers)
        address = str(find_engine(command).record["address"])
    except (EngineError, KeyError) as error:
        raise CellspanError(str(error)) from None
    link = address + answer["path"]
    click.echo(f"The review page is open for one browser at {link}")
    if not no_browser and not webbrowser.open(link):
        click.echo("Note: no browser could be started; open the link in one on this computer.", err=True)
