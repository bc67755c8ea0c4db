"""How much memory this process may still use."""

from __future__ import annotations

import psutil


def available_memory() -> int:
    """Bytes."""
    return int(psutil.virtual_memory().available)
