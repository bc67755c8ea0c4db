"""Things that take a while to make, kept until others need their room; each is made once, whoever asks for it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class Kept(Generic[Thing]):
    """The least recently used ones go first; thread-safe."""

    def __init__(self, room: float, size: Callable[[Thing], float]) -> None:
        """`room` is how much may be kept, by the `size` of each; the newest is kept even if it is larger."""
        self._room, self._size = room, size
        self._things: OrderedDict[Hashable, Thing] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Thing]) -> Thing:
        """What is kept under this key, or what `make` gives."""
        with self._lock:
            if key in self._things:
                self._things.move_to_end(key)
                return self._things[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._things:
                    return self._things[key]
            thing = make()
            with self._lock:
                self._things[key] = thing
                self._making.pop(key, None)
                self._make_room(key)
            return thing

    def drop(self, wanted: Callable[[Hashable], bool]) -> None:
        """Forget what has such a key."""
        with self._lock:
            for key in [key for key in self._things if wanted(key)]:
                del self._things[key]

    def _make_room(self, newest: Hashable) -> None:
        total = sum(map(self._size, self._things.values()))
        for key in list(self._things):
            if total <= self._room or key == newest:
                return
            total -= self._size(self._things.pop(key))
