"""Threads of training sleep while they wait, and nobody else's do."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("torch")
IMPORT = "import os, cellspan.core.training.loop; print(os.environ.get('OMP_WAIT_POLICY'))"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's OpenMP says what it has read")
def test_openmp_is_told_and_the_environment_is_not_changed() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    call = [sys.executable, "-c", IMPORT]
    done = subprocess.run(
        call, env={**environment, "OMP_DISPLAY_ENV": "true"}, capture_output=True, text=True, check=True
    )
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in done.stderr
    assert done.stdout.strip() == "None"


def test_what_people_set_stays() -> None:
    call = [sys.executable, "-c", IMPORT]
    done = subprocess.run(
        call, env={**os.environ, "OMP_WAIT_POLICY": "active"}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "active"
