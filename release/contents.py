"""What lies in the folders of Fiji and CellProfiler before there is an engine: our files, the wheel, the way to one."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from cellspan.cp_module.install import ENGINE, SUBPACKAGE, plugin_contents
from cellspan.fiji_bridge.install import HELPERS, command_files

WANTED = "engine_wanted.txt"
TEMPLATE = Path(__file__).with_name(WANTED)


def fiji_files(wheel: Path) -> dict[str, bytes]:
    """By their paths in the folder of a Fiji."""
    return command_files() | _below(f"plugins/{HELPERS}", _engine_files(wheel))


def cellprofiler_files(wheel: Path) -> dict[str, bytes]:
    """By their paths in CellProfiler's plugins folder."""
    plugin = {name: content for name, content in plugin_contents().items() if name != ENGINE}
    return _below(SUBPACKAGE, _engine_files(wheel)) | plugin


def _engine_files(wheel: Path) -> dict[str, bytes]:
    """The wheel and what else the first use installs; ValueError if the wheel is not of this cellspan."""
    ours = version("cellspan")
    if not wheel.name.startswith(f"cellspan-{ours}-"):
        raise ValueError(f"{wheel.name}: the other files are of cellspan {ours}; build the wheel again.")
    lines = f"version={ours}\nwheel={wheel.name}\n"
    return {WANTED: TEMPLATE.read_bytes() + lines.encode(), wheel.name: wheel.read_bytes()}


def _below(folder: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"{folder}/{name}": content for name, content in files.items()}
