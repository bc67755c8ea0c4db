"""A run from its start to its end: what is told first, and that batch.json never says "running" once it has ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cellspan.core.errors import CellspanError
from cellspan.cp_module.batch import run as running
from cellspan.cp_module.batch import session
from cellspan.cp_module.batch.cellprofiler import CellProfiler
from cellspan.cp_module.batch.pipeline import read_pipeline
from cellspan.cp_module.batch.plan import sha256_of
from cellspan.cp_module.batch.session import Options
from cellspan.cp_module.batch.split import Range
from cellspan.cp_module.batch.state import State, write_plan
from cellspan.cp_module.batch.task import Outcome, Task

pytestmark = pytest.mark.quick

MEASURE = Path(__file__).parent / "pipelines" / "measure.cppipe"


@pytest.fixture
def run_all(state: State, template: Task, monkeypatch: pytest.MonkeyPatch) -> Callable[..., State]:
    """Run the eight image sets, of which each goes well, or fails in this way."""

    def work(kind: str = "", **options: Any) -> State:
        def one(task: Task) -> Outcome:
            if kind:
                return Outcome(task.span, "failed", f"{kind}: no", task.span.first, kind=kind, log="/logs/1.log")
            return Outcome(task.span, "done")

        monkeypatch.setattr(running, "run_range", one)
        monkeypatch.setattr(session, "_prepare", lambda *_: (state, template))
        chosen = Options(MEASURE, state.output.parent, state.output, **({"workers": 2} | options))
        return session._run_locked(chosen, read_pipeline(MEASURE), [], CellProfiler(("none",), None))

    monkeypatch.setattr(session, "merge", lambda _: [])
    return work


def report(state: State) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((state.output / "batch.json").read_text())
    return content


def test_what_there_is_to_do_is_told_first(run_all: Callable[..., State], capsys: pytest.CaptureFixture[str]) -> None:
    run_all(sets_per_task=3)
    assert capsys.readouterr().err.splitlines()[0] == "To do: 8 image sets in 3 ranges, with 2 workers."
    run_all(sets_per_task=8)
    assert "8 of 8 image sets are already done." in capsys.readouterr().err


def test_a_merge_that_fails_is_not_a_run_that_goes_on(
    state: State, run_all: Callable[..., State], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: State) -> list[str]:
        assert report(state)["state"] == "running"
        raise CellspanError("DB.db: the file cannot be written (No space left on device).")

    monkeypatch.setattr(session, "merge", full)
    with pytest.raises(CellspanError, match="No space left"):
        run_all()
    assert report(state)["state"] == "failed"
    assert report(state)["error"] == "DB.db: the file cannot be written (No space left on device)."


@pytest.mark.parametrize(
    ("error", "condition"), [(KeyboardInterrupt(), "interrupted"), (RuntimeError("a bug"), "failed")]
)
def test_whatever_ends_a_run_is_in_batch_json(
    error: BaseException,
    condition: str,
    state: State,
    run_all: Callable[..., State],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def end(_: State) -> list[str]:
        raise error

    monkeypatch.setattr(session, "merge", end)
    with pytest.raises(type(error)):
        run_all()
    assert report(state)["state"] == condition


def test_a_corrected_pipeline_replaces_a_run_of_which_nothing_is_done(
    state: State, finish: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It failed from its first image set on, so nobody has to say --restart."""
    state.folder.mkdir(parents=True)
    write_plan(state.output, state.plan)
    planned = state.plan.model_copy(update={"pipeline_sha256": sha256_of(MEASURE), "notes": ["new"]})
    monkeypatch.setattr(session, "make_plan", lambda *_: planned)
    options = Options(MEASURE, Path(state.plan.images), state.output, scheduler="tcp://a:1")
    words = (options, read_pipeline(MEASURE), state.plan.files, CellProfiler(("none",), None))
    assert session._prepare(*words)[0].plan == planned

    write_plan(state.output, state.plan)
    finish(Range(1, 2), Image_csv="x")
    with pytest.raises(CellspanError, match="it contains a run of another pipeline"):
        session._prepare(*words)


def test_a_pipeline_that_fails_from_the_first_set_on(state: State, run_all: Callable[..., State]) -> None:
    with pytest.raises(running.PipelineFault, match="The first 3 image sets all failed"):
        run_all("FlagImage: TypeError")
    assert report(state)["state"] == "failed"
    assert report(state)["counts"] == {"total": 8, "done": 0, "failed": 3, "waiting": 5}
    assert run_all("FlagImage: TypeError", keep_going=True).failed.keys() == set(range(1, 9))
