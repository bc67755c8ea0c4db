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


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ({"channel": "0, 2"}, {"channel": [0, 2]}),
        ({"channel": "2"}, {"channel": (2,)}),
        ({"limits": "200, 4000"}, {"limits": (200, 4000)}),
        ({"limits": "off"}, {"limits": None}),
        ({"tile_norm": "0"}, {}),
    ],
)
def test_several_numbers_as_text_and_typed(text: dict[str, str], typed: dict[str, object]) -> None:
    found = parse_parameters(text)
    assert found == parse_parameters(typed)
    assert Parameters.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"channel": "1,1"}, "each once"),
        ({"channel": "-1"}, "counted from 0"),
        ({"limits": "4000,200"}, "ascending order"),
        ({"limits": "200"}, "two grey values"),
        ({"limits": "0,1,0,2"}, "2 pairs of grey values, but 1 channel"),
        ({"limits": "0,1,0,2", "channel": "0,1", "nuclei_channel": 2}, "2 pairs of grey values, but 3 channel"),
        ({"limits": "0,nan"}, "finite"),
        ({"tile_norm": 15}, "at least 16 pixels"),
        ({"tile_norm": 100, "normalize": "none"}, "give normalize too"),
        ({"combine": "median"}, "'mean' or 'maximum'"),
        ({"smooth": -1}, "greater than or equal to 0"),
    ],
)
def test_scaling_that_cannot_be_is_refused(values: dict[str, object], words: str) -> None:
    with pytest.raises(CellspanError, match=words) as refusal:
        parse_parameters(values)
    assert "\n" not in str(refusal.value)


def test_limits_of_each_channel() -> None:
    one = Parameters(limits=(1, 2), channel=(0, 1), nuclei_channel=2)
    assert [one.limits_of(k) for k in range(3)] == [(1, 2)] * 3
    each = Parameters(limits=(1, 2, 3, 4, 5, 6), channel=(0, 1), nuclei_channel=2)
    assert [each.limits_of(k) for k in range(3)] == [(1, 2), (3, 4), (5, 6)]
    assert Parameters().limits_of(0) is None


def test_unscaled_leaves_grey_values_as_they_are() -> None:
    scaled = Parameters(limits=(1, 2), tile_norm=50, sharpen=2, smooth=1, invert=True, channel=(0, 1), min_size=3)
    assert scaled.unscaled(min_size=4) == Parameters(normalize=None, channel=(0, 1), min_size=4)
