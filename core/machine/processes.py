"""Other processes of this computer: whether they have ended."""

from __future__ import annotations

import psutil


def has_ended(pid: int) -> bool:
    """Whether a process has ended, even if the program that started it has not asked for its exit status yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
