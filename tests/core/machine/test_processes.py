"""Whether other processes have ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from cellspan.core.machine.processes import has_ended

pytestmark = pytest.mark.quick


def test_a_process_has_ended_before_anybody_asks_for_its_exit_status() -> None:
    assert not has_ended(os.getpid())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert not has_ended(child.pid)
        child.kill()
        deadline = time.monotonic() + 30
        while not has_ended(child.pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert child.returncode is None, "nobody has asked"
        assert has_ended(child.pid)
    assert has_ended(child.pid)
