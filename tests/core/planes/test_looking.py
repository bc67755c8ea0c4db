"""Looking at a plane: at the magnification that fits the diameter, within the memory, with a model that is sound."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.inference.tile_rules import TileRules
from cellspan.core.models.architecture import FLOW_SCALE
from cellspan.core.parameters import Parameters
from cellspan.core.planes import looking
from cellspan.core.planes.looking import Looker
from cellspan.core.planes.pixels import Pixels

pytestmark = pytest.mark.quick


class Ones:
    """A stand-in network that says 1 of every pixel."""

    device, batch, tensors, rules = "cpu", 1, False, TileRules()

    def __init__(self, style: float = 1.0) -> None:
        self.style = style

    def encode(self, tiles: np.ndarray, beside: int = 0) -> tuple[np.ndarray, np.ndarray]:
        return tiles, np.full((len(tiles), 4, 2, 2), self.style, np.float32)

    def decode(self, features: np.ndarray, style: np.ndarray, beside: int = 0) -> np.ndarray:
        return np.ones((len(features), 3, *features.shape[2:]), np.float32)


def looker(network: Ones) -> Looker:
    model: Any = SimpleNamespace(name="ones", description=SimpleNamespace(mean_diameter=30.0, transformer=None))
    predictor: Any = network
    return Looker(model, predictor)


PIXELS = Pixels(np.random.default_rng(0).random((2, 40, 60), np.float32), Parameters())


@pytest.mark.parametrize(("diameter", "shape"), [(30.0, (40, 60)), (60.0, (20, 30)), (15.0, (80, 120))])
def test_the_network_sees_objects_of_its_own_diameter(diameter: float, shape: tuple[int, int]) -> None:
    heard: list[float] = []
    seen = looker(Ones()).look(PIXELS, diameter, lambda part, words: heard.append(part))
    assert seen.outputs.shape == (3, *shape)
    assert (seen.shape, seen.diameter, seen.factor) == ((40, 60), diameter, 30 / diameter)
    np.testing.assert_allclose(seen.outputs[:2], 1 / FLOW_SCALE, rtol=1e-5)
    np.testing.assert_allclose(seen.outputs[2], 1, rtol=1e-5)
    assert heard[-1] == pytest.approx(0.9)


def test_what_would_not_fit_into_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "available_memory", lambda: 1 << 20)
    with pytest.raises(CellspanError, match=r"400 x 600 pixels, which takes .* give a larger diameter"):
        looker(Ones()).look(PIXELS, 3.0, lambda part, words: None)


def test_damaged_weights_are_named() -> None:
    with pytest.raises(CellspanError, match="The model ones gives numbers that are not finite"):
        looker(Ones(float("nan"))).look(PIXELS, 30.0, lambda part, words: None)
