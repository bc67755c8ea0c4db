"""How large pixels are, as files say it: everything that is a length becomes micrometres."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

MICROMETRE = "µm"
LARGEST = 1000.0  # micrometres of a pixel that a resolution may mean; beyond, programs wrote 1 because they had to
_MICROMETRES = {
    **dict.fromkeys(("µm", "um", "μm", "\\u00b5m", "micron", "microns", "micrometer", "micrometre"), 1.0),
    **dict.fromkeys(("pm", "picometer", "picometre"), 1e-6),
    **dict.fromkeys(("å", "angstrom"), 1e-4),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1e-3),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e3),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 1e4),
    **dict.fromkeys(("m", "meter", "metre"), 1e6),
    **dict.fromkeys(("in", "inch", '"'), 25_400.0),
}
_NONE = ("", "pixel", "pixels", "voxel", "none")
# Dots per inch that programs write for screens and printers: they say nothing of a specimen.
_PRINT = (1, 72, 75, 96, 100, 120, 144, 150, 200, 220, 240, 300, 350, 360, 400, 600, 720, 1200, 2400)


@dataclass(frozen=True)
class Sizes:
    """From one pixel to the next along z, y, x, as far as it is known, and the unit (µm; empty for pixels)."""

    along: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""

    @property
    def plane(self) -> tuple[float, float] | None:
        """Along y, x with a unit; None if that is not known."""
        y, x = self.along.get("Y"), self.along.get("X")
        return (y, x) if y and x and self.unit else None

    @property
    def volume(self) -> tuple[float, float, float] | None:
        """Along z, y, x; None if that is not known."""
        z, y, x = (self.along.get(letter) for letter in "ZYX")
        return (z, y, x) if z and y and x else None


def sizes(along: Mapping[str, object], units: Mapping[str, str] | str = MICROMETRE) -> Sizes:
    """Sizes along Z, Y, X with their units; a size that is no positive number is not known."""
    given = {letter: units if isinstance(units, str) else units.get(letter, "") for letter in "ZYX"}
    factors = {letter: _MICROMETRES.get(unit.strip().lower()) for letter, unit in given.items()}
    usable = {letter: number for letter in "ZYX" if (number := _positive(along.get(letter)))}
    if usable and all(factors[letter] for letter in usable):
        return Sizes({letter: number * (factors[letter] or 1) for letter, number in usable.items()}, MICROMETRE)
    unit = given["X"].strip()
    return Sizes(usable, "" if unit.lower() in _NONE else unit)


def of_resolution(per_unit: tuple[float, float], unit: float) -> Sizes:
    """Sizes from pixels per unit along x, y, as TIFF tags have them; `unit` is in micrometres.

    The resolutions of screens and printers, which image editors write, are no sizes of pixels.
    """
    x, y = (_positive(number) for number in per_unit)
    printed = any(abs(x * 25_400 / unit / dots - 1) < 0.002 for dots in _PRINT)
    if not x or not y or printed or unit / x > LARGEST:
        return Sizes()
    return Sizes({"Y": unit / y, "X": unit / x}, MICROMETRE)


def _positive(number: object) -> float:
    """The number; 0 for what is none, and for sizes that are not possible."""
    try:
        value = float(number)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 0.0
    return value if math.isfinite(value) and value > 0 else 0.0
