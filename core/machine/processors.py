"""The processors of this computer."""

from __future__ import annotations

import os


def usable_processors() -> int:
    """How many this process may use, which is fewer than there are in a container or a job."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
