"""The package as it is installed: its version, its names, its size, and the pages that describe it."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import Distribution, distribution, version
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import cellspan
import cellspan.core

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LARGEST = 0.85e9  # bytes of the base install
COMPILED = 1.5  # bytes of compiled code for each byte of Python; 1.46 was measured of what pip compiles on Python 3.11


def base_install() -> dict[str, Distribution]:
    """cellspan and what it needs without extras, by name."""
    found: dict[str, Distribution] = {}
    waiting = [Requirement("cellspan")]
    seen = set()
    while waiting:
        wanted = waiting.pop()
        if str(wanted) in seen:
            continue
        seen.add(str(wanted))
        found[wanted.name.lower().replace("_", "-")] = package = distribution(wanted.name)
        for requirement in map(Requirement, package.requires or []):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in (wanted.extras or {""})):
                waiting.append(requirement)
    return found


def installed_size(package: Distribution) -> float:
    """Bytes on the disk, with the compiled code that some installers write at once and Python writes later."""
    size = 0.0
    for file in package.files or ():
        path = Path(str(file.locate()))
        if path.suffix != ".pyc" and path.is_file():
            size += path.stat().st_size * (1 + COMPILED * (path.suffix == ".py"))
    return size


@pytest.mark.skipif(sys.platform != "linux", reason="the limit was set for the wheels of Linux")
def test_the_base_install_is_small() -> None:
    sizes = {name: installed_size(package) for name, package in base_install().items()}
    largest = sorted(sizes, key=lambda name: -sizes[name])
    table = "\n".join(f"{sizes[name] / 1e6:7.1f} MB  {name}" for name in largest)
    assert {"numpy", "openvino", "numba", "zarr"} <= sizes.keys()
    assert sum(sizes.values()) <= LARGEST, f"{sum(sizes.values()) / 1e9:.3f} GB:\n{table}"


@pytest.mark.parametrize("name", ["torch", "opencv-python-headless", "scikit-image", "jpype1"])
def test_the_base_install_does_without_what_only_extras_need(name: str) -> None:
    assert name not in base_install()


def run(code: str) -> str:
    """What a Python of its own prints, started where no folder is called like the package."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_version_is_that_of_the_installation() -> None:
    assert cellspan.__version__ == version("cellspan")
    assert Version(cellspan.__version__) >= Version("0.1.0")


def test_importing_cellspan_loads_nothing() -> None:
    new = run(
        "import sys; before = set(sys.modules); import cellspan; print(*sorted(set(sys.modules) - before))"
    ).split()
    assert {name.partition(".")[0] for name in new} <= {"cellspan", *sys.stdlib_module_names}
    assert not {"cellspan.core", "importlib.metadata"} & set(new)


def test_public_names_are_those_of_core() -> None:
    assert set(cellspan.__all__) == {"__version__", *cellspan.core.__all__}
    for name in cellspan.core.__all__:
        assert getattr(cellspan, name) is getattr(cellspan.core, name)
    assert set(cellspan.__all__) <= set(dir(cellspan))
    with pytest.raises(AttributeError, match="'Segmentor'"):
        cellspan.Segmentor  # noqa: B018


def test_every_folder_with_code_is_packaged() -> None:
    folders = PROJECT["tool"]["setuptools"]["package-dir"]
    found = {
        ".".join((name, *path.parent.relative_to(ROOT / folder).parts))
        for name, folder in folders.items()
        for path in (ROOT / folder).rglob("__init__.py")
        if not {"plugin", "page"} & set(path.parts)  # copied into CellProfiler as it is; sources of the review page
    }
    assert found == set(PROJECT["tool"]["setuptools"]["packages"])


def test_every_module_is_in_the_installed_package() -> None:
    folders = PROJECT["tool"]["setuptools"]["package-dir"]
    for name, folder in folders.items():
        place = Path(run(f"import {name}; print({name}.__path__[0])"))
        missing = [
            path
            for path in (ROOT / folder).rglob("*")
            if "page" not in path.parts  # the sources of the review page, of which `static` is built
            and path.suffix in (".py", ".typed", ".groovy", ".ijm", ".json", ".safetensors", ".html", ".js", ".css")
            and not (place / path.relative_to(ROOT / folder)).is_file()
        ]
        assert not missing


def test_the_licence_is_named_and_included() -> None:
    metadata = distribution("cellspan").metadata
    assert metadata["License-Expression"] == PROJECT["project"]["license"] == "BSD-3-Clause"
    assert metadata.get_all("License-File") == ["LICENSE"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["license"] == "BSD-3-Clause"


def floors_of_contract() -> list[set[str]]:
    [contract] = (each for each in PROJECT["tool"]["importlinter"]["contracts"] if each["type"] == "layers")
    return [{name.strip() for name in re.split("[:|]", layer)} for layer in contract["layers"]]


def test_the_picture_of_the_floors_is_the_contract() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    picture = page.split("<!-- floors")[1].split("```mermaid")[1].split("```")[0]
    drawn = [set(re.findall(r'(\w+)\["', line)) for line in picture.splitlines() if '["' in line]
    floors = floors_of_contract()
    assert drawn == floors
    arrows = set(re.findall(r"(\w+) --> (\w+)", picture))
    assert arrows == {(above, below) for upper, lower in pairwise(floors) for above in upper for below in lower}


def test_the_floors_are_the_folders_of_core() -> None:
    here = {path.stem for path in (ROOT / "core").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert set.union(*floors_of_contract()) == here - {"__init__"}


def test_the_workflow_runs_every_python_that_is_named() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "quick.yml").read_text(encoding="utf-8"))
    named = {
        match[1]
        for line in PROJECT["project"]["classifiers"]
        if (match := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line))
    }
    assert set(workflow["jobs"]["quick"]["strategy"]["matrix"]["python"]) == named
    assert PROJECT["project"]["requires-python"] == f">={min(named, key=Version)}"


def test_every_folder_is_on_the_map() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    mapped = set(re.findall(r"^\| `(\w+)/` \| `([\w.]+)` \|", page, re.MULTILINE))
    assert mapped == {(folder, name) for name, folder in PROJECT["tool"]["setuptools"]["package-dir"].items()}
