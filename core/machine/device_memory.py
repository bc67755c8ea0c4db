"""What people read when the memory of a graphics card (or any torch device) is full."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

from cellspan.core.errors import DeviceMemoryError

P = ParamSpec("P")
T = TypeVar("T")


def explains_full_memory(function: Callable[P, T]) -> Callable[P, T]:
    """A function that works on a device and raises DeviceMemoryError when the device's memory does not suffice."""

    @wraps(function)
    def explained(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except RuntimeError as error:
            if not _is_full_memory(error):
                raise
        # Raised here, where torch's error with all the tensors that its frames hold is gone.
        raise DeviceMemoryError(
            "The device has too little free memory for this image: take a smaller tile (--tile 256), close other "
            "programs that use the device, or choose --device cpu."
        )

    return explained


def _is_full_memory(error: RuntimeError) -> bool:
    if isinstance(error, torch.cuda.OutOfMemoryError):
        return True
    # Apple graphics and the libraries below torch have no type of their own for it.
    text = str(error).lower()
    return "out of memory" in text or "alloc_failed" in text or "can't allocate memory" in text
