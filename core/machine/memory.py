"""How much memory this process may still use: the least of what the machine, cgroups, a job and its own limits leave.

A process that takes more than its cgroup allows (a container, a job of Slurm, a systemd unit) is killed without a word,
whatever the machine has; so what a file or a model will need is compared with this number first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath

import psutil

from cellspan.core.errors import CellspanError

UNLIMITED = 1 << 60  # bytes; cgroup v1 writes "no limit" as a number of about 8 EiB
WAY_OUT = "close other programs, use a computer with more memory, or give a smaller one"


def available_memory() -> int:
    """Bytes that this process can still take before the system refuses them or kills it."""
    limits = [*_left_in_cgroups(), *_left_of_limits(), *_left_of_job(os.environ)]
    return max(0, min([psutil.virtual_memory().available, *limits]))


def require_memory(needed: int, what: str, way_out: str = WAY_OUT) -> None:
    """Raise CellspanError if `what` (the beginning of a sentence) takes more bytes than there are.

    `way_out` is the end of the sentence, an advice.
    """
    free = available_memory()
    if needed > free:
        raise CellspanError(
            f"{what} needs {in_words(needed)} of memory, and {in_words(free)} are free: {way_out.rstrip('.')}."
        )


def in_words(size: float) -> str:
    """A number of bytes for people: 14 GB, 3.6 GB, 250 MB."""
    for unit, name in ((1e18, "EB"), (1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:.2g} {name}" if size < 100 * unit else f"{size / unit:.0f} {name}"
    return "less than 1 MB"


def _left_in_cgroups(root: Path = Path("/")) -> Iterator[int]:
    """What each cgroup of this process leaves, from its own up to the outermost; none where there are no cgroups."""
    for folder in _cgroups(root):
        v2 = (folder / "memory.max").exists()
        # Above memory.high nobody is killed, but slowed down until the work does not end any more.
        named = ("memory.max", "memory.high") if v2 else ("memory.limit_in_bytes",)
        limits = [number for name in named if (number := _number(folder / name)) is not None]
        # Of version 1, where a container does not see the cgroups around its own.
        limits.append(_entry(folder / "memory.stat", "hierarchical_memory_limit") or UNLIMITED)
        limit = min(limits)
        if limit >= UNLIMITED:
            continue
        used = _number(folder / ("memory.current" if v2 else "memory.usage_in_bytes")) or 0
        # Pages of files that nobody has touched lately count as used, but are given up before anybody is killed.
        cache = _entry(folder / "memory.stat", "inactive_file" if v2 else "total_inactive_file")
        yield limit - max(0, used - cache)


@lru_cache(maxsize=4)  # a process stays in the cgroup that it was started in
def _cgroups(root: Path) -> tuple[Path, ...]:
    """Folders of the cgroups that may limit this process's memory, of both versions."""
    try:
        mounts = (root / "proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        memberships = (root / "proc/self/cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return ()
    paths: dict[str, str] = {}  # version -> path of the cgroup in its hierarchy
    for line in memberships:
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if number == "0" and not controllers:
            paths["cgroup2"] = path
        elif "memory" in controllers.split(","):
            paths["cgroup"] = path
    folders: list[Path] = []
    for line in mounts:
        where, _, what = line.partition(" - ")  # where something is mounted; its kind, its device and its options
        place, (kind, *described) = where.split(), what.split() or [""]
        if kind in paths and len(place) > 4 and (kind == "cgroup2" or "memory" in described[-1].split(",")):
            folders += _upwards(root / place[4].lstrip("/"), place[3], paths[kind])
    return tuple(folders)


def _upwards(mounted: Path, top: str, path: str) -> Iterator[Path]:
    """The folder of a cgroup and those above it, as far as they can be seen.

    `top` is the cgroup that the mount shows as its root: in a container often the process's own.
    """
    try:
        inside = PurePosixPath(path).relative_to(top)
    except ValueError:  # the mount shows another part of the hierarchy; its root is all that can be known
        inside = PurePosixPath()
    if ".." in inside.parts:
        inside = PurePosixPath()
    for part in (inside, *inside.parents):
        if (mounted / part).is_dir():
            yield mounted / part


def _left_of_limits() -> Iterator[int]:
    """What `ulimit -v` and `ulimit -d` leave."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows has no such limits
        return
    used = psutil.Process().memory_info()
    # `data` is known on Linux only, where this limit counts what a process allocates.
    for limit, taken in ((resource.RLIMIT_AS, used.vms), (resource.RLIMIT_DATA, getattr(used, "data", None))):
        soft, _ = resource.getrlimit(limit)
        if soft != resource.RLIM_INFINITY and taken is not None:
            yield soft - int(taken)


def _left_of_job(environment: Mapping[str, str]) -> Iterator[int]:
    """What a job of Slurm leaves: clusters without cgroups end a job that is seen with more than it asked for."""
    per_node, per_cpu = (_megabytes(environment.get(f"SLURM_MEM_PER_{unit}")) for unit in ("NODE", "CPU"))
    granted = per_node or per_cpu * _whole(environment.get("SLURM_CPUS_ON_NODE"))
    if granted:  # 0 is all memory of the node
        yield granted - int(psutil.Process().memory_info().rss)


def _megabytes(text: str | None) -> int:
    return _whole(text) << 20


def _whole(text: str | None) -> int:
    """A number in a variable; 0 without one."""
    return int(text) if text is not None and text.isdecimal() else 0


def _number(file: Path) -> int | None:
    """The number in a file of the kernel; None for "max" and for what cannot be read."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def _entry(file: Path, name: str) -> int:
    """One line of a file such as memory.stat; 0 if it is not there."""
    try:
        lines = file.read_text().splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith(f"{name} ")), 0)
    except (OSError, ValueError, IndexError):
        return 0
