"""Importing cellspan changes nothing outside it: seen in a process of its own, module after module."""

from __future__ import annotations

import ast
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import cellspan.core

ROOT = Path(cellspan.core.__path__[0])
# What a program that imports cellspan may have set, or would notice; in the child, after all libraries are loaded.
CHILD = """
import atexit, importlib, json, logging, os, signal, sys, threading, warnings

outside, ours = json.loads(sys.argv[1])
for name in outside:
    try:
        importlib.import_module(name)
    except ImportError:
        pass  # an extra that is not installed, or a name that is no module

import cv2, numba, numpy, PIL.Image, PIL.ImageFile
from numba.core import event

def state():
    found = {f"environment: {name}": value for name, value in os.environ.items()}
    found |= {f"numba: {name}": repr(value) for name, value in vars(numba.config).items() if name.isupper()}
    found |= {f"event of numba: {kind}": repr(listeners) for kind, listeners in event._registered.items() if listeners}
    found |= {f"signal {number}": repr(signal.getsignal(number)) for number in signal.valid_signals()}
    found |= {
        "filters of warnings": repr(warnings.filters),
        "hook of warnings": repr(warnings.showwarning),
        "handlers of the root logger": repr(logging.root.handlers),
        "level of the root logger": logging.root.level,
        "levels of others' loggers": repr({
            name: logger.level for name, logger in logging.root.manager.loggerDict.items()
            if isinstance(logger, logging.Logger) and not name.startswith("cellspan")
        }),
        "limit of PIL": PIL.Image.MAX_IMAGE_PIXELS,
        "truncated images of PIL": PIL.ImageFile.LOAD_TRUNCATED_IMAGES,
        "threads of OpenCV": cv2.getNumThreads(),
        "optimised OpenCV": cv2.useOptimized(),
        "threads of numba": numba.get_num_threads(),
        "errors of numpy": repr(numpy.geterr()),
        "hooks": repr((sys.excepthook, sys.unraisablehook, threading.excepthook)),
        "streams": repr((sys.stdin, sys.stdout, sys.stderr)),
        "path": repr(sys.path),
        "limit of recursion": sys.getrecursionlimit(),
        "things to do at the end": atexit._ncallbacks(),
        "threads": threading.active_count(),
        "folder": os.getcwd(),
    }
    if torch := sys.modules.get("torch"):
        found |= {
            "TF32 of cuDNN": torch.backends.cudnn.allow_tf32,
            "TF32 of products": torch.backends.cuda.matmul.allow_tf32,
            "benchmarks of cuDNN": torch.backends.cudnn.benchmark,
            "deterministic torch": torch.are_deterministic_algorithms_enabled(),
            "gradients": torch.is_grad_enabled(),
            "type of torch": str(torch.get_default_dtype()),
            "threads of torch": torch.get_num_threads(),
            "random numbers of torch": torch.initial_seed(),
        }
    return found

before = state()
changes = {}
for name in ours:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        assert error.name == "oirfile", error  # needs Python 3.12
        continue
    after = state()
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            changes[f"{name}: {key}"] = [before.get(key), after.get(key)]
    before = after
print(json.dumps(changes, default=repr))
"""


def imported_by(file: Path) -> set[str]:
    """The libraries that a module imports anywhere, also in its functions."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if name.split(".")[0] not in ("cellspan", "__future__")}


def modules() -> list[str]:
    """Every module of cellspan.core."""
    found = [module.name for module in pkgutil.walk_packages(cellspan.core.__path__, "cellspan.core.")]
    return [name for name in found if not name.endswith("__main__")]


def test_importing_changes_nothing_outside() -> None:
    outside = sorted(set().union(*(imported_by(file) for file in ROOT.rglob("*.py"))))
    assert {"numba", "torch", "openvino", "PIL.Image", "fastapi"} <= set(outside)
    environment = {name: value for name, value in os.environ.items() if name not in ("NUMBA_CACHE_DIR", "HOME")}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps([outside, modules()])],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {}
