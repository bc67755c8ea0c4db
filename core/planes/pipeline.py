"""One plane from pixels to labels: normalise, find the diameter, resize, network, dynamics."""

from __future__ import annotations

import time
from dataclasses import dataclass

from cellspan.core.inference.predictor import Predictor
from cellspan.core.models.registry import Model
from cellspan.core.objects.labels import Labels
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Floats, Image, Mask
from cellspan.core.pictures.normalise import network_input
from cellspan.core.planes.diameter import DiameterSearch
from cellspan.core.planes.looking import Looker, OnProgress
from cellspan.core.planes.pixels import Pixels
from cellspan.core.planes.result import Result


@dataclass(frozen=True)
class PlanePipeline:
    """A model on a predictor; keeps nothing, so that several threads may use it at once."""

    model: Model
    predictor: Predictor
    notes: tuple[str, ...] = ()  # what people should know of the device that is used

    def segment(self, image: Image, parameters: Parameters, report: OnProgress) -> Result:
        """Find the objects; see `Segmenter.segment`."""
        started = time.perf_counter()
        about = self.model.description
        planes, notes = network_input(image, parameters, about.apart, about.sees_nuclei)
        notes += self.notes
        pixels = Pixels(planes, parameters, image.mask)
        if parameters.diameter is not None:
            seen = self._looker.look(pixels, parameters.diameter, report)
        elif about.rules.any_size:
            seen = self._looker.look(pixels, None, report)
        elif pixels.is_flat(about.apart or 1):
            seen = self._looker.look(pixels, about.mean_diameter, report)
        else:
            seen, more = DiameterSearch(self._looker).look(pixels, report)
            notes += more
        report(0.9, "following the flows")
        found, outputs = seen.objects(parameters)
        report(1.0, "done")
        return Result(
            labels=found.labels,
            errors=found.errors,
            flows=outputs[:2],
            probability=outputs[2],
            diameter=float(seen.diameter_of(found.labels)),
            style=seen.style,
            model=self.model.name,
            model_sha256=self.model.sha256,
            device=self.predictor.device,
            seconds=time.perf_counter() - started,
            notes=notes,
            parameters=parameters,
            seen=seen,
        )

    def segment_planes(
        self,
        planes: Floats,
        parameters: Parameters,
        diameter: float,
        report: OnProgress,
        mask: Mask | None = None,
    ) -> tuple[Labels, Floats, Floats]:
        """Normalised planes (C, Y, X) at a known diameter: all objects, outputs (3, Y, X), style (S,)."""
        seen = self._looker.look(Pixels(planes, parameters, mask), diameter, report)
        report(0.9, "following the flows")
        labels, outputs = seen.everything(parameters)
        return labels, outputs, seen.style

    @property
    def _looker(self) -> Looker:
        return Looker(self.model, self.predictor)
