"""Files in another program's folder: ours are written and taken away completely, foreign ones are never touched."""

from __future__ import annotations

import contextlib
import json
import resource
import shutil
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellspan.core.errors import CellspanError
from cellspan.core.files.installed import Finding, Installation, check_engine, command_line, run_apart

pytestmark = pytest.mark.quick

CONTENTS = {"cellspan/a.py": b"a = 1\n", "cellspan/deep/b.txt": b"b" * 2000, "plugin.py": b"import cellspan.a\n"}
RECORD = "cellspan/installed.json"


def installation(folder: Path, contents: Mapping[str, bytes] = CONTENTS, **more: frozenset[str]) -> Installation:
    return Installation(folder, contents, RECORD, "`cellspan install it`", **more)


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every file with its content and every folder below this one."""
    paths = sorted(folder.rglob("*"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in paths}


def files(folder: Path) -> dict[str, bytes | None]:
    return {name: content for name, content in tree(folder).items() if content is not None}


def texts(findings: Iterator[Finding], good: bool | None) -> list[str]:
    return [finding.text for finding in findings if finding.good is good]


@contextlib.contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """As on a full disk: the system refuses to write more bytes than this into a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_every_file_is_written_and_listed(tmp_path: Path) -> None:
    written = installation(tmp_path).write()
    assert written == [tmp_path / name for name in (*CONTENTS, RECORD)]
    record = json.loads((tmp_path / RECORD).read_text())
    assert record == {
        "cellspan": version("cellspan"),
        "files": sorted(CONTENTS),
        "folders": ["cellspan", "cellspan/deep"],
    }
    assert files(tmp_path) == {**CONTENTS, RECORD: (tmp_path / RECORD).read_bytes()}


def test_files_of_an_earlier_version_go(tmp_path: Path) -> None:
    installation(tmp_path).write()
    new = {"cellspan/a.py": b"a = 2\n", "other.py": b""}
    installation(tmp_path, new).write()
    assert set(files(tmp_path)) == {*new, RECORD}
    assert not (tmp_path / "cellspan" / "deep").exists()
    installation(tmp_path, new).remove()
    assert tree(tmp_path) == {}


def test_foreign_files_stay(tmp_path: Path) -> None:
    foreign = ["theirs.py", "cellspan/notes.txt", "cellspan/deep/image.tif", "plugin.py.bak", "plugins.py"]
    for name in foreign:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("theirs")
    before = tree(tmp_path)
    installation(tmp_path).write()
    installation(tmp_path, {"plugin.py": b""}).write()
    installation(tmp_path, {"plugin.py": b""}).remove()
    assert tree(tmp_path) == before


def test_after_removing_the_folder_is_as_before(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "theirs.py").write_text("x = 1\n")
    before = tree(tmp_path)
    installation(tmp_path).write()
    assert {*installation(tmp_path).remove()} == {tmp_path / name for name in (*CONTENTS, RECORD)}
    assert tree(tmp_path) == before
    assert installation(tmp_path).remove() == []
    assert tree(tmp_path) == before


def test_what_python_compiled_from_our_files_goes_too(tmp_path: Path) -> None:
    (tmp_path / "theirs.py").write_text("x = 1\n")
    installation(tmp_path).write()
    run = [sys.executable, "-m", "compileall", "-q", str(tmp_path)]
    assert run_apart(run, 60).returncode == 0
    compiled = tmp_path / "__pycache__"
    assert len([*tmp_path.rglob("*.pyc")]) == 3
    installation(tmp_path).remove()
    assert [path.name.split(".")[0] for path in compiled.iterdir()] == ["theirs"]
    assert not (tmp_path / "cellspan").exists()


def test_folders_that_were_there_stay(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    contents = {"scripts/menu/cellspan/a.py": b""}
    installation(tmp_path, contents).write()
    installation(tmp_path, contents).write()  # the second time, all folders were there
    installation(tmp_path, contents).remove()
    assert tree(tmp_path) == {"scripts": None}


@pytest.mark.parametrize("damaged", ["", "[]", "{}", '{"files": 1, "folders": []}', None])
def test_without_a_readable_list_our_files_go_all_the_same(tmp_path: Path, damaged: str | None) -> None:
    installation(tmp_path).write()
    (tmp_path / RECORD).unlink()
    if damaged is not None:
        (tmp_path / RECORD).write_text(damaged)
    installation(tmp_path).remove()
    assert files(tmp_path) == {}


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/passwd", "a/../../outside.txt", "", ".", "C:x", "..\\x", 7])
def test_a_list_cannot_name_what_lies_elsewhere(tmp_path: Path, name: object) -> None:
    (tmp_path / "outside.txt").write_text("theirs")
    folder = tmp_path / "plugins"
    folder.mkdir()
    installation(folder).write()
    (folder / RECORD).write_text(json.dumps({"files": [name, *CONTENTS], "folders": [name, "cellspan"]}))
    installation(folder).remove()
    assert (tmp_path / "outside.txt").read_text() == "theirs"
    assert folder.is_dir()


def test_what_lies_behind_a_link_is_not_touched(tmp_path: Path) -> None:
    theirs, folder = tmp_path / "theirs", tmp_path / "plugins"
    for path in (theirs, folder):
        path.mkdir()
    (theirs / "a.py").write_text("theirs")
    (folder / "cellspan").symlink_to(theirs)
    for action in (installation(folder).write, installation(folder).remove):
        with pytest.raises(CellspanError, match="this is a link to another folder"):
            action()
    assert tree(theirs) == {"a.py": b"theirs"}
    assert not (folder / "plugin.py").exists()


def test_a_full_disk_leaves_whole_files_only(tmp_path: Path) -> None:
    installation(tmp_path).write()
    new = {"cellspan/a.py": b"a = 2\n", "cellspan/deep/b.txt": b"c" * 2000, "new.py": b""}
    with no_file_above(1000), pytest.raises(CellspanError, match=r"deep/b\.txt: the file cannot be written"):
        installation(tmp_path, new).write()
    record = (tmp_path / RECORD).read_bytes()
    assert files(tmp_path) == {**CONTENTS, "cellspan/a.py": b"a = 2\n", RECORD: record}
    assert json.loads(record)["files"] == sorted({*CONTENTS, *new})
    installation(tmp_path, new).write()
    assert set(files(tmp_path)) == {*new, RECORD}


def test_a_full_disk_at_the_first_time_leaves_something_that_can_be_removed(tmp_path: Path) -> None:
    with no_file_above(1000), pytest.raises(CellspanError):
        installation(tmp_path).write()
    assert set(files(tmp_path)) == {"cellspan/a.py", RECORD}
    assert len(texts(installation(tmp_path).check(), False)) == 2
    installation(tmp_path).remove()
    assert tree(tmp_path) == {}


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "plugin.py" / "inside").mkdir(parents=True)
    with pytest.raises(CellspanError, match=r"plugin\.py: the file cannot be written"):
        installation(tmp_path).write()
    assert set(files(tmp_path)) == {*CONTENTS, RECORD} - {"plugin.py"}


def test_a_complete_installation_is_good(tmp_path: Path) -> None:
    installation(tmp_path).write()
    before = tree(tmp_path)
    (finding,) = installation(tmp_path).check()
    assert finding.good
    assert "3 files, all as cellspan" in finding.text
    assert tree(tmp_path) == before


def test_nothing_installed(tmp_path: Path) -> None:
    (finding,) = installation(tmp_path).check()
    assert finding == Finding(False, f"{tmp_path}: cellspan is not installed there; run `cellspan install it`")


@pytest.mark.parametrize("name", CONTENTS)
def test_a_missing_file_is_found(tmp_path: Path, name: str) -> None:
    installation(tmp_path).write()
    (tmp_path / name).unlink()
    (finding,) = installation(tmp_path).check()
    assert finding == Finding(False, f"{tmp_path / name}: the file is missing; run `cellspan install it`")


@pytest.mark.parametrize("name", CONTENTS)
def test_a_changed_file_is_found(tmp_path: Path, name: str) -> None:
    installation(tmp_path).write()
    (tmp_path / name).write_bytes(CONTENTS[name] + b" ")
    (finding,) = installation(tmp_path).check()
    assert finding.good is False
    assert finding.text.startswith(f"{tmp_path / name}: the file is not as cellspan")


def test_files_that_differ_between_computers_may_differ(tmp_path: Path) -> None:
    local = frozenset({"cellspan/a.py"})
    installation(tmp_path, local=local).write()
    (tmp_path / "cellspan/a.py").write_text("b = 1\n")
    assert texts(installation(tmp_path, local=local).check(), False) == []
    (tmp_path / "cellspan/a.py").unlink()
    assert len(texts(installation(tmp_path, local=local).check(), False)) == 1


def test_a_missing_list_and_left_over_files_are_found(tmp_path: Path) -> None:
    installation(tmp_path).write()
    less = {"plugin.py": CONTENTS["plugin.py"]}
    (found, _) = texts(installation(tmp_path, less).check(), False)
    assert found.startswith(f"{tmp_path / 'cellspan/a.py'}: the file is of an earlier cellspan")
    (tmp_path / RECORD).unlink()
    (found,) = texts(installation(tmp_path).check(), False)
    assert "the list of the files is missing" in found


@given(
    st.dictionaries(st.sampled_from(["a.py", "d/b.py", "d/e/c.py", "cellspan/f.py"]), st.binary(max_size=9), min_size=1)
)
def test_whatever_was_installed_before_only_the_last_stays(
    tmp_path_factory: pytest.TempPathFactory, contents: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("plugins")
    installation(folder).write()
    installation(folder, contents).write()
    assert {name: content for name, content in files(folder).items() if name != RECORD} == contents
    assert texts(installation(folder, contents).check(), False) == []
    installation(folder, contents).remove()
    assert tree(folder) == {}


def engine_faults(tmp_path: Path, command: list[str] | None) -> list[str]:
    return texts(check_engine(tmp_path / "engine.json", command, "`cellspan install it`"), False)


def test_this_engine_answers(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cellspan.core.cli"]
    assert engine_faults(tmp_path, command) == []
    (finding,) = check_engine(tmp_path / "engine.json", command, "")
    assert finding == Finding(True, f"{sys.executable}: the engine answers, version {version('cellspan')}")


def test_engines_that_do_not_answer(tmp_path: Path) -> None:
    (fault,) = engine_faults(tmp_path, None)
    assert "does not say where the engine is; run `cellspan install it`" in fault
    gone = str(tmp_path / "gone" / "python")
    assert engine_faults(tmp_path, [gone]) == [
        f"{gone}: the engine's Python is not there any more; run `cellspan install it`"
    ]
    (fault,) = engine_faults(tmp_path, [sys.executable, "-m", "no_such_engine"])
    assert "cannot start the engine" in fault
    assert "no_such_engine" in fault
    (fault,) = engine_faults(tmp_path, [sys.executable])  # answers with the version of Python
    assert f"the engine there is Python 3.{sys.version_info[1]}" in fault


def test_another_python_sees_nothing_of_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "intruder.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert run_apart([sys.executable, "-c", "import intruder"], 60).returncode == 1
    echo = run_apart([shutil.which("env") or "env"], 60)
    assert not [line for line in echo.stdout.splitlines() if line.startswith("PYTHONPATH")]


def test_a_folder_with_spaces_is_quoted_for_the_user() -> None:
    assert command_line("fiji", Path("/a b")) == '`cellspan install fiji --to "/a b"`'
    assert command_line("fiji", Path("/ab")) == "`cellspan install fiji --to /ab`"
