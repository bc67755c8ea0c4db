"""client.py runs inside other programs: Python 3.8, the standard library and numpy only."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from cellspan.core.service import client

pytestmark = pytest.mark.quick
SOURCE = Path(client.__file__).read_text(encoding="utf-8")


def test_it_is_python_3_8() -> None:
    ast.parse(SOURCE, feature_version=(3, 8))


def test_it_imports_the_standard_library_and_numpy_only() -> None:
    modules = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(SOURCE))
        for name in ([a.name for a in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", "")])
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    assert modules - set(sys.stdlib_module_names) <= {"numpy"}
