"""Where the machine code of the loops is kept, so that it is compiled once per installation and not at every start.

Code that lies in the installation is used even if it is read-only. New code goes beside the package's files, else
into the user's cache, else into a folder of this process. numba knows one folder for all functions of a program, named
by NUMBA_CACHE_DIR or its global settings; here each function has a cache of its own, so that neither other libraries
nor child processes notice anything.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _Cache
from platformdirs import user_cache_path

FOLDER_VARIABLE = "NUMBA_CACHE_DIR"  # numba's own name for it; people may set it, cellspan does not
PATIENCE = 2.0  # seconds of compiling after which people are told what they wait for
PREPARING = "Preparing the computation for this computer; it takes about 20 seconds and happens"
MESSAGE = f"{PREPARING} once per installation."
PROGRESS = "preparing for this computer (about 20 s, {})"  # Fiji has room for 60 letters, with its name
EVERY_TIME = (
    f"{PREPARING} at every start, because neither the installation nor a folder of yours can be written; set "
    f"{FOLDER_VARIABLE} to a folder that can."
)

log = logging.getLogger(__name__)
settings: Any = numba.config  # whose names numba makes while it is loaded


@dataclass(frozen=True)
class Place:
    """Where new code goes."""

    folder: Path | None  # None = beside the package's files, as numba likes it
    lasting: bool  # whether the next start finds it


@dataclass(frozen=True)
class Kept:
    """What `cellspan doctor` says of the compiled code."""

    place: Place
    complete: bool  # whether nothing has to be compiled


def look_for_code(work: Callable[[], object]) -> Kept:
    """Whether the code that `work` runs is kept for this computer, and where it would go if not; compiles nothing.

    To be called before anything else has run: what is compiled in this process already counts as kept.
    """
    token = _looking.set(True)
    try:
        work()
        complete = True
    except _NotKept:
        complete = False
    finally:
        _looking.reset(token)
    return Kept(place_of_new_code(), complete)


def preparing() -> str | None:
    """What whoever waits is waiting for, in a few words, while code is compiled and the log has told it; else None."""
    return _announcement.words


@lru_cache(maxsize=1)
def place_of_new_code() -> Place:
    """The same for all functions, decided when the first of them has to be compiled."""
    if settings.CACHE_DIR:
        return Place(Path(settings.CACHE_DIR), lasting=True)
    user = user_cache_path("cellspan", appauthor=False) / "numba"
    try:
        folder = cache_folder(Path(__file__).parent, user)
    except OSError:  # no temporary folder either
        return Place(None, lasting=False)
    return Place(folder, lasting=folder in (None, user))


def cache_folder(package: Path, user: Path) -> Path | None:
    """Where compiled code goes: None = beside the package's files, as numba likes it, else the first that is writable.

    A read-only installation (an administrator's, a container's) uses the user's cache; without a writable home, a
    folder for this process only, because a shared one could be filled by somebody else. Raises OSError if there is
    none at all.
    """
    beside = package / "__pycache__"  # perhaps of an administrator who ran the program once
    if os.access(package, os.W_OK) and (not beside.exists() or os.access(beside, os.W_OK)):
        return None
    with contextlib.suppress(OSError):
        user.mkdir(parents=True, exist_ok=True)
        if os.access(user, os.W_OK):
            return user
    private = tempfile.mkdtemp(prefix="cellspan-numba-")
    atexit.register(shutil.rmtree, private, ignore_errors=True)
    return Path(private)


class KeptCode(_Cache):
    """The compiled code of one function on disk, as numba's dispatchers ask for it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        """For a function that is not compiled yet; looks at no file."""
        self._function = function

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The code for these types of arguments; None if there is none, after which numba compiles it."""
        for cache in self._readable():
            # Files that an administrator left unreadable for others count as missing.
            with contextlib.suppress(OSError):
                found = cache.load_overload(sig, target_context)
                if found is not None:
                    return found
        if _looking.get():
            raise _NotKept
        _announcement.begin()
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what numba has compiled; without room for it, it is used all the same."""
        _announcement.end()
        try:
            self._new.save_overload(sig, data)
        except OSError as error:
            _warn_of_no_room(str(error))

    @property
    def cache_path(self) -> str:
        """The folder that new code goes to."""
        return str(self._new.cache_path)

    def enable(self) -> None:
        """It always is."""

    def disable(self) -> None:
        """Numba's own code never does that."""

    def flush(self) -> None:
        """Forget what was kept for this function."""
        self._new.flush()

    def _readable(self) -> Iterator[FunctionCache]:
        """The caches to look into; the second is only made if the first does not have the code."""
        if not settings.CACHE_DIR:
            yield self._installed
        if place_of_new_code().folder is not None:
            yield self._new

    @cached_property
    def _installed(self) -> FunctionCache:
        return _cache(self._function, None)

    @cached_property
    def _new(self) -> FunctionCache:
        folder = place_of_new_code().folder
        return self._installed if folder is None else _cache(self._function, folder)


def _cache(function: Callable[..., Any], folder: Path | None) -> FunctionCache:
    """numba's cache of one function in a folder; None = beside the file that defines it."""

    class Impl(CompileResultCacheImpl):
        _locator_classes: Any = (_Locators(folder),)

    class Cache(FunctionCache):
        _impl_class = Impl

    make: Callable[..., FunctionCache] = Cache  # whose own signature has no types
    return make(function)


@dataclass(frozen=True)
class _Locators:
    """What makes a locator for a function, where numba expects a class of them."""

    folder: Path | None

    def from_function(self, function: Callable[..., Any], file: str) -> _Locator:
        """Whether the folder can be written is not asked here, because code may be read all the same."""
        if self.folder is None:
            folder = Path(file).parent / "__pycache__"
        else:  # files of the same name lie in several folders of the package
            parent = Path(file).absolute().parent
            folder = self.folder / f"{parent.name}_{hashlib.sha256(str(parent).encode()).hexdigest()[:16]}"
        return _Locator(file, function.__code__.co_firstlineno, folder)


@dataclass(frozen=True)
class _Locator:
    """Tells numba where the code of one function lies, and which source it was made of."""

    _py_file: str  # numba's name: where its warnings point to
    line: int
    folder: Path

    def get_cache_path(self) -> str:
        return str(self.folder)

    def ensure_cache_path(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def get_source_stamp(self) -> tuple[int, int]:
        """Seconds and size, as Python's own compiled files have it: images of containers keep no fractions."""
        status = os.stat(self._py_file)
        return int(status.st_mtime), status.st_size

    def get_disambiguator(self) -> str:
        return str(self.line)


class _Announcement:
    """Says once in the log (and so on the terminal), and meanwhile to whoever asks, that compiling takes a while."""

    def __init__(self) -> None:
        self._spent = 0.0
        self._depth = 0  # compiling a function compiles those that it calls; numba's lock lets one thread do it
        self._start = 0.0
        self._timer: threading.Timer | None = None
        self._told = False

    @property
    def words(self) -> str | None:
        """What is going on, as the progress of a job; None if nothing is, or not for long."""
        if not (self._told and self._depth):
            return None
        return PROGRESS.format("once" if place_of_new_code().lasting else "at every start")

    def begin(self) -> None:
        """A function of cellspan is going to be compiled."""
        self._depth += 1
        if self._depth == 1 and self._spent < PATIENCE:
            self._start = time.perf_counter()
            self._timer = threading.Timer(PATIENCE - self._spent, self._tell)
            self._timer.daemon = True
            self._timer.start()

    def end(self) -> None:
        """It is ready."""
        self._depth -= 1
        if self._depth == 0 and self._timer is not None:
            self._timer.cancel()
            self._spent += time.perf_counter() - self._start

    def _tell(self) -> None:
        self._told = True
        log.warning(MESSAGE if place_of_new_code().lasting else EVERY_TIME)


class _NotKept(Exception):
    """Something would have to be compiled."""


_announcement = _Announcement()
_looking: ContextVar[bool] = ContextVar("looking", default=False)


@lru_cache(maxsize=1)  # once is enough
def _warn_of_no_room(reason: str) -> None:
    log.warning("The compiled code cannot be kept (%s), so that it is compiled at every start.", reason)
