"""The page's form: every option once, with what its slider spans."""

from __future__ import annotations

import pytest

from cellspan.core.parameters import DYNAMICS, Parameters, parse_parameters
from cellspan.review_page.options import LABELS, SLIDERS, known, specs

pytestmark = pytest.mark.quick
BY_NAME = {spec["name"]: spec for spec in specs()}


def test_all_options_in_their_order() -> None:
    assert list(BY_NAME) == list(Parameters.model_fields)
    assert set(SLIDERS) | set(LABELS) <= set(BY_NAME)
    assert len({spec["label"] for spec in BY_NAME.values()}) == len(BY_NAME)
    assert all(spec["help"] for spec in BY_NAME.values())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("model", "text"),
        ("diameter", "number"),
        ("min_size", "integer"),
        ("invert", "boolean"),
        ("combine", "choice"),
        ("normalize", "numbers"),
        ("iterations", "integer"),
    ],
)
def test_kinds(name: str, kind: str) -> None:
    assert BY_NAME[name]["kind"] == kind


def test_choices_and_what_is_quick() -> None:
    assert BY_NAME["combine"]["choices"] == ["mean", "maximum"]
    assert {name for name, spec in BY_NAME.items() if spec["quick"]} == set(DYNAMICS)


def test_what_a_slider_spans_is_possible() -> None:
    for name, (lowest, highest, step) in SLIDERS.items():
        assert lowest < highest
        assert 0 < step < highest
        more = {"normalize": (1, 99)} if name == "tile_norm" else {}
        parse_parameters({name: highest, **more})


def test_only_options_of_this_version() -> None:
    assert known({"diameter": 3, "of_tomorrow": 1}) == {"diameter": 3}
