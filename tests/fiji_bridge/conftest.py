"""What the tests of the bridge share: a fresh Python with its own Java for each program, and a display."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import programs  # noqa: E402 - beside this file

RunPython = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """A display that nobody sees."""
    with programs.virtual_display() as name:
        yield name


@pytest.fixture
def in_imagej() -> RunPython:
    """Run a program of the folder in_imagej, which starts ImageJ, in a process of its own; it must succeed."""
    programs.package("scyjava")
    programs.java()

    def run(program: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        done = programs.run([sys.executable, HERE / "in_imagej" / program, *arguments], **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return run
