"""How many processors there are to use."""

from __future__ import annotations

import os
import sys

import pytest

from cellspan.core.machine.processors import usable_processors

pytestmark = pytest.mark.quick


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can take processors away from a process")
def test_only_those_that_this_process_may_use_count() -> None:
    mine = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(mine)})
        assert usable_processors() == 1
    finally:
        os.sched_setaffinity(0, mine)
    assert usable_processors() == len(mine)


def test_where_nobody_tells_which_are_mine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert usable_processors() == 12
