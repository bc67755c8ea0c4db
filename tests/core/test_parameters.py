"""Options: defaults, texts from every door, one-sentence refusals."""

import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.parameters import Parameters, parse_parameters

pytestmark = pytest.mark.quick


def test_texts_and_typed_values_mean_the_same() -> None:
    texts = {"diameter": "30", "channel": "none", "normalize": "2,98", "exclude_on_edges": "true", "min_size": "5"}
    typed = {"diameter": 30.0, "channel": None, "normalize": (2, 98), "exclude_on_edges": True, "min_size": 5}
    assert parse_parameters(texts) == parse_parameters(typed)


@pytest.mark.parametrize("nothing", [0, "0", "0.0", None, "none", "auto", ""])
def test_diameter_zero_or_none_means_estimate(nothing: object) -> None:
    assert parse_parameters({"diameter": nothing}).diameter is None


def test_flow_threshold_zero_is_kept() -> None:
    assert parse_parameters({"flow_threshold": "0"}).flow_threshold == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("diameter", -3),
        ("diameter", "wide"),
        ("diameter", float("nan")),
        ("min_size", -1),
        ("tile", 3),
        ("normalize", "99,1"),
        ("normalize", "1"),
        ("cellprob_threshold", float("inf")),
    ],
)
def test_impossible_values_are_named_in_one_sentence(name: str, value: object) -> None:
    with pytest.raises(CellspanError, match=name) as refusal:
        parse_parameters({name: value})
    assert "\n" not in str(refusal.value)


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(CellspanError, match=r"no option 'diametre'.*diameter"):
        parse_parameters({"diametre": 3})


def test_changed_names_only_what_differs() -> None:
    assert Parameters(diameter=12, model="nuclei").changed() == {"diameter": 12.0, "model": "nuclei"}
