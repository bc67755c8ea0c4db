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
from cellspan.core.planes.preview import sampled
from cellspan.core.planes.restoring import Restored, Restorer
from cellspan.core.planes.result import Result

RESTORING = 0.4  # of the progress, where an image is restored first


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
        restored, given = None, parameters.diameter
        if parameters.restore is None:
            pixels, notes = self._pixels(image, parameters)
        else:
            restored, given = self._restored(image, parameters, lambda part, words: report(RESTORING * part, words))
            told, report = report, lambda part, words: told(RESTORING + (1 - RESTORING) * part, words)
            pixels, notes = self._pixels(restored.image, restored.parameters, image)
            notes = restored.notes + [note for note in notes if note not in restored.notes]
        notes += self.notes
        if given is not None:
            seen = self._looker.look(pixels, given, report)
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
            restored=None if restored is None else restored.pixels,
            restore_sha256="" if restored is None else restored.sha256,
            preview=sampled(pixels.planes[0]),
        )

    def _pixels(self, image: Image, parameters: Parameters, original: Image | None = None) -> tuple[Pixels, list[str]]:
        """What the network sees of an image, and notes; `original` is the image that was restored and enlarged."""
        about, original = self.model.description, original or image
        planes, notes = network_input(image, parameters, about.apart, about.sees_nuclei)
        return Pixels(planes, parameters, original.mask, original.shape), notes

    def _restored(self, image: Image, parameters: Parameters, report: OnProgress) -> tuple[Restored, float | None]:
        """The image restored for the diameter of its objects; and that diameter, if it need not be looked for again.

        Where none is given, the image as it is tells a diameter that is good enough for restoring it.
        """
        about, restorer, diameter = self.model.description, self.restorer(parameters), parameters.diameter
        if diameter is None and not about.rules.any_size:
            pixels, _ = self._pixels(image, parameters)
            if not pixels.is_flat(about.apart or 1):
                report(0.0, "estimating the diameter")
                diameter = DiameterSearch(self._looker).estimate(pixels)
        restored = restorer.restored(image, parameters, diameter, report, about.apart, about.sees_nuclei)
        return restored, diameter if parameters.diameter or restored.image.shape != image.shape else None

    def restorer(self, parameters: Parameters) -> Restorer:
        """What restores images, on the same device and as modest; raises CellspanError if there is no such model."""
        device = self.predictor.device
        return Restorer(parameters.restore or "", "cpu" if device.startswith("cpu") else device, self.predictor.batch)

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
