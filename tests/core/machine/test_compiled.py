"""Compiled loops: none holds the lock of the interpreter, none computes differently on another processor."""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys

import pytest
from numba.core.dispatcher import Dispatcher

import cellspan.core
from cellspan.core.machine.compiled import njit


def dispatchers() -> dict[str, Dispatcher]:
    """Every compiled function of every module of cellspan.core, by its full name."""
    found = {}
    for module in pkgutil.walk_packages(cellspan.core.__path__, "cellspan.core."):
        if module.name.endswith("__main__"):
            continue
        try:
            members = vars(importlib.import_module(module.name))
        except ModuleNotFoundError as error:
            if error.name == "oirfile":  # needs Python 3.12
                continue
            raise
        for name, value in members.items():
            if isinstance(value, Dispatcher):
                found[f"{module.name}.{name}"] = value
    return found


@pytest.mark.quick
def test_no_loop_holds_the_lock_of_the_interpreter() -> None:
    pytest.importorskip("torch")  # some modules need it
    found = dispatchers()
    assert len(found) > 40
    assert not [name for name, function in found.items() if not function.targetoptions.get("nogil")]


@pytest.mark.quick
def test_no_loop_that_makes_labels_of_images_may_change_the_order_of_sums() -> None:
    """`fastmath` lets each processor sum in its own way. Simulated pictures may; they are looked at, not counted on."""
    pytest.importorskip("torch")
    loose = [name for name, function in dispatchers().items() if function.targetoptions.get("fastmath")]
    assert not [name for name in loose if not name.startswith("cellspan.core.training.simulate.")]


@pytest.mark.quick
def test_njit_takes_options_or_none() -> None:
    @njit
    def plain(x: int) -> int:
        return x + 1

    @njit(inline="always", fastmath=True)
    def other(x: int) -> int:
        return x + 2

    assert (plain(1), other(1)) == (2, 3)
    assert plain.targetoptions["nogil"]
    assert other.targetoptions["nogil"]
    assert other.targetoptions["fastmath"]


ONE_PROCESSOR = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from cellspan.core import Segmenter
from cellspan.core.training.simulate import simulate_nuclei
print(Segmenter("nuclei").segment(simulate_nuclei((96, 96), 20, 1).image).labels.max())
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux can take processors away from a process")
def test_a_program_with_a_single_processor_ends() -> None:
    """As in a job of a cluster. TBB, which OpenVINO brings, would let it wait for ever after the last line."""
    done = subprocess.run([sys.executable, "-c", ONE_PROCESSOR], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5
