"""The programs that the tests of the ImageJ side run: Java, and a display that nobody sees."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest


def unavailable(what: str) -> NoReturn:
    """A missing program fails in CI, where it must be there, and skips with its reason elsewhere."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


def package(name: str) -> None:
    """Make sure of a package that the extra [fiji] brings."""
    if importlib.util.find_spec(name) is None:
        unavailable(f'{name} is not installed; run: pip install "cellspan[fiji]"')


def java() -> Path:
    """The Java of the machine."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin") if home else None)
    if found is None:
        unavailable("there is no Java; install a JDK or set JAVA_HOME")
    return Path(found)


@contextmanager
def virtual_display() -> Iterator[str]:
    """An X display without a screen; its name, such as :7."""
    program = shutil.which("Xvfb")
    if program is None:
        unavailable("there is no Xvfb; install the package xvfb")
    reading, writing = os.pipe()
    server = subprocess.Popen(
        [program, "-displayfd", str(writing), "-screen", "0", "1100x800x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as answer:
            number = answer.readline().strip()
        if not number:
            pytest.fail("Xvfb did not start")
        yield f":{number}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def environment(**extra: str) -> dict[str, str]:
    """What a program started from a desktop would see: file names in UTF-8, a display only if it is given here."""
    kept = {key: value for key, value in os.environ.items() if key != "DISPLAY"}
    return {**kept, "LC_ALL": "C.UTF-8", **extra}


def run(command: list[object], timeout: float = 300, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end with `extra` environment variables; what it printed."""
    return subprocess.run(
        [str(word) for word in command],
        env=environment(**extra),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout,
        check=False,
    )
