"""The steps of an image: they survive the process, are undone and done again, and cost what they change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.review_page import history as module
from cellspan.review_page.history import History
from cellspan.review_page.quality import Quality

pytestmark = pytest.mark.quick
QUALITY = Quality.of([[1, 2, 3], [0.1, 0.2, 0.3]])


@pytest.fixture
def history(tmp_path: Path, disks: np.ndarray) -> History:
    return History(tmp_path / "image", lambda: (disks, QUALITY), {"image": "a.tif"})


def again(history: History) -> History:
    """As another process reads it, whose run has other labels by now."""
    return History(history._folder, lambda: (np.zeros((80, 100), np.int32), Quality()), {})


def without(labels: np.ndarray, number: int) -> np.ndarray:
    return np.where(labels == number, 0, labels).astype(np.int32)


def test_nothing_is_written_before_the_first_step(history: History, disks: np.ndarray) -> None:
    np.testing.assert_array_equal(history.labels()[0], disks)
    assert (history.state.revision, history.state.is_edited) == (0, False)
    assert not history._folder.exists()


def test_steps_survive(history: History, disks: np.ndarray) -> None:
    history.change(without(disks, 1), "edit", (1,))
    history.change(without(without(disks, 1), 3), "edit", (3,))
    for one in (history, again(history)):
        labels, quality = one.labels()
        np.testing.assert_array_equal(labels, np.where(disks == 2, 2, 0))
        np.testing.assert_array_equal(quality.probability, [np.nan, np.nan, 2, np.nan])
        assert (one.state.revision, one.state.is_edited) == (2, True)


def test_undo_and_redo(history: History, disks: np.ndarray) -> None:
    history.change(without(disks, 1), "edit", (1,))
    history.change(without(disks, 1) * (disks != 2), "edit", (2,))
    history.move(-1)
    np.testing.assert_array_equal(history.labels()[0], without(disks, 1))
    history.move(-1)
    np.testing.assert_array_equal(again(history).labels()[0], disks)
    np.testing.assert_array_equal(history.labels()[1].probability, QUALITY.probability)
    assert not history.state.is_edited
    history.move(1)
    np.testing.assert_array_equal(again(history).labels()[0], without(disks, 1))
    assert history.state.revision == 5
    history.move(-1)
    with pytest.raises(CellspanError, match="nothing to undo"):
        history.move(-1)


def test_a_new_step_replaces_what_was_undone(history: History, disks: np.ndarray) -> None:
    history.change(without(disks, 1), "edit", (1,))
    history.move(-1)
    history.change(without(disks, 2), "edit", (2,))
    with pytest.raises(CellspanError, match="nothing to redo"):
        history.move(1)
    np.testing.assert_array_equal(again(history).labels()[0], without(disks, 2))
    assert len(list(history._folder.glob("step-*"))) == 1


def test_thresholds_after_thresholds_are_one_step(history: History, disks: np.ndarray) -> None:
    for number in (1, 2, 3):
        made = {"diameter": number}
        history.change(without(disks, number), "thresholds", made=made, quality=Quality.of([[number] * 3, [0] * 3]))
    assert history.made() == {"diameter": 3}
    assert again(history).labels()[1].probability[1] == 3
    history.move(-1)
    np.testing.assert_array_equal(history.labels()[0], disks)
    assert history.made() is None


def test_corrections_count_since_the_last_segmentation(history: History, disks: np.ndarray) -> None:
    history.change(without(disks, 1), "edit", (1,))
    history.change(disks, "segment", made={}, quality=QUALITY)
    assert not history.state.is_edited
    history.change(without(disks, 2), "edit", (2,))
    assert history.state.is_edited


def test_a_verdict_is_a_revision_and_no_step(history: History, disks: np.ndarray) -> None:
    history.judge("accepted")
    assert (history.state.verdict, history.state.revision, history.state.position) == ("accepted", 1, 0)
    assert again(history).state.verdict == "accepted"


def test_another_process_is_noticed(history: History, disks: np.ndarray) -> None:
    other = again(history)
    history.change(without(disks, 1), "edit", (1,))
    assert other.state.revision == 1
    other.change(without(without(disks, 1), 2), "edit", (2,))
    assert history.state.revision == 2
    np.testing.assert_array_equal(history.labels()[0], np.where(disks == 3, 3, 0))


def test_another_engine_is_waited_for(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    with (
        history.alone(),
        pytest.raises(CellspanError, match="Another engine is changing this image"),
        again(history).alone(),
    ):
        pass
    with again(history).alone():
        pass


def test_the_oldest_steps_become_the_base(history: History, disks: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_STEPS", 2)
    labels = disks
    for number in (1, 2, 3):
        labels = without(labels, number)
        history.change(labels, "edit", (number,))
    assert len(history.state.steps) == 2
    assert not again(history).labels()[0].any()
    history.move(-1)
    history.move(-1)
    np.testing.assert_array_equal(again(history).labels()[0], without(disks, 1))


def test_a_step_is_as_large_as_its_change(tmp_path: Path) -> None:
    large = np.random.default_rng(0).integers(1, 60_000, (1000, 1000)).astype(np.int32)
    history = History(tmp_path, lambda: (large, Quality()), {})
    changed = large.copy()
    changed[500:510, 500:510] = 7
    history.change(changed, "edit", (7,))
    [step] = tmp_path.glob("step-*")
    assert step.stat().st_size < 3000
    np.testing.assert_array_equal(again(history).labels()[0], changed)


def test_a_damaged_state_is_named(history: History, disks: np.ndarray) -> None:
    history.change(without(disks, 1), "edit", (1,))
    (history._folder / "state.json").write_text("{")
    with pytest.raises(CellspanError, match=r"state\.json: the corrections of this image cannot be read"):
        _ = again(history).state
