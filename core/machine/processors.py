"""The processors of this computer that are this program's, in a container or a job as well."""

from __future__ import annotations

import math
import os
from pathlib import Path

CONTROL_GROUPS = Path("/sys/fs/cgroup")  # where Linux says what a container may use
OWN_GROUPS = Path("/proc/self/cgroup")


def usable_processors() -> int:
    """How many this process may keep busy, which is fewer than there are in a container or a job."""
    return max(1, int(min(_seen(), _granted())))


def are_rationed() -> bool:
    """Whether there is less time of processors than processors to see, which libraries do not notice by themselves."""
    return usable_processors() < _seen()


def _seen() -> int:
    """The processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _granted() -> float:
    """How many processors' time the control groups grant (`docker run --cpus 2`); infinite without a limit.

    As `dask.system.cpu_count`, whose import takes longer than a small image; groups above this one count as well.
    """
    try:
        groups = [line.split(":", 2) for line in OWN_GROUPS.read_text(encoding="utf-8").splitlines()]
    except OSError:  # not Linux
        return math.inf
    limits = [math.inf]
    for _, controllers, path in groups:
        if not controllers:
            limits += [_quotient(folder / "cpu.max") for folder in _upwards(CONTROL_GROUPS, path)]
        elif "cpu" in controllers.split(","):
            for folder in _upwards(CONTROL_GROUPS / controllers, path):
                limits.append(_quotient(folder / "cpu.cfs_quota_us", folder / "cpu.cfs_period_us"))
    return min(limits)


def _upwards(root: Path, path: str) -> list[Path]:
    """The folder of a group and of those above it; in a container only the last, the root, may be there to see."""
    inner = root / path.lstrip("/")
    return [folder for folder in (inner, *inner.parents) if folder == root or root in folder.parents]


def _quotient(*files: Path) -> float:
    """A quota divided by its period, as written in one file or in two; infinite if there is none."""
    try:
        quota, period = " ".join(file.read_text(encoding="utf-8") for file in files).split()
        return int(quota) / int(period) if int(quota) > 0 else math.inf
    except (OSError, ValueError):  # no such file; "max"
        return math.inf
