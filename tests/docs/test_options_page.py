"""The table of all options is that of the code, and every name in it exists."""

from __future__ import annotations

import pytest

from cellspan.core.parameters import Parameters

from .labels import plugin_labels
from .options_page import CELLPROFILER, FIJI, PAGE, fiji_keys, page

pytestmark = pytest.mark.quick


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.docs.options_page"


def test_the_names_that_differ_exist() -> None:
    assert {*CELLPROFILER, *FIJI} <= set(Parameters.model_fields)
    assert set(FIJI.values()) <= set(fiji_keys())
    assert all(any(one in plugin_labels() for one in names) for names in CELLPROFILER.values())


def test_nothing_that_the_programs_offer_is_left_out() -> None:
    """A key or setting with an option's own name stands in that option's row."""
    rows = dict(line.split(" | ", 1) for line in page().splitlines() if line.startswith("| `"))
    for name in Parameters.model_fields:
        row = rows[f"| `{name}`"]
        assert name not in fiji_keys() or f"`{name}`" in row
        assert name not in plugin_labels() or plugin_labels()[name] in row
