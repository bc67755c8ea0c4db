"""Patterns: wildcards, and brackets that are a part of names."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellspan.core.files.patterns import expand

pytestmark = pytest.mark.quick


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("d[1]/a[2].t", "d[1]/a2.t", "d1/b.t", "d1/deep/c.t", "x[.t"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "fixed", "found"),
    [
        ("*.t", ".", ["x[.t"]),
        ("d*/*.t", ".", ["d1/b.t", "d[1]/a2.t", "d[1]/a[2].t"]),
        ("d[1]/*.t", "d[1]", ["d[1]/a2.t", "d[1]/a[2].t"]),
        ("d[1]/a[2]*", "d[1]", ["d[1]/a[2].t"]),
        ("d[1]/a[0-9]*", "d[1]", ["d[1]/a2.t"]),
        ("d[0-9]/*.t", ".", ["d1/b.t"]),
        ("d[[]1]/a2*", "d[1]", ["d[1]/a2.t"]),
        ("x[*", ".", ["x[.t"]),
        ("**/c.t", ".", ["d1/deep/c.t"]),
        ("d1/**", "d1", ["d1"]),
        ("d1/**/*.t", "d1", ["d1/b.t", "d1/deep/c.t"]),
        ("nothing[1]/*.t", ".", []),
    ],
)
def test_what_a_pattern_stands_for(here: Path, pattern: str, fixed: str, found: list[str]) -> None:
    for place in (Path(), here):
        matches = expand(str(place / pattern))
        assert [path.relative_to(place).as_posix() for path in matches.paths] == found
        if found:
            assert matches.fixed == place / fixed


def test_both_readings_are_told_only_if_both_find_something(here: Path) -> None:
    assert expand("d[1]/a2*").note == ""
    assert "1 other file that they could stand for" in expand("d[1]/a[2]*").note


def test_many_brackets_end(here: Path) -> None:
    assert expand("[a]" * 40 + "*").paths == []
