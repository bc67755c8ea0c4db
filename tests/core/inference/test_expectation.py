"""How long a large network will take: in words, and only where people have to know."""

from __future__ import annotations

import pytest

from cellspan.core.inference import expectation
from cellspan.core.inference.expectation import in_words, note_before, operations_a_second, seconds_for
from cellspan.core.models.registry import ModelDescription, find_model

from ...blob_finder import OFFICIAL

pytestmark = pytest.mark.quick
ABOUT = ModelDescription(
    name="cpsam_v2", kind="flow-sam", objects="cells", transformer=OFFICIAL, mean_diameter=30, weights_sha256=""
)


@pytest.fixture
def known_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor on which a tile takes 5 seconds."""
    speed = OFFICIAL.operations * expectation.SLOWER / 5
    monkeypatch.setattr(expectation, "operations_a_second", lambda: speed)


@pytest.mark.usefixtures("known_speed")
def test_seconds_are_those_of_the_tiles() -> None:
    assert seconds_for(ABOUT, "cpu", (256, 256)) == pytest.approx(5)
    assert seconds_for(ABOUT, "cpu, bfloat16", (512, 512)) == pytest.approx(45)
    assert seconds_for(ABOUT, "cpu", (256, 256), augment=True) == pytest.approx(20)


@pytest.mark.usefixtures("known_speed")
def test_nobody_is_warned_of_what_is_quick() -> None:
    assert seconds_for(ABOUT, "cuda:0", (512, 512)) == 0
    assert seconds_for(find_model("nuclei").description, "cpu", (512, 512)) == 0
    assert note_before(find_model("nuclei").description, "cpu") == note_before(ABOUT, "mps") == []
    assert note_before(ABOUT, "cpu") == [
        "cpsam_v2 is a large network: on this processor, a megapixel takes about 2 minutes. A graphics card is advised."
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "about 1 second"),
        (44.7, "about 45 seconds"),
        (89, "about 89 seconds"),
        (100, "about 2 minutes"),
        (5000, "about 83 minutes"),
        (9000, "about 2 hours"),
    ],
)
def test_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_this_processor_multiplies() -> None:
    assert 1e8 < operations_a_second() < 1e15
