"""The warm models."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cellspan.core.errors import Cancelled, CellspanError
from cellspan.core.machine.cancelling import cancelled_by
from cellspan.core.parameters import Parameters
from cellspan.core.service import models as module
from cellspan.core.service.models import WarmModels, find_in_time, in_time

from .fakes import LONG, until

pytestmark = pytest.mark.quick


class Disk:
    """Models on a disk of the test's own; a segmenter is loaded by its name and the hash of its weights."""

    def __init__(self) -> None:
        self.weights = {name: f"{name} 1" for name in "abcde"}
        self.loaded: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def find(self, name: str, patience: float = 0) -> Any:
        return SimpleNamespace(name=name, folder=Path(name), sha256=self.weights[name])

    def load(self, model: Any, device: str) -> Any:
        self.loaded.append(model.sha256)
        self.gate.wait(LONG)
        return SimpleNamespace(model=model)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(module, "find_in_time", disk.find)
    monkeypatch.setattr(module, "Segmenter", disk.load)
    return disk


@pytest.mark.usefixtures("restoring_models")
def test_models_are_refused_for_what_they_are_not_for_before_an_image_waits() -> None:
    models = WarmModels()
    models.check(Parameters(model="nuclei", restore="denoise_cyto3"))
    with pytest.raises(CellspanError, match=r"denoise_cyto3 restores images and finds no objects.*--restore"):
        models.check(Parameters(model="denoise_cyto3"))
    with pytest.raises(CellspanError, match="nuclei finds nuclei and restores no images"):
        models.check(Parameters(model="nuclei", restore="nuclei"))
    with pytest.raises(CellspanError, match="There is no model 'denoise_cyto9'"):
        models.check(Parameters(model="nuclei", restore="denoise_cyto9"))


def test_a_model_is_loaded_once(disk: Disk) -> None:
    models = WarmModels()
    assert models.get("a", "cpu") is models.get("a", "cpu")
    assert disk.loaded == ["a 1"]


def test_the_model_that_was_used_longest_ago_goes(disk: Disk) -> None:
    models = WarmModels(warm=2)
    for name in ("a", "b", "a", "c"):
        models.get(name, "cpu")
    assert models.names() == ["a", "c"]
    models.get("a", "cpu")
    models.get("b", "cpu")
    assert disk.loaded == ["a 1", "b 1", "c 1", "b 1"]


def test_weights_that_were_trained_again_are_noticed_and_the_old_ones_go(disk: Disk) -> None:
    models = WarmModels(warm=4)
    models.get("b", "cpu")
    old = models.get("a", "cpu")
    disk.weights["a"] = "a 2"
    assert models.get("a", "cpu") is not old
    assert disk.loaded == ["b 1", "a 1", "a 2"]
    assert models.names() == ["b", "a"]


def test_two_threads_load_a_model_once(disk: Disk) -> None:
    models, found = WarmModels(), []
    disk.gate.clear()
    threads = [threading.Thread(target=lambda: found.append(models.get("a", "cpu"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    until(lambda: disk.loaded)
    disk.gate.set()
    for thread in threads:
        thread.join(LONG)
    assert disk.loaded == ["a 1"]
    assert len(found) == 6
    assert len({id(segmenter) for segmenter in found}) == 1


def test_a_job_that_waits_until_another_has_loaded_the_model_can_be_cancelled(disk: Disk) -> None:
    models = WarmModels()
    disk.gate.clear()
    loading = threading.Thread(target=models.get, args=("a", "cpu"))
    loading.start()
    until(lambda: disk.loaded)
    began = time.monotonic()
    with cancelled_by(lambda: time.monotonic() - began > 0.05), pytest.raises(Cancelled):
        models.get("a", "cpu")
    disk.gate.set()
    loading.join(LONG)
    assert models.names() == ["a"]


def test_other_models_do_not_wait_for_one_that_is_loaded(disk: Disk) -> None:
    models = WarmModels()
    models.get("b", "cpu")
    disk.gate.clear()
    loading = threading.Thread(target=models.get, args=("a", "cpu"))
    loading.start()
    until(lambda: "a 1" in disk.loaded)
    assert models.get("b", "cpu").model.name == "b"
    disk.gate.set()
    loading.join(LONG)


def attempts() -> int:
    """How many threads are at a file system."""
    return sum(thread.name == "file system" for thread in threading.enumerate())


def test_a_place_that_does_not_answer_is_a_sentence_and_holds_one_thread() -> None:
    gate, before = threading.Event(), attempts()
    try:
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(CellspanError, match="does not respond"):
                in_time("A dead disk", gate.wait, 0.05)
            assert time.monotonic() - began < 5
        assert attempts() == before + 1
        began = time.monotonic()
        with pytest.raises(CellspanError):  # once somebody has waited in vain, nobody else does
            in_time("A dead disk", gate.wait, 60)
        assert time.monotonic() - began < 30
        assert in_time("Another disk", lambda: 7) == 7
    finally:
        gate.set()
    until(lambda: attempts() == before)
    assert in_time("A dead disk", lambda: 7) == 7


def test_many_who_ask_at_once_hold_one_thread() -> None:
    gate, before = threading.Event(), attempts()
    refused: list[str] = []

    def ask() -> None:
        try:
            in_time("A crowded disk", gate.wait, 0.1)
        except CellspanError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    assert attempts() <= before + 1
    for thread in threads:
        thread.join(LONG)
    assert len(refused) == 10
    gate.set()
    until(lambda: attempts() == before)


def test_nobody_gets_what_was_seen_before_he_asked() -> None:
    gate, looked = threading.Event(), threading.Event()
    content, answers = ["old"], []

    def look() -> str:
        found = content[0]
        looked.set()
        gate.wait(LONG)
        return found

    first = threading.Thread(target=lambda: answers.append(in_time("A slow disk", look)))
    first.start()
    looked.wait(LONG)
    content[0] = "new"
    second = threading.Thread(target=lambda: answers.append(in_time("A slow disk", look)))
    second.start()
    gate.set()
    first.join(LONG)
    second.join(LONG)
    assert answers == ["old", "new"]


def test_who_waits_for_a_disk_can_be_cancelled() -> None:
    gate = threading.Event()
    with cancelled_by(lambda: True), pytest.raises(Cancelled):
        in_time("A cancelled disk", gate.wait, LONG)
    gate.set()


def test_the_number_of_places_that_do_not_answer_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PLACES", 2)
    gate = threading.Event()
    for name in "ab":
        with pytest.raises(CellspanError, match=f"{name} does not respond"):
            in_time(name, gate.wait, 0.01)
    with pytest.raises(CellspanError, match="Too many"):
        in_time("c", gate.wait, 0.01)
    gate.set()
    until(lambda: attempts() == 0)
    assert in_time("c", lambda: 7) == 7


def test_a_fault_of_the_work_is_that_of_who_asked() -> None:
    def fails() -> None:
        raise CellspanError("There is no such model.")

    for _ in range(2):
        with pytest.raises(CellspanError, match="no such model"):
            in_time("A disk", fails)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_a_pipe_in_the_place_of_a_model_is_a_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model")
    began = time.monotonic()
    with pytest.raises(CellspanError):
        find_in_time(str(tmp_path / "model"), 2)
    assert time.monotonic() - began < LONG
