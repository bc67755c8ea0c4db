"""`cellspan models`: what models there are."""

from __future__ import annotations

import json

import click
from cellspan.core.models.registry import find_model, list_models


@click.group()
def models() -> None:
    """List and describe the models.

    \b
    Examples:
      cellspan models list
      cellspan models info nuclei
    """


@models.command("list")
def list_() -> None:
    """One line a model: name, what it finds, its mean diameter."""
    for model in list_models():
        about = model.description
        click.echo(f"{about.name:12} {about.objects:12} mean diameter {about.mean_diameter:g} pixels")


@models.command()
@click.argument("name")
def info(name: str) -> None:
    """All that is known of a model, as JSON."""
    click.echo(json.dumps(find_model(name).description.model_dump(mode="json"), indent=1))
