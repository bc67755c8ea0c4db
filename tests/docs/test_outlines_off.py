"""What docs/outlines_off.md advises helps on the images that it shows."""

from __future__ import annotations

import pytest

from cellspan.core import Segmenter

from .outlines_off import DOCS, EXAMPLES, Example, scores


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter("nuclei", "cpu")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.symptom)
def test_the_advice_helps(example: Example, segmenter: Segmenter) -> None:
    (_, before), (_, after) = scores(example, segmenter)
    assert after > before + 0.1


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.symptom)
def test_the_picture_is_shown(example: Example) -> None:
    assert example.picture.exists()
    page = (DOCS / "outlines_off.md").read_text(encoding="utf-8")
    assert f"({example.picture.name})" in page
    changed = {
        name
        for name in type(example.after).model_fields
        if getattr(example.before, name) != getattr(example.after, name)
    }
    assert all(f"`--{name.replace('_', '-')}" in page for name in changed)
