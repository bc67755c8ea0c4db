"""Units of length as parts of names that any program reads."""

from __future__ import annotations

NO_UNIT = "pixels"
PLAIN = {"µ": "u", "μ": "u", "Å": "A", " ": "_", "/": "_"}


def plain_unit(unit: str, otherwise: str = NO_UNIT) -> str:
    """A unit in plain letters: um for µm; `otherwise` for none."""
    for sign, plain in PLAIN.items():
        unit = unit.replace(sign, plain)
    return unit.encode("ascii", "ignore").decode() or otherwise
