"""The work of a job: segment an image, or repeat the dynamics of an earlier job with other thresholds."""

from __future__ import annotations

from collections.abc import Callable

from cellspan.core.parameters import Parameters
from cellspan.core.planes.result import Result
from cellspan.core.service.models import WarmModels
from cellspan.core.service.uploads import Upload

OnProgress = Callable[[float, str], None]


class SegmentImage:
    """From the bytes of an image to its objects."""

    def __init__(self, models: WarmModels, upload: Upload, parameters: Parameters, device: str) -> None:
        """The image is not decoded before the job starts."""
        self.models, self.upload, self.parameters, self.device = models, upload, parameters, device
        self.is_long = parameters.is_volume

    def run(self, on_progress: OnProgress) -> Result:
        """See Work."""
        on_progress(0.0, "loading the model")
        segmenter = self.models.get(self.parameters.model, self.device)
        on_progress(0.0, "reading the image")
        image = self.upload.decode(self.parameters.is_volume)
        self.upload.close()
        return segmenter.segment(image, self.parameters, on_progress)

    def close(self) -> None:
        """See Work."""
        self.upload.close()


class JudgeAgain:
    """Repeats the dynamics without running the network."""

    is_long = False

    def __init__(self, earlier: Result, parameters: Parameters) -> None:
        """`earlier`: the result of a job with other thresholds."""
        self._earlier: Result | None = earlier
        self._parameters = parameters

    def run(self, on_progress: OnProgress) -> Result:
        """See Work."""
        assert self._earlier is not None
        on_progress(0.0, "following the flows")
        return self._earlier.again(self._parameters)

    def close(self) -> None:
        """See Work."""
        self._earlier = None
