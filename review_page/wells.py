"""The well of a plate that a file name speaks of, as plate readers write it: B03, or r02c03."""

from __future__ import annotations

import re

NAMED = re.compile(r"(?<![A-Za-z0-9])([A-P]|A[A-F])[-_]?(\d{1,2})(?!\d)")  # up to 1,536 wells
COUNTED = re.compile(r"(?<![A-Za-z])r(\d{1,2})c(\d{1,2})(?!\d)", re.IGNORECASE)
ROWS = [*"ABCDEFGHIJKLMNOP", *(f"A{letter}" for letter in "ABCDEF"), *"QRSTUVWXYZ"]
LAST_COLUMN = 48


def well_of(name: str) -> str | None:
    """Such as B03, from plate1_B03_s2.tif or r02c03f01.tiff; None for names without a well."""
    counted = COUNTED.search(name)
    if counted and 1 <= int(counted[1]) <= 16 and 1 <= int(counted[2]) <= LAST_COLUMN:
        return f"{ROWS[int(counted[1]) - 1]}{int(counted[2]):02d}"
    for found in NAMED.finditer(name):
        if 1 <= int(found[2]) <= LAST_COLUMN:
            return f"{found[1]}{int(found[2]):02d}"
    return None
