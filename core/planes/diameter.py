"""The search for the diameter of a plane's objects: the style tells it, what is found confirms it.

Stringer et al. 2021, Methods, "Size model".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cellspan.core.dynamics.judging import drop_unwanted
from cellspan.core.inference.tiles import sample_style
from cellspan.core.models.sizing import diameter_from_style
from cellspan.core.objects.labels import diameters, drop_on_edges, median_diameter
from cellspan.core.parameters import DYNAMICS, Parameters
from cellspan.core.pictures.resizing import resize
from cellspan.core.planes.looking import Looker, OnProgress
from cellspan.core.planes.pixels import Pixels
from cellspan.core.planes.seen import Seen

REFINE_FROM = 1.15  # ratio of found to estimated diameter that is worth a second pass
UNSURE = 1.6  # ratio of two looks at the style that do not agree: then every magnification is tried
FITTING = 1.5  # ratio of an object's diameter to the one that was looked for, at most, that confirms it
WINDOW = 480  # side of the windows in which a large image's diameter is measured, in pixels that the network sees
AFFORDED = 4.0  # times its pixels that the network sees of an image whose diameter is estimated, at most,
CHEAP = 8_000_000  # but always so many: they take 5 seconds on two cores
ENOUGH = 10  # objects in all windows that a median is taken of


@dataclass(frozen=True)
class DiameterSearch:
    """The search with one model on one predictor."""

    looker: Looker

    def look(self, pixels: Pixels, report: OnProgress) -> tuple[Seen, list[str]]:
        """The network at the diameter that the objects have, which is found first.

        What is found on the way is judged with the default thresholds, so that the diameter, and with it what the
        network sees, does not depend on parameters with which `Result.again` may be called.
        """
        usual = Parameters(**{**vars(pixels.parameters), **{name: getattr(Parameters(), name) for name in DYNAMICS}})
        pixels = Pixels(pixels.planes, usual, pixels.mask)
        part = pixels.looked_at()
        report(0.0, "estimating the diameter")
        diameter, notes = self._estimate(part)
        measured = self._measured(part, diameter, report)
        if measured is not None:
            seen = self.looker.look(pixels, self._affordable(pixels, measured), report)
            return seen, notes + self._note(pixels, measured)
        first = self._affordable(pixels, diameter)
        seen = self.looker.look(pixels, first, report)
        found = median_diameter(seen.objects(usual)[0].labels)
        if not found:
            return seen, notes + self._note(pixels, diameter)
        second = self._affordable(pixels, found)
        if max(second / first, first / second) > REFINE_FROM:
            seen = self.looker.look(pixels, second, report)
        return seen, notes + self._note(pixels, found)

    def _affordable(self, pixels: Pixels, diameter: float) -> float:
        """The diameter, or the smallest one for which the image need not be enlarged beyond what is afforded."""
        area = pixels.shape[0] * pixels.shape[1]
        smallest = self.looker.model.description.mean_diameter * math.sqrt(area / max(AFFORDED * area, CHEAP))
        return max(diameter, smallest)

    def _note(self, pixels: Pixels, diameter: float) -> list[str]:
        """What was not done for the objects' diameter, and what to enter to have it done."""
        taken = self._affordable(pixels, diameter)
        if taken / diameter <= REFINE_FROM:
            return []
        mean = self.looker.model.description.mean_diameter
        wanted, done = (f"{(mean / one) ** 2:.0f}" for one in (diameter, taken))
        return [
            f"The objects seem to be about {diameter:.1f} pixels wide. For that, the image would have to be enlarged "
            f"{wanted}-fold; it was enlarged {done}-fold to save time, so small objects may be missed. Set the "
            f"diameter to {diameter:.1f} if they matter."
        ]

    def estimate(self, pixels: Pixels) -> float:
        """The diameter as the style alone tells it, in pixels."""
        return self._estimate(pixels.looked_at())[0]

    def _estimate(self, pixels: Pixels) -> tuple[float, list[str]]:
        """The diameter as the style tells it, and notes."""
        size_model = self.looker.model.description.size_model
        mean = self.looker.model.description.mean_diameter
        if size_model is None:
            usual = self.looker.model.description.usual_diameter
            whose = "its mean" if usual is None else "that of its training images"
            usual = usual or mean
            return usual, [f"The model cannot estimate diameters; {whose}, {usual:g} pixels, is taken (set diameter)."]
        diameter = diameter_from_style(sample_style(self.looker.predictor, pixels.planes), size_model)
        # A second look at the magnification at which the network knows objects best: 11 % error become 6 %.
        part = pixels.middle(WINDOW * diameter / mean).planes
        shape = tuple(max(1, round(side * mean / diameter)) for side in part.shape[1:])
        scaled = resize(part, (shape[0], shape[1]))
        again = diameter * diameter_from_style(sample_style(self.looker.predictor, scaled), size_model) / mean
        # Noise can look small twice, so the smallest diameter wants to be confirmed by what is found.
        agree = again > size_model.smallest and max(again / diameter, diameter / again) <= UNSURE
        again = max(again, size_model.smallest)
        if not agree:
            octaves = size_model.smallest * 2.0 ** np.arange(np.log2(size_model.largest / size_model.smallest))
            candidates = dict.fromkeys((again, diameter, *octaves))  # each once: both looks can be the first octave
            found = [self._covered(pixels, candidate) for candidate in candidates]
            again = max(found, key=lambda one: one[0])[1]
        return again, []

    def _covered(self, pixels: Pixels, diameter: float) -> tuple[float, float]:
        """The part of the middle of the image that objects of about this diameter cover when it is looked for, and
        their median diameter: closer to the truth than octaves are. The diameter itself if there is no such object.
        """
        part = pixels.middle(WINDOW * diameter / self.looker.model.description.mean_diameter)
        found, _ = self.looker.look(part, diameter, _silent).objects(Parameters())
        sizes = diameters(found.labels)
        fitting = sizes[np.abs(np.log(sizes / diameter)) < np.log(FITTING)]
        covered = float((fitting**2).sum()) / (part.shape[0] * part.shape[1])
        return covered, float(np.median(fitting)) if len(fitting) else diameter

    def _measured(self, pixels: Pixels, diameter: float, report: OnProgress) -> float | None:
        """The median diameter of what is found in parts of a large image; None if it is small or too little is found.

        So a large image is segmented once, at the right diameter, instead of twice.
        """
        sizes: list[float] = []
        for window in pixels.windows(WINDOW * diameter / self.looker.model.description.mean_diameter):
            seen = self.looker.look(window, diameter, lambda part, words: report(0.0, "measuring the diameter"))
            labels, _ = seen.everything(window.parameters)
            sizes.extend(diameters(drop_unwanted(drop_on_edges(labels), Parameters())))
        return float(np.median(sizes)) if len(sizes) >= ENOUGH else None


def _silent(part: float, words: str) -> None:
    """Progress that is not shown."""
