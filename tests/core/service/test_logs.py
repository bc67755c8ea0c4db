"""The log of the engine."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.service import logs
from cellspan.core.service.logs import EachOnce, start_log

pytestmark = pytest.mark.quick
log = logging.getLogger("cellspan.test")


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """The root's handlers and level as they were."""
    root, raises = logging.getLogger(), logging.raiseExceptions
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers[:], logging.raiseExceptions = handlers, raises
    root.setLevel(level)


def records(filter_: EachOnce, *messages: str) -> list[str]:
    """Those that come through."""
    made = [logging.LogRecord("name", logging.INFO, "", 0, message, (), None) for message in messages]
    return [record.getMessage() for record in made if filter_.filter(record)]


def test_a_sentence_is_written_once() -> None:
    assert records(EachOnce(), "a", "a", "b", "a") == ["a", "b"]


def test_later_it_is_written_again_with_how_often_it_was_left_out() -> None:
    once = EachOnce(quiet=1000)
    assert records(once, "a", "a", "a") == ["a"]
    once._said = {key: (since - 2000, left_out) for key, (since, left_out) in once._said.items()}
    assert records(once, "a", "a") == ["a (and 2 times more)"]


def test_two_handlers_of_one_log_write_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start_log(tmp_path / "log")
    for _ in range(3):
        log.warning("again")
    assert (tmp_path / "log").read_text().count("again") == 1
    assert capsys.readouterr().err.count("again") == 1


def test_other_errors_of_other_jobs_are_no_repetition(tmp_path: Path) -> None:
    start_log(tmp_path / "log")
    for job, error in (("one", KeyError("x")), ("two", KeyError("x")), ("three", ValueError("y"))):
        try:
            raise error
        except Exception:
            log.exception("job %s", job)
    text = (tmp_path / "log").read_text()
    assert "job one" in text
    assert "job two" not in text
    assert "ValueError: y" in text


@pytest.mark.skipif(os.name == "nt", reason="file modes are POSIX")
def test_the_log_is_bounded_and_only_its_user_can_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LARGEST", 2000)
    before = os.umask(0)
    try:
        start_log(tmp_path / "log")
        for k in range(200):
            log.info(f"sentence {k}")
    finally:
        os.umask(before)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["log", "log.1"]
    assert sum(file.stat().st_size for file in files) <= 4000
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]
    assert "sentence 199" in files[0].read_text()


@pytest.mark.skipif(os.name == "nt", reason="file modes are POSIX")
def test_a_log_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "log").touch(mode=0o644)
    start_log(tmp_path / "log")
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="links are followed there")
def test_a_link_in_the_place_of_the_log_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "log").symlink_to(tmp_path / "precious")
    with pytest.raises(CellspanError, match="cannot write its log there"):
        start_log(tmp_path / "log")
    assert (tmp_path / "precious").read_text() == "mine"


def test_a_folder_in_the_place_of_the_log_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CellspanError, match="cannot write its log there"):
        start_log(tmp_path)
