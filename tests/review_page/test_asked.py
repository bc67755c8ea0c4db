"""What the page may send, and what is refused before anything is done."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from cellspan.review_page import asked

pytestmark = pytest.mark.quick


def test_an_edit_knows_its_kind() -> None:
    given = {"revision": 1, "edit": {"kind": "split", "label": 2, "line": [0, 1, 2, 3]}}
    assert isinstance(asked.Edit.model_validate(given).edit, asked.Split)


@pytest.mark.parametrize(
    "edit",
    [
        {"kind": "paint"},
        {"kind": "delete", "labels": []},
        {"kind": "delete", "labels": [0]},
        {"kind": "split", "label": 1, "line": [float("nan"), 1]},
        {"kind": "draw", "polygon": [0] * 200_001},
        {"kind": "draw", "polygon": [0, 1], "label": 3},
    ],
)
def test_edits_that_are_refused(edit: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        asked.Edit.model_validate({"revision": 0, "edit": edit})


def test_ids() -> None:
    ids = TypeAdapter(asked.Ids)
    assert ids.validate_python("none yet") == "none yet"
    assert ids.validate_python(["a"]) == ["a"]
    with pytest.raises(ValidationError):
        ids.validate_python("some")


def test_teach_begins_from_a_model() -> None:
    assert asked.Teach.model_validate({"name": "mine", "from": "nuclei"}).start == "nuclei"
    with pytest.raises(ValidationError):
        asked.Teach.model_validate({"name": "mine", "from": "nuclei", "minutes": 0})
