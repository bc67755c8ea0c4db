"""Convolutions of torch with all bits of 32-bit floats, only while the network of cellspan runs.

By default they use TF32 on newer graphics cards, with 10 bits of mantissa. torch has one switch for the whole program,
so it is set for the time of a call and put back, because the program may be somebody else's.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

_guard = threading.Lock()
_inside = 0  # calls that run now, in all threads
_put_back: Callable[[], None] | None = None


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """The first call that begins sets the switch, the last that ends puts it back."""
    global _inside, _put_back
    with _guard:
        _inside += 1
        if _inside == 1:
            _put_back = _switch_off()
    try:
        yield
    finally:
        with _guard:
            _inside -= 1
            if _inside == 0 and _put_back is not None:
                _put_back()


def _switch_off() -> Callable[[], None]:
    """Convolutions without TF32; how to put it back."""
    cudnn: Any = torch.backends.cudnn  # of which each version knows other names
    try:
        before = cudnn.allow_tf32
        cudnn.allow_tf32 = False
        return partial(setattr, cudnn, "allow_tf32", before)
    except RuntimeError:  # the program uses the newer switch of torch, beside which this one may not be read
        precision = cudnn.conv.fp32_precision
        cudnn.conv.fp32_precision = "ieee"
        return partial(setattr, cudnn.conv, "fp32_precision", precision)
