"""These tests compare with the real cellpose 4, so they run in an environment of their own: `nox -s peer4`."""

from __future__ import annotations

import os

import pytest

if os.environ.get("CELLSPAN_PEER") == "4":
    import cellpose  # noqa: F401 - the session must have it: its absence is an error, not a skip
else:
    collect_ignore_glob = ["test_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them are end-to-end tests."""
    for item in items:
        if "peer4" in item.path.parts:
            item.add_marker(pytest.mark.end_to_end)
