"""The settings of CellProfiler's plugin RunCellpose in every released layout, recognised by their texts.

Revisions 2, 3 and 7 had several layouts each, so the revision and the number of values do not identify a layout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cellspan.core.errors import CellspanError

MODULE = "RunCellpose"
AGAIN = "open the pipeline in CellProfiler and save it again"

# key -> text of the setting; some texts occur once per Cellpose version in one layout
LABELS = {
    "image": "Select the input image",
    "rescale": "Rescale images before running Cellpose",
    "place": "Run CellPose in docker or local python environment",
    "version": "Select Cellpose version",
    "container": "Select Cellpose docker image",
    "container_omnipose": "Select Cellpose docker image",
    "container_v2": "Select Cellpose docker image",
    "container_v3": "Select Cellpose docker image",
    "container_v4": "Select Cellpose docker image",
    "diameter_known": "Specify expected object diameter?",
    "diameter": "Expected object diameter",
    "mode": "Detection mode",
    "mode_omnipose": "Detection mode",
    "mode_v2": "Detection mode",
    "mode_v3": "Detection mode",
    "mode_v4": "Detection mode",
    "objects": "Name the output object",
    "gpu": "Use GPU",
    "averaging": "Use averaging",
    "nuclei": "Supply nuclei image as well?",
    "nuclei_image": "Select the nuclei image",
    "probability": "Save probability image?",
    "probability_name": "Name the probability image",
    "model_folder": "Location of the pre-trained model file",
    "model_file": "Pre-trained model file name",
    "flow_threshold": "Flow threshold",
    "cellprob_threshold": "Cell probability threshold",
    "gpu_share": "GPU memory share for each worker",
    "stitch_threshold": "Stitch Threshold",
    "do_3d": "Use 3D",
    "min_size": "Minimum size",
    "anisotropy": "Z rescaling factor (anisotropy)",
    "omnipose": "Use Omnipose for mask reconstruction",
    "invert": "Invert images",
    "discard_border": "Remove objects that are touching the edge?",
    "rescale_probability": "Rescale probability map?",
    "denoise": "Preprocess image before segmentation?",
    "denoise_model": "Preprocessing model",
    "save_denoised": "Save preprocessed image?",
    "denoised_name": "Name the preprocessed image",
    "cache": "Cache model between image sets",
    "rescale_z": "Rescale for anisotropy?",
}
RENAMED = {"Run CellPose in a Docker/Podman container or local python environment": LABELS["place"]}

# what RunCellpose did before it had the setting
DEFAULTS = {
    "place": "Python",
    "version": "",
    "diameter_known": "No",
    "flow_threshold": "0.4",
    "cellprob_threshold": "0.0",
    "gpu_share": "",
    "stitch_threshold": "0.0",
    "do_3d": "No",
    "min_size": "15",
    "anisotropy": "0.0",  # it used the spacing of the image
    "rescale_z": "Yes",
    "omnipose": "No",
    "invert": "No",
    "discard_border": "No",
    "denoise": "No",
    "save_denoised": "No",
}

_IMAGES = "averaging nuclei nuclei_image probability probability_name model_folder model_file"
_FIRST = f"diameter mode objects gpu {_IMAGES}"
_THRESHOLDS = "flow_threshold cellprob_threshold"
_SECOND = f"{_FIRST} {_THRESHOLDS} gpu_share"
_THIRD = f"{_SECOND} stitch_threshold do_3d min_size omnipose invert"
_LAST = (
    "image rescale place version container_omnipose container_v2 container_v3 container_v4 diameter_known diameter "
    f"mode_omnipose mode_v2 mode_v3 mode_v4 objects gpu {_IMAGES} {_THRESHOLDS} gpu_share stitch_threshold do_3d "
    "min_size omnipose invert discard_border rescale_probability "
    "denoise denoise_model save_denoised denoised_name cache"
)
# (revision, keys of the settings in the order of the file)
LAYOUTS = tuple(
    (revision, tuple(keys.split()))
    for revision, keys in (
        (1, f"image {_FIRST}"),
        (2, f"image {_FIRST} {_THRESHOLDS}"),
        (2, f"image {_SECOND}"),
        (3, f"image {_SECOND} stitch_threshold do_3d min_size anisotropy omnipose invert"),
        (3, f"image {_THIRD}"),
        (3, f"image {_THIRD} discard_border"),
        (4, f"image place container {_THIRD} discard_border"),
        (5, f"image rescale place container {_THIRD} discard_border"),
        (6, f"image rescale place container {_THIRD} discard_border rescale_probability"),
        (7, _LAST),
        (8, f"{_LAST} rescale_z"),
    )
)


@dataclass(frozen=True)
class Settings:
    """One RunCellpose step; settings missing in its layout have the value that RunCellpose used then."""

    values: Mapping[str, str]  # by the keys of LABELS, as in the file

    def text(self, key: str) -> str:
        """A value as in the file."""
        return self.values[key] if key in self.values else DEFAULTS[key]

    def yes(self, key: str) -> bool:
        """Whether a setting is Yes; raises CellspanError if it is neither Yes nor No."""
        value = self.text(key)
        if value not in ("Yes", "No"):
            raise CellspanError(f"'{LABELS[key]}' of {MODULE} is '{value}' instead of Yes or No; {AGAIN}.")
        return value == "Yes"

    def number(self, key: str) -> float:
        """A setting as a number; raises CellspanError if it is not one."""
        try:
            value = float(self.text(key))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise CellspanError(f"'{LABELS[key]}' of {MODULE} is '{self.text(key)}', which is not a number; {AGAIN}.")
        return value

    @property
    def model(self) -> str:
        """The model's name; since revision 7, each Cellpose version has its own setting."""
        return self.text(self._of_version("mode"))

    @property
    def restores(self) -> bool:
        """Whether the image was restored first: only Cellpose 3 did so, whatever the hidden setting says."""
        return self.text("version") == "v3" and self.yes("denoise")

    @property
    def container(self) -> str:
        """The container in which the network ran, or ''."""
        return "" if self.text("place") == "Python" else self.text(self._of_version("container"))

    def _of_version(self, name: str) -> str:
        key = f"{name}_{self.text('version')}" if self.text("version") else name
        if key not in LABELS:
            raise CellspanError(f"'{LABELS['version']}' of {MODULE} is '{self.text('version')}'; {AGAIN}.")
        return key


def read_settings(revision: int, lines: Sequence[tuple[str, str]]) -> Settings:
    """The settings of a step from its (text, value) lines in the order of the file.

    Raises CellspanError with the revision and the number of values if no released RunCellpose has this layout.
    """
    labels = [RENAMED.get(label, label) for label, _ in lines]
    for known, keys in LAYOUTS:
        if known == revision and [LABELS[key] for key in keys] == labels:
            return Settings(dict(zip(keys, (value for _, value in lines), strict=True)))
    raise CellspanError(
        f"This layout of {MODULE} is unknown (revision {revision}, {len(lines)} values). If the file was edited or "
        f"cut short, {AGAIN}; otherwise replace the step with IdentifyObjectsByFlow by hand."
    )
