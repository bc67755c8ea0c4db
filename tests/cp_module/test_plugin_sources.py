"""What is copied into CellProfiler runs on Python 3.8 and imports nothing that CellProfiler does not have."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from cellspan.cp_module.install import plugin_contents

pytestmark = pytest.mark.quick

ALLOWED = {"numpy", "scipy", "cellprofiler", "cellprofiler_core", "cellspan_plugin", "identifyobjectsbyflow"}
SOURCES = {name: content.decode() for name, content in plugin_contents().items() if name.endswith(".py")}


def imported(tree: ast.AST) -> set[str]:
    """The top-level names of all imports from other packages, wherever they stand."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("cellspan_plugin" if node.level == 1 else (node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("name", SOURCES)
def test_it_is_python_3_8(name: str) -> None:
    ast.parse(SOURCES[name], name, feature_version=(3, 8))


@pytest.mark.parametrize("name", SOURCES)
def test_it_imports_only_the_standard_library_and_what_cellprofiler_has(name: str) -> None:
    unknown = imported(ast.parse(SOURCES[name])) - ALLOWED - set(sys.stdlib_module_names)
    assert not unknown


@pytest.mark.parametrize("name", SOURCES)
def test_annotations_are_not_evaluated(name: str) -> None:
    """`list[str]` and `X | None` are fine in 3.8 only as long as nobody evaluates them."""
    tree = ast.parse(SOURCES[name])
    if any(isinstance(node, ast.FunctionDef) for node in ast.walk(tree)):
        assert "from __future__ import annotations" in SOURCES[name]


def test_the_class_is_called_like_its_file() -> None:
    found = {}
    for module in (name for name in SOURCES if "/" not in name):
        classes = [node.name for node in ast.parse(SOURCES[module]).body if isinstance(node, ast.ClassDef)]
        found[module] = [name for name in classes if name.lower() == Path(module).stem]
    assert found == {
        "identifyobjectsbyflow.py": ["IdentifyObjectsByFlow"],
        "segmentcellsandnuclei.py": ["SegmentCellsAndNuclei"],
    }
