"""Which Java is taken, among homes of Java that are only files here."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cellspan.fiji_bridge.java import LIBRARY, find_java

pytestmark = pytest.mark.quick


class FakeScyjava:
    """Keeps what it is told about Java."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}
        self.config = SimpleNamespace(set_java_constraints=lambda **constraints: self.told.update(constraints))


@pytest.fixture(autouse=True)
def no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Java, whose environment is put back afterwards."""
    monkeypatch.setenv("JAVA_HOME", "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def java(home: Path, version: str = "17.0.9") -> Path:
    """Make a home of Java."""
    for name in (LIBRARY, "bin/java"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).touch(mode=0o755)
    (home / "release").write_text(f'IMPLEMENTOR="somebody"\nJAVA_VERSION="{version}"\n')
    return home


def taken(fiji: Path | None = None) -> str | None:
    """The JAVA_HOME that is set."""
    find_java(FakeScyjava(), fiji)
    return os.environ.get("JAVA_HOME")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such links")
def test_the_link_in_usr_bin_is_not_taken_for_the_home_of_java(tmp_path: Path) -> None:
    home = java(tmp_path / "jvm" / "java-17")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(home / "bin" / "java")
    assert taken() == str(home)


def test_java_home_comes_first_then_the_fiji(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = java(tmp_path / "Fiji.app" / "java" / "linux-amd64" / "zulu21", "21.0.1")
    assert taken(tmp_path / "Fiji.app") == str(own)
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path / "mine")))
    assert taken(tmp_path / "Fiji.app") == str(tmp_path / "mine")


@pytest.mark.parametrize(
    ("version", "reason"), [("11.0.2", "it is Java 11, and 17 is needed"), (None, "there is no Java")]
)
def test_an_unfit_java_home_is_passed_over_and_said(
    version: str | None, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path / "old", version) if version else tmp_path))
    fiji = java(tmp_path / "Fiji.app" / "java" / "linux-amd64" / "zulu21", "21")
    assert taken(tmp_path / "Fiji.app") == str(fiji)
    assert f"(JAVA_HOME) is not used: {reason}" in caplog.text
    assert f"Using the Java in {fiji} (the Fiji's own)." in caplog.text


def test_without_any_java_one_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    scyjava = FakeScyjava()
    find_java(scyjava)
    assert "JAVA_HOME" not in os.environ
    assert scyjava.told == {"fetch": "auto", "version": "17"}
    assert "scyjava looks for one" in caplog.text
