"""Ending or pausing work in the middle: long loops ask now and then whether anybody still wants what they make.

Whoever starts the work says how to know (`cancelled_by`), the loops ask (`checkpoint`), and nothing between them has to
pass anything on. The question belongs to the thread (or task) that asked it, so that jobs side by side do not mix.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar, copy_context
from typing import NamedTuple, TypeVar

from cellspan.core.errors import Cancelled

ASK = 0.1  # seconds between two questions while something runs that cannot ask by itself
T = TypeVar("T")


class _Owner(NamedTuple):
    is_cancelled: Callable[[], bool]
    pause: Callable[[], None]
    urgent: bool


_owner: ContextVar[_Owner | None] = ContextVar("owner", default=None)


@contextlib.contextmanager
def cancelled_by(
    is_cancelled: Callable[[], bool], pause: Callable[[], None] = lambda: None, urgent: bool = False
) -> Iterator[None]:
    """While this lasts, `checkpoint` in this thread raises Cancelled as soon as `is_cancelled()` is true.

    `pause` may keep the thread at a checkpoint for a while, so that `urgent` work gets the processor.
    """
    token = _owner.set(_Owner(is_cancelled, pause, urgent))
    try:
        yield
    finally:
        _owner.reset(token)


def checkpoint() -> None:
    """Raise Cancelled if the work of this thread is not wanted any more; cheap enough for every tile and slab.

    Not to be called while a lock is held, because it may take a while.
    """
    owner = _owner.get()
    if owner is not None:
        owner.pause()
        raise_if_cancelled()


def raise_if_cancelled() -> None:
    """As `checkpoint`, without ever pausing."""
    owner = _owner.get()
    if owner is not None and owner.is_cancelled():
        raise Cancelled


def is_urgent() -> bool:
    """Whether somebody sits and waits for the work of this thread."""
    owner = _owner.get()
    return owner is not None and owner.urgent


def abandonable(work: Callable[[], T]) -> T:
    """Do some work that cannot ask by itself, such as decoding a file; on Cancelled it is left to end alone.

    Its result is thrown away then.
    """
    if _owner.get() is None:
        return work()
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that asked for the work
            failure.append(error)

    thread = threading.Thread(target=copy_context().run, args=(run,), name="abandonable", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(ASK)
        checkpoint()
    if failure:
        raise failure[0]
    return outcome[0]
