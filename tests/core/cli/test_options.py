"""Options of the command line, made from those of core."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from cellspan.core.cli.options import parameter_options
from cellspan.core.parameters import Parameters

pytestmark = pytest.mark.quick


@click.command()
@parameter_options
def command(parameters: Parameters) -> None:
    """Tell the parameters."""
    click.echo(parameters.model_dump_json(exclude_defaults=True))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--channel 0,2 --combine maximum", Parameters(channel=(0, 2), combine="maximum")),
        ("--limits -100,400.5", Parameters(limits=(-100, 400.5))),
        ("--limits none --normalize 2,98", Parameters(normalize=(2, 98))),
        ("--tile-norm 100 --sharpen 7.5 --smooth 2", Parameters(tile_norm=100, sharpen=7.5, smooth=2)),
    ],
)
def test_words_become_parameters(words: str, expected: Parameters) -> None:
    done = CliRunner().invoke(command, words.split())
    assert Parameters.model_validate_json(done.output) == expected


def test_help_says_what_a_value_looks_like() -> None:
    text = CliRunner().invoke(command, ["--help"], terminal_width=200).output
    for words in ("--channel INTEGER,...", "--combine mean|maximum", "--limits LOW,HIGH", "--normalize LOW,HIGH"):
        assert words in text
    for words in ("--tile-norm INTEGER", "--sharpen NUMBER", "[default: 1,99]", "--invert / --no-invert"):
        assert words in text
    assert all(f"--{name.replace('_', '-')}" in text for name in Parameters.model_fields)
