"""A network that sees tiles of one size: on the processor, and by which rules."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.inference.predictor import make_predictor
from cellspan.core.inference.tile_rules import TileRules
from cellspan.core.inference.tiles import predict_augmented, predict_tiled, sample_style, tile_grid
from cellspan.core.models.registry import Model, find_model

from ...blob_finder import SMALL, save_blob_finder

pytestmark = pytest.mark.quick
OFFICIAL_RULES = TileRules(256, 8, has_style=False)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return find_model(str(save_blob_finder(tmp_path_factory.mktemp("models") / "blobs")))


def test_tiles_have_one_size() -> None:
    for length, tiles, margin in (
        (1, 1, 8),
        (240, 1, 8),
        (250, 1, 3),
        (256, 1, 0),
        (257, 2, 8),
        (512, 3, 8),
        (1024, 5, 8),
    ):
        axis = tile_grid((length, length), rules=OFFICIAL_RULES, multiple=8).y
        assert (axis.side, len(axis.starts), axis.margin) == (256, tiles, margin), length
        assert axis.starts[-1] + 256 >= length + 2 * margin
        seen = np.zeros(length, bool)
        for start in axis.starts:
            seen[axis.overlap(start)[1]] = True
        assert seen.all()


def test_other_tiles_are_refused() -> None:
    assert tile_grid((300, 300), 256, rules=OFFICIAL_RULES) == tile_grid((300, 300), rules=OFFICIAL_RULES)
    with pytest.raises(CellspanError, match="tile = 512: this model sees tiles of 256 pixels only; leave out tile"):
        tile_grid((300, 300), 512, rules=OFFICIAL_RULES)


def test_there_is_no_style(model: Model) -> None:
    predictor = make_predictor(model, "cpu")
    assert predictor.rules == TileRules(SMALL.tile, 8, has_style=False)
    image = np.random.default_rng(0).random((3, 70, 100), np.float32)
    assert sample_style(predictor, image).shape == (0,)
    for predict in (predict_tiled, predict_augmented):
        outputs, style = predict(predictor, image)
        assert (outputs.shape, style.shape) == ((3, 70, 100), (0,))


def test_threads_take_turns(model: Model) -> None:
    predictor = make_predictor(model, "cpu")
    tiles = np.random.default_rng(0).random((4, 1, 3, 64, 64), np.float32)
    expected = [predictor.encode(tile)[0] for tile in tiles]
    found: dict[int, np.ndarray] = {}

    def see(k: int) -> None:
        found[k] = predictor.encode(tiles[k], beside=1)[0]

    threads = [threading.Thread(target=see, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(4):
        np.testing.assert_array_equal(found[k], expected[k])
