"""Every module of these folders has the test that mirrors it: core/files/npy.py has tests/core/files/test_npy.py."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.quick
ROOT = Path(__file__).parents[1]
FOLDERS = (
    "core/dynamics",
    "core/files",
    "core/inference",
    "core/machine",
    "core/objects",
    "core/planes",
    "core/results",
    "core/service",
    "core/volumes",
    "review_page",
)


def modules(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_module_has_its_test(folder: str) -> None:
    found = modules(ROOT / folder)
    assert found, "the folder has moved"
    tests = ROOT / "tests" / folder
    missing = [path.name for path in found if not (tests / f"test_{path.name}").is_file()]
    assert not missing, f"tests/{folder} lacks a test_ file for each of these"


def test_the_simplest_case_fails(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").touch()
    (tmp_path / "lonely.py").touch()
    assert [path.name for path in modules(tmp_path)] == ["lonely.py"]
