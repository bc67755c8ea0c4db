"""The macros offer the engine's settings under the engine's names and defaults."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from cellspan.core.parameters import Parameters

pytestmark = pytest.mark.quick

SETTINGS = ["model", "diameter", "flow_threshold", "cellprob_threshold", "min_size", "exclude_on_edges"]


def text(name: str) -> str:
    return files("cellspan.macros").joinpath(name).read_text(encoding="utf-8")


def in_macro() -> dict[str, str]:
    """Names and defaults in the macro."""
    names, values = (
        re.findall(
            r'"(.*?)"', re.search(rf"^var {variable} = newArray\((.*)\);$", text("cellspan_Segment.ijm"), re.M)[1]
        )
        for variable in ("names", "values")
    )
    return dict(zip(names, values, strict=True))


def in_script() -> dict[str, str]:
    """Names and defaults in the script."""
    fields = re.findall(r"^#@ \w+ +\((.*?)\) (\w+)$", text("Segment_Cells.groovy"), re.M)
    return {name: re.search(r'value="?([^",]*)', options)[1] for options, name in fields}


@pytest.mark.parametrize("offered", [in_macro, in_script])
def test_names_and_defaults_are_those_of_the_engine(offered) -> None:
    settings = offered()
    assert list(settings) == SETTINGS
    assert Parameters(**settings) == Parameters()


def test_the_dialog_asks_for_every_setting() -> None:
    # ImageJ makes the name in recorded macros from the first word of the label, in lower case.
    labels = re.findall(r'Dialog\.add(?:String|Number|Checkbox)\("(\w+)', text("cellspan_Segment.ijm"))
    assert [label.lower() for label in labels] == SETTINGS


def test_the_script_does_not_remember_settings_from_call_to_call() -> None:
    # Else run("Segment Cells", "model=nuclei") would give other results after another run.
    assert text("Segment_Cells.groovy").count("persist=false") == len(SETTINGS)


@pytest.mark.parametrize("name", ["cellspan_Segment.ijm", "Segment_Cells.groovy"])
def test_macros_are_ascii(name: str) -> None:
    # ImageJ reads macros as Latin-1, whatever they are.
    assert text(name).isascii()
