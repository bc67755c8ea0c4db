"""Results that wait to be fetched."""

from __future__ import annotations

import gc
import threading
import weakref
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cellspan.core.errors import Cancelled
from cellspan.core.planes.result import Result
from cellspan.core.service import results as module
from cellspan.core.service.errors import Refusal
from cellspan.core.service.jobs import Job
from cellspan.core.service.results import Results, spilled

from .fakes import a_job, result_of, spots

pytestmark = pytest.mark.quick
SIZE = result_of(spots((3, 3))).nbytes


def kept(results: Results, *fetched: Job, result: Result | None = None) -> Job:
    """A job whose result is kept; results of `fetched` may go for it."""
    job = a_job()
    results.keep(job, result or result_of(spots((3, 3), (20, 20))), lambda: fetched)
    return job


def test_what_fits_into_memory_stays_there() -> None:
    results = Results(in_memory=2 * SIZE, on_disk=0)
    job = kept(results)
    assert results.used() == (SIZE, 0)
    assert job.result is not None
    assert not isinstance(job.result.labels, np.memmap)
    assert (job.summary["count"], job.summary["diameter"]) == (2, 7.5)


def test_what_nobody_has_fetched_goes_to_disk_and_is_the_same_there() -> None:
    results = Results(in_memory=SIZE, on_disk=10 * SIZE)
    restored = np.ones((1, 32, 32), np.float32)
    first, second = kept(results), kept(results, result=replace(result_of(spots((3, 3), (20, 20))), restored=restored))
    assert results.used() == (SIZE, SIZE + restored.nbytes)
    assert first.result is not None
    assert second.result is not None
    assert np.array_equal(second.result.restored, restored)  # type: ignore[arg-type]
    assert isinstance(second.result.restored, np.memmap)
    for name in ("labels", "flows", "probability"):
        there, here = getattr(second.result, name), getattr(first.result, name)
        assert isinstance(there, np.memmap)
        assert np.array_equal(there, here)
        assert there.dtype == here.dtype
    assert second.result.seen is not None
    assert first.result.seen is not None
    assert np.array_equal(second.result.seen.outputs, first.result.seen.outputs)
    assert second.result.count == 2


def test_what_only_notebooks_show_is_not_kept() -> None:
    results = Results(in_memory=2 * SIZE, on_disk=0)
    job = kept(results, result=replace(result_of(spots((3, 3))), preview=np.ones((32, 32), np.float32)))
    assert results.used() == (SIZE, 0)
    assert job.result is not None
    assert job.result.preview is None


def test_other_thresholds_can_be_tried_with_a_result_on_disk() -> None:
    result = result_of(spots((3, 3), (20, 20)))
    more = result.parameters.model_copy(update={"min_size": 26})
    again = spilled(result).seen.objects(more)[0]  # type: ignore[union-attr]
    assert again.labels.max() == 0


def test_files_of_results_have_no_name(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = spilled(result_of(spots((3, 3))))
    assert list(tmp_path.iterdir()) == []
    assert result.labels.max() == 1


def test_what_was_fetched_goes_first_and_what_was_not_stays() -> None:
    results = Results(in_memory=2 * SIZE, on_disk=10 * SIZE)
    waits, fetched = kept(results), kept(results)
    fetched.fetched = True
    new = kept(results, fetched)
    assert fetched.result is None
    assert waits.result is not None
    assert new.result is not None
    assert results.used() == (2 * SIZE, 0)


def test_nothing_goes_where_that_would_not_help() -> None:
    results = Results(in_memory=2 * SIZE, on_disk=10 * SIZE)
    fetched, _ = kept(results), kept(results)
    kept(results, fetched, result=result_of(spots((3, 3), shape=(60, 60))))  # larger than the memory
    assert fetched.result is not None


def test_on_disk_too_what_was_fetched_goes_for_what_was_not() -> None:
    results = Results(in_memory=0, on_disk=2 * SIZE)
    waits, fetched = kept(results), kept(results)
    with pytest.raises(Refusal):
        results.check_room(lambda: [])
    results.check_room(lambda: [fetched])
    assert fetched.result is None
    assert waits.result is not None
    assert kept(results).result is not None
    assert results.used() == (0, 2 * SIZE)


def test_when_all_is_full_the_next_one_is_refused_in_a_sentence() -> None:
    results = Results(in_memory=SIZE, on_disk=SIZE)
    there = [kept(results), kept(results)]
    for act in (lambda: kept(results), lambda: results.check_room(lambda: [])):
        with pytest.raises(Refusal, match=r"fetch or delete") as refused:
            act()
        assert (refused.value.status, refused.value.code) == (507, "results_full")
    assert all(job.result is not None for job in there)
    assert results.used() == (SIZE, SIZE)


def test_a_full_disk_is_a_sentence_and_takes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(array: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_in_file", full)
    results = Results(in_memory=0)
    with pytest.raises(Refusal, match="No space left") as refused:
        kept(results)
    assert refused.value.status == 507
    assert results.used() == (0, 0)


def test_memory_that_is_full_while_a_result_is_written_takes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(array: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(module, "_in_file", full)
    results = Results(in_memory=0)
    with pytest.raises(MemoryError):
        kept(results)
    assert results.used() == (0, 0)


def test_a_dropped_result_frees_its_memory() -> None:
    results = Results()
    job = kept(results)
    assert job.result is not None
    labels = weakref.ref(job.result.labels)
    results.drop(job)
    gc.collect()
    assert labels() is None
    assert results.used() == (0, 0)
    results.drop(job)  # once more is harmless


def test_a_result_of_a_job_that_was_deleted_is_not_kept() -> None:
    results, job = Results(), a_job()
    job.cancelled.set()
    results.drop(job)
    with pytest.raises(Cancelled):
        results.keep(job, result_of(spots((3, 3))), lambda: [])
    assert results.used() == (0, 0)


def test_a_result_whose_job_is_deleted_while_it_goes_to_disk_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    results, job = Results(in_memory=0), a_job()

    def deleted_meanwhile(result: Result) -> Result:
        job.cancelled.set()
        results.drop(job)
        return spilled(result)

    monkeypatch.setattr(module, "spilled", deleted_meanwhile)
    with pytest.raises(Cancelled):
        results.keep(job, result_of(spots((3, 3))), lambda: [])
    assert results.used() == (0, 0)
    assert job.result is None


def test_many_threads_never_lose_count() -> None:
    results = Results(in_memory=5 * SIZE, on_disk=1000 * SIZE)

    def keep_and_drop() -> None:
        for _ in range(20):
            results.drop(kept(results))

    threads = [threading.Thread(target=keep_and_drop) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.used() == (0, 0)


def test_an_image_without_objects_and_one_without_pixels_can_go_to_disk() -> None:
    for shape in ((8, 8), (0, 8)):
        result = spilled(result_of(np.full(shape, -5.0)))
        assert result.labels.shape == shape
        assert result.count == 0
