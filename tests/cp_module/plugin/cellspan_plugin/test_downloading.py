"""The button of the panel that downloads a model: what is offered, what is told meanwhile, and what went wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from cellspan_plugin.downloading import BEST, NotDownloaded, download_model, fetch, offered_models
from cellspan_plugin.engine import program_of
from cellspan_plugin.waiting import Stopped

from cellspan.core.models.official import OFFICIAL
from cellspan.core.service import client

PROGRAM = [sys.executable, "-m", "cellspan.core.cli"]


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As the installer copies it; models go into a folder of the test."""
    monkeypatch.setitem(sys.modules, "cellspan_plugin.client", client)
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_every_official_model_is_offered_with_its_images() -> None:
    lines = offered_models(program_of([*PROGRAM, "serve"]))
    assert [line.split()[0] for line in lines] == list(OFFICIAL)
    assert "cyto3 - cells, nine data sets" in lines
    assert BEST in OFFICIAL


def test_a_model_is_downloaded_and_the_progress_told(
    models_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELLSPAN_MODELS_URL", models_server)
    told: list[tuple[float, str]] = []
    assert fetch(PROGRAM, "cyto3", lambda fraction, words: told.append((fraction, words))) == "cyto3"
    assert told[0] == (0.0, "downloading cyto3")
    assert told[-1] == (1.0, "downloading, 0 of 0 MB")
    assert (tmp_path / "models" / "cyto3").exists()


def test_the_sentence_of_the_program_is_the_users(models_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELLSPAN_MODELS_URL", models_server)
    with pytest.raises(NotDownloaded, match=r"cyto2torch_0.*has no such file \(404\)"):
        fetch(PROGRAM, "cyto2", lambda *_: None)


@pytest.mark.quick
def test_stopping_ends_the_program(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(
        "import sys, time\nprint('PROGRESS 0.50 downloading, 1 of 2 MB', file=sys.stderr, flush=True)\ntime.sleep(60)\n"
    )

    def stop(fraction: float, _: str) -> None:
        if fraction:
            raise Stopped

    with pytest.raises(Stopped):
        fetch([sys.executable, str(script)], "cyto3", stop)


@pytest.mark.quick
def test_a_program_that_is_no_longer_there() -> None:
    with pytest.raises(NotDownloaded, match="did not start"):
        offered_models(["/no/such/cellspan"])


@pytest.mark.quick
def test_without_the_desktop_nothing_is_asked() -> None:
    assert download_model(PROGRAM) == ""
