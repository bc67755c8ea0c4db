"""Which channels of a picture are looked at, and the luminance of those in colour."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError, missing_channel
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Image

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, what ImageJ and CellProfiler users expect
COMBINED = "The model sees each channel by itself, so combine had no effect."


def main_channels(image: Image, chosen: tuple[int, ...]) -> tuple[list[NDArray[Any]], list[str]]:
    """The planes (Y, X) to segment, of which several become one, and the note that there are others; () = not chosen.

    Raises CellspanError for a missing channel.
    """
    if chosen:
        return [one_channel(image, channel, "channel") for channel in chosen], []
    if image.is_rgb:
        return [np.tensordot(LUMINANCE, image.channels.astype(np.float32), axes=1)], []
    return [image.channels[image.main]], first_of_several(len(image.channels), image.main)


def channels_apart(count: int, main: int, parameters: Parameters, most: int) -> tuple[list[int], list[str]]:
    """Which of `count` channels go into a network that sees each by itself, the nuclei last; and notes.

    All of them if none is chosen. Raises CellspanError for a missing channel and if there are more than `most`.
    """
    chosen, nuclei = list(parameters.channels), parameters.nuclei_channel
    notes = [COMBINED] if parameters.combine != Parameters().combine else []
    for channel in chosen:
        check_channel(count, channel, "channel")
    if nuclei is not None:
        check_channel(count, nuclei, "nuclei_channel")
        chosen = [channel for channel in chosen or [main] if channel != nuclei] + [nuclei]
    if len(chosen) > most:
        raise CellspanError(
            f"channel = {','.join(map(str, chosen))}: this model sees {most} channels at most; leave some out."
        )
    if not chosen and count > most:
        notes.append(f"The image has {count} channels; the first {most} are looked at (choose with channel).")
    return chosen or list(range(min(count, most))), notes


def require_nuclei(parameters: Parameters, sees_nuclei: bool) -> None:
    """Refuse a channel of nuclei for a network that has none; raises CellspanError."""
    if parameters.nuclei_channel is not None and not sees_nuclei:
        raise CellspanError(
            f"nuclei_channel = {parameters.nuclei_channel}: this model sees one channel only; leave out nuclei_channel."
        )


def one_channel(image: Image, index: int, option: str) -> NDArray[Any]:
    """A channel (Y, X) that the value of `option` asks for; raises CellspanError if the image lacks it."""
    check_channel(len(image.channels), index, option)
    result: NDArray[Any] = image.channels[index]
    return result


def first_of_several(count: int, main: int = 0) -> list[str]:
    """The note that one channel was taken although there are others."""
    if count < 2:
        return []
    return [f"The image has {count} channels; channel {main} is segmented (choose with channel)."]


def check_channel(count: int, index: int, option: str) -> None:
    """Refuse a channel that an image with `count` of them lacks; raises CellspanError."""
    if index >= count:
        raise missing_channel(option, index, count)
