"""These tests use the real bioimageio.core, so they run in an environment of their own: `nox -s bioimageio`."""

from __future__ import annotations

import os

import pytest

if os.environ.get("CELLSPAN_BIOIMAGEIO") == "1":
    import bioimageio.core  # noqa: F401 - the session must have it: its absence is an error, not a skip
else:
    collect_ignore_glob = ["test_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them are end-to-end tests."""
    for item in items:
        if "bioimageio" in item.path.parts:
            item.add_marker(pytest.mark.end_to_end)
