"""Ending work in the middle: long loops ask now and then whether anybody still wants what they make.

Whoever starts the work says how to know (`cancelled_by`), the loops ask (`checkpoint`), and nothing between them has to
pass anything on. The question belongs to the thread (or task) that asked it, so that jobs side by side do not mix.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from cellspan.core.errors import Cancelled

_is_cancelled: ContextVar[Callable[[], bool] | None] = ContextVar("is_cancelled", default=None)


@contextlib.contextmanager
def cancelled_by(is_cancelled: Callable[[], bool]) -> Iterator[None]:
    """While this lasts, `checkpoint` in this thread raises Cancelled as soon as `is_cancelled()` is true."""
    token = _is_cancelled.set(is_cancelled)
    try:
        yield
    finally:
        _is_cancelled.reset(token)


def checkpoint() -> None:
    """Raise Cancelled if the work of this thread is not wanted any more; cheap enough for every tile and slab."""
    is_cancelled = _is_cancelled.get()
    if is_cancelled is not None and is_cancelled():
        raise Cancelled
