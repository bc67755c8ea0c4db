"""Cards: what model.json says, for people."""

import pytest

from cellspan.core.models.architecture import weight_count
from cellspan.core.models.card import card
from cellspan.core.models.description import Model
from cellspan.core.models.registry import list_models

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("name", ["cyto", "nuclei"])
def test_bundled_models_say_where_they_come_from_and_where_they_fail(name: str) -> None:
    model = next(model for model in list_models() if model.name == name)
    text = card(model)
    for source in model.description.training["sources"]:
        assert f"- {source}: " in text
    assert "licence unknown" not in text
    assert len(model.description.limits) >= 2
    assert all(limit in text for limit in model.description.limits)
    assert f"| {next(iter(model.description.scores.keys() - {'validation_ap50_true_diameter'}))} |" in text


def test_weights_are_counted_as_they_are() -> None:
    for model in list_models():
        assert weight_count(model.description.layout.shapes) == sum(array.size for array in model.weights().values())


def test_a_card_needs_no_training_record() -> None:
    model = list_models()[0]
    bare = model.description.model_copy(update={"training": {}, "scores": {}, "limits": [], "size_model": None})
    text = card(Model(model.folder, bare))
    assert "##" not in text
    assert "cannot estimate diameters" in text
