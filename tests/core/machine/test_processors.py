"""How many processors there are to use."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

import pytest

from cellspan.core.machine import processors
from cellspan.core.machine.processors import are_rationed, usable_processors

pytestmark = pytest.mark.quick


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can take processors away from a process")
def test_only_those_that_this_process_may_use_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "_granted", lambda: math.inf)
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
    monkeypatch.setattr(processors, "OWN_GROUPS", Path("nowhere"))
    assert usable_processors() == 12


def rationed(monkeypatch: pytest.MonkeyPatch, folder: Path, groups: str, files: dict[str, str]) -> tuple[int, bool]:
    """What is found for a process in these control groups, on a computer with 12 processors."""
    monkeypatch.setattr(processors, "_seen", lambda: 12)
    monkeypatch.setattr(processors, "CONTROL_GROUPS", folder / "sys")
    monkeypatch.setattr(processors, "OWN_GROUPS", folder / "own")
    (folder / "own").write_text(groups)
    for name, text in files.items():
        path = folder / "sys" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return usable_processors(), are_rationed()


QUOTA, PERIOD = "cpu.cfs_quota_us", "cpu.cfs_period_us"


@pytest.mark.parametrize(
    ("groups", "files", "usable"),
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),  # in a container
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 12),
        ("0::/\n", {"cpu.max": "9900000 100000\n"}, 12),  # more than there are
        ("0::/job/step\n", {"cpu.max": "max 100000", "job/cpu.max": "300000 100000", "job/step/cpu.max": "max 9"}, 3),
        (
            "3:cpu,cpuacct:/docker/a\n1:memory:/\n",
            {f"cpu,cpuacct/{QUOTA}": "400000", f"cpu,cpuacct/{PERIOD}": "100000"},
            4,
        ),
        ("1:cpu:/\n", {f"cpu/{QUOTA}": "-1", f"cpu/{PERIOD}": "100000"}, 12),
        ("1:cpuset:/\n", {}, 12),
    ],
)
def test_the_time_that_a_container_grants_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, groups: str, files: dict[str, str], usable: int
) -> None:
    assert rationed(monkeypatch, tmp_path, groups, files) == (usable, usable < 12)
