"""The page docs/options.md: every option of a segmentation, and what it is called behind every door.

    python -m tests.docs.options_page            writes the page anew

Names and defaults come from `core.parameters`, the module's labels, and the command's fields; only the names that
differ are listed here.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

from cellspan.core.parameters import Parameters

from .labels import plugin_labels

PAGE = Path(__file__).parents[2] / "docs" / "options.md"
CELLPROFILER = {  # option -> attributes of the module that say it under another name
    "channel": ("x_name", "second_image", "third_image"),
    "nuclei_channel": ("nuclei_image",),
    "exclude_on_edges": ("discard_border",),
    "min_size": ("min_size", "diameter_range"),
    "max_size_fraction": ("diameter_range",),
    "normalize": ("percentiles",),
    "do_3d": ("method_3d",),
    "restore": ("restore", "restore_model"),
}
FIJI = {"nuclei_channel": "nuclei", "do_3d": "planes"}  # option -> key of Segment Cells
HEAD = """\
# Every option, through every door

An option has the same meaning and the same default in every program. In Python, it is a field of `Parameters`; over
HTTP, a parameter of the address; on the command line, an option with dashes in place of underscores
(`flow_threshold` is `--flow-threshold`, and `--no-...` turns a yes into a no).

In CellProfiler, channels are images that NamesAndTypes names, objects at the border are discarded unless you say
otherwise, and sizes are limited by a range of diameters. In Fiji, channels count from 1. A dash means that the program
has no such option, because it does not need one or always uses the default.

| option | default | meaning | CellProfiler | Fiji |
|---|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(_row(name) for name in Parameters.model_fields)


def _row(name: str) -> str:
    field = Parameters.model_fields[name]
    cells = (f"`{name}`", _default(field.default), field.description or "", _in_cellprofiler(name), _in_fiji(name))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _default(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(f"{number:g}" for number in value)
    return "none" if value is None else f"{value}"


def _in_cellprofiler(name: str) -> str:
    labels = plugin_labels()
    found = [f"*{labels[one]}*" for one in CELLPROFILER.get(name, (name,)) if one in labels]
    return ", ".join(found) or "-"


def _in_fiji(name: str) -> str:
    key = FIJI.get(name, name)
    return f"`{key}`" if key in fiji_keys() else "-"


def fiji_keys() -> list[str]:
    """The keys of Segment Cells."""
    script = files("cellspan.macros").joinpath("Segment_Cells.groovy").read_text(encoding="utf-8")
    return re.findall(r"^#@ \w+ +\(.*\) (\w+)$", script, re.M)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
