"""The macros offer the engine's settings under the engine's names and defaults."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from cellspan.core.parameters import Parameters

pytestmark = pytest.mark.quick

SETTINGS = ["model", "diameter", "flow_threshold", "cellprob_threshold", "min_size", "exclude_on_edges", "combine"]
SETTINGS += ["normalize", "limits", "tile_norm", "sharpen", "smooth"]
COUNTED_FROM_ONE = {"channel", "nuclei"}  # as ImageJ does; 0 stands for the one shown, or none
FROM_THE_IMAGE = {"anisotropy"}  # 0 stands for what the image's calibration says
SCRIPTS = sorted(path.name for path in files("cellspan.macros").iterdir() if path.name.endswith(".groovy"))
COMMANDS = [name for name in SCRIPTS if name[0].isupper()]


def text(name: str) -> str:
    return files("cellspan.macros").joinpath(name).read_text(encoding="utf-8")


def in_macro() -> dict[str, str]:
    """Names and defaults in the macro."""
    names, values = (
        re.findall(
            r'"(.*?)"',
            re.search(rf"^var {variable} = newArray\((.*?)\);$", text("cellspan_Segment.ijm"), re.M | re.S)[1],
        )
        for variable in ("names", "values")
    )
    return dict(zip(names, values, strict=True))


def in_script() -> dict[str, str]:
    """Names and defaults in the script."""
    fields = re.findall(r"^#@ \w+ +\((.*?)\) (\w+)$", text("Segment_Cells.groovy"), re.M)
    found = {name: re.search(r'\bvalue=(?:"([^"]*)"|([^,]*))', options) for options, name in fields}
    return {name: value[1] or value[2] for name, value in found.items()}


def engine_settings(offered: dict[str, str]) -> dict[str, str]:
    """Those that mean the same as in the engine."""
    return {k: v for k, v in offered.items() if k in set(Parameters.model_fields) - COUNTED_FROM_ONE - FROM_THE_IMAGE}


@pytest.mark.parametrize("offered", [in_macro, in_script])
def test_names_and_defaults_are_those_of_the_engine(offered) -> None:
    settings = engine_settings(offered())
    assert set(settings) >= set(SETTINGS)
    assert Parameters(**settings) == Parameters()


def test_the_dialog_asks_for_every_setting() -> None:
    # ImageJ makes the name in recorded macros from the first word of the label, in lower case.
    labels = re.findall(r'Dialog\.add(?:String|Number|Checkbox|Choice)\("(\w+)', text("cellspan_Segment.ijm"))
    assert [label.lower() for label in labels] == list(in_macro())


@pytest.mark.parametrize("name", COMMANDS)
def test_no_key_ends_like_another(name: str) -> None:
    # ImageJ's Macro.getValue finds `channel=` in nuclei_channel=2, too.
    keys = re.findall(r"^#@ .*?(\w+)$", text(name), re.M)
    assert [(a, b) for a in keys for b in keys if a != b and b.endswith(a) and not b[: -len(a)][-1].isalpha()] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_the_scripts_do_not_remember_settings_from_call_to_call(name: str) -> None:
    # Else run("Segment Cells", "model=nuclei") would give other results after another run.
    fields = re.findall(r"^#@ \w+ +\(.*$", text(name), re.M)
    assert all("persist=false" in field for field in fields)


@pytest.mark.parametrize("name", ["cellspan_Segment.ijm", *SCRIPTS])
def test_macros_are_ascii(name: str) -> None:
    # ImageJ reads macros as Latin-1, whatever they are.
    assert text(name).isascii()
