"""The memory that is left: in cgroups of both versions, in a job, under `ulimit`; the sentence if it is little."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.machine import memory

pytestmark = pytest.mark.quick
GIB = 1 << 30


def write(file: Path, content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{content}\n")


def system(root: Path, cgroup: str, mounts: str) -> Path:
    """A folder that looks like the root of a Linux system."""
    write(root / "proc/self/cgroup", cgroup)
    write(root / "proc/self/mountinfo", mounts)
    return root


def limits(folder: Path, limit: object, used: int, cache: int, v2: bool) -> None:
    write(folder / ("memory.max" if v2 else "memory.limit_in_bytes"), limit)
    write(folder / ("memory.current" if v2 else "memory.usage_in_bytes"), used)
    own, total = ("inactive_file", "other") if v2 else ("total_inactive_file", "inactive_file")
    write(folder / "memory.stat", f"anon 5\n{total} 1\n{own} {cache}\nactive_file 7")


V2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
V1 = (
    "35 31 0:32 {top} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "36 31 0:33 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu"
)


def left(root: Path) -> list[int]:
    return list(memory._left_in_cgroups(root))


def test_version_2_with_the_limit_further_up(tmp_path: Path) -> None:
    root = system(tmp_path, "0::/system.slice/slurmstepd/job_7/step_0", V2)
    top = root / "sys/fs/cgroup"
    limits(top / "system.slice/slurmstepd/job_7", 4 * GIB, 3 * GIB, GIB, v2=True)
    limits(top / "system.slice/slurmstepd/job_7/step_0", "max", 3 * GIB, GIB, v2=True)
    assert left(root) == [2 * GIB]


def test_version_1_and_its_way_to_say_no_limit(tmp_path: Path) -> None:
    root = system(tmp_path, "4:memory:/slurm/job\n1:cpu:/\n0::/", V1.format(top="/"))
    top = root / "sys/fs/cgroup/memory"
    limits(top, 9223372036854771712, 9 * GIB, 0, v2=False)
    limits(top / "slurm/job", 2 * GIB, GIB, GIB // 2, v2=False)
    assert left(root) == [3 * GIB // 2]


def test_containers_see_their_own_cgroup_as_the_root(tmp_path: Path) -> None:
    root = system(tmp_path, "4:memory:/docker/abc", V1.format(top="/docker/abc"))
    limits(root / "sys/fs/cgroup/memory", GIB, 2 * GIB, 0, v2=False)
    assert left(root) == [-GIB]
    root = system(tmp_path / "outside", "0::/../../other", V2)
    limits(root / "sys/fs/cgroup", GIB, 0, 0, v2=True)
    assert left(root) == [GIB]


def test_version_2_slows_a_program_down_before_it_ends_it(tmp_path: Path) -> None:
    root = system(tmp_path, "0::/a/b", V2)
    outer, inner = root / "sys/fs/cgroup/a", root / "sys/fs/cgroup/a/b"
    limits(outer, "max", 3 * GIB, 0, v2=True)
    limits(inner, 8 * GIB, GIB, 0, v2=True)
    write(outer / "memory.high", 4 * GIB)
    write(inner / "memory.high", "max")
    assert left(root) == [7 * GIB, GIB]


def test_a_container_of_version_1_within_a_limit_that_it_does_not_see(tmp_path: Path) -> None:
    root = system(tmp_path, "4:memory:/pod/abc", V1.format(top="/pod/abc"))
    own = root / "sys/fs/cgroup/memory"
    limits(own, 9223372036854771712, GIB, 0, v2=False)
    write(own / "memory.stat", f"hierarchical_memory_limit {2 * GIB}\ntotal_inactive_file {GIB // 2}")
    assert left(root) == [3 * GIB // 2]


def test_what_a_job_of_slurm_was_granted() -> None:
    taken = memory.psutil.Process().memory_info().rss

    def granted(**variables: str) -> list[int]:
        # The test itself takes more memory, or less, between two looks.
        return [round((number + taken) / GIB) for number in memory._left_of_job(variables)]

    assert granted(SLURM_MEM_PER_NODE="16384") == [16]
    assert granted(SLURM_MEM_PER_CPU="4096", SLURM_CPUS_ON_NODE="3") == [12]
    assert granted() == granted(SLURM_MEM_PER_NODE="0") == granted(SLURM_MEM_PER_CPU="4096") == []


def test_systems_without_cgroups(tmp_path: Path) -> None:
    assert left(tmp_path) == []
    assert left(system(tmp_path / "b", "0::/", "nonsense")) == []


def test_the_machine_itself() -> None:
    assert 0 < memory.available_memory() <= memory.psutil.virtual_memory().total


def test_the_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 3 * 10**9)
    memory.require_memory(2 * 10**9, "This image")
    with pytest.raises(CellspanError) as refusal:
        memory.require_memory(14 * 10**9, "This image", "cut it into parts")
    assert str(refusal.value) == "This image needs 14 GB of memory, and 3 GB are free: cut it into parts."


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v is Linux's")
@pytest.mark.parametrize("option", ["-v", "-d"])
def test_ulimit(option: str) -> None:
    code = "from cellspan.core.machine.memory import available_memory; print(available_memory())"
    command = f'ulimit {option} 2000000; OPENBLAS_NUM_THREADS=1 exec "{sys.executable}" -c "{code}"'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < 2_000_000 * 1024
