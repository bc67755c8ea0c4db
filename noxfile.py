"""Sets up and runs every test: `nox` for all, `nox -s quick` for the ones under a minute.

The tests drive real programs, each in an environment of its own: CellProfiler (an older Python with old libraries) and
ImageJ (Java, and a display, which Xvfb gives). Debian packages are installed where that is allowed, else named.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2024.3.2"
nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["lint", "tests", "peer"]

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"  # the one that runs nox
CELLPOSE = "3.1.1.2"  # the last of its method; version 4 has another network
DEBIAN_PACKAGES = {
    "javac": "openjdk-17-jdk-headless",  # ImageJ, and CellProfiler's python-javabridge is built against it
    "Xvfb": "xvfb",
    "xauth": "xauth",
    "g++": "g++",
}

# CellProfiler 4.2.8.1 with its own pins, less wxPython and mysqlclient, which have no Linux wheels and which headless
# runs do not need. On other Pythons than 3.9 the pinned versions do not exist, so newer ones stand in.
CELLPROFILER = "4.2.8.1"
CELLPROFILER_PYTHON = "3.9"
PINNED = [
    f"cellprofiler-core=={CELLPROFILER}",
    "centrosome>=1.2.3,<1.3",
    "scipy==1.9.0",
    "scikit-image==0.18.3",
    "scikit-learn>=0.20,<1",
    "tifffile<2022.4.22",
    "inflect>=2.1,<7",
    "Jinja2>=2.11.2",
    "joblib",
    "mahotas",
    "requests",
    "sentry-sdk==0.18.0",
    "imageio",
    "h5py>=3.6,<4",
    "matplotlib<4",
    "numpy>=1.20.1,<2",
]
RELAXED = [
    "boto3",
    "centrosome>=1.2.3",
    "docutils==0.15.2",
    "fsspec",
    "future",
    "h5py",
    "imageio",
    "inflect",
    "Jinja2",
    "joblib",
    "mahotas",
    "matplotlib<4",
    "numpy<2",
    "prokaryote==2.4.4",
    "psutil",
    "python-bioformats",
    "python-javabridge",
    "pyzmq",
    "requests",
    "scikit-image",
    "scikit-learn",
    "scipy",
    "sentry-sdk",
    "six",
    "tifffile",
]


@nox.session(python=PYTHON)
def lint(session: nox.Session) -> None:
    """Style, types and the direction of imports."""
    session.install(".[all,lint,test]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy", "-p", "cellspan.core", "-p", "cellspan.cp_module", "-p", "cellspan.fiji_bridge")
    session.run("lint-imports")


@nox.session(python=PYTHON)
def quick(session: nox.Session) -> None:
    """Unit and property tests only."""
    session.install(".[train,test]")
    session.run("pytest", "-m", "quick", *session.posargs)


@nox.session(python=PYTHON)
def tests(session: nox.Session) -> None:
    """Everything, with the real CellProfiler and the real ImageJ."""
    require_debian_packages(session)
    session.install(".[all,test]")
    environment = {
        "JAVA_HOME": str(java_home()),
        "CELLSPAN_CELLPROFILER_PYTHON": str(cellprofiler_python(session)),
    }
    session.run("pytest", *session.posargs, env=environment)


@nox.session(python=PYTHON)
def peer(session: nox.Session) -> None:
    """The same method as cellpose 3.1.1.2, against the real one."""
    session.install(f"cellpose=={CELLPOSE}", ".[train,test]")
    session.run("pytest", "tests/peer", "-s", *session.posargs, env={"CELLSPAN_PEER": "1"})


@nox.session(python=PYTHON)
def bench(session: nox.Session) -> None:
    """Times against cellpose 3.1.1.2, side by side; on demand."""
    session.install(f"cellpose=={CELLPOSE}", ".[train,test]")
    session.run("python", "tests/bench/against_cellpose.py", *session.posargs)


def require_debian_packages(session: nox.Session) -> None:
    """Install what is missing, or say what to install."""
    missing = [package for program, package in DEBIAN_PACKAGES.items() if shutil.which(program) is None]
    if not missing:
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        session.error(f"These programs are needed first: sudo apt-get install {' '.join(missing)}")
    session.run("apt-get", "update", external=True)
    session.run("apt-get", "install", "-y", "--no-install-recommends", *missing, external=True)


def java_home() -> Path:
    """The JDK that `javac` belongs to."""
    return Path(shutil.which("javac") or "javac").resolve().parents[1]


def cellprofiler_python(session: nox.Session) -> Path:
    """The Python of an environment with CellProfiler, built once (about a minute, 0.9 GB)."""
    base = find_python(CELLPROFILER_PYTHON)
    packages = PINNED if base else RELAXED
    recipe = hashlib.sha256(repr((str(base), packages, CELLPROFILER)).encode()).hexdigest()[:12]
    folder = Path(session.cache_dir).absolute() / f"cellprofiler-{recipe}"
    python = folder / "bin" / "python"
    finished = folder / "finished"
    if finished.exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    session.run(str(base or sys.executable), "-m", "venv", str(folder), external=True)
    # python-javabridge only builds against numpy 1 and older setuptools.
    constraint = folder / "constraint.txt"
    constraint.write_text("numpy<2\nsetuptools<80\n")
    environment = {"PIP_CONSTRAINT": str(constraint), "JAVA_HOME": str(java_home())}
    unresolved = [f"cellprofiler=={CELLPROFILER}"] + ([] if base else [f"cellprofiler-core=={CELLPROFILER}"])
    for arguments in (["wheel", "setuptools<80"], packages, ["--no-deps", *unresolved]):
        session.run(str(python), "-m", "pip", "install", "-q", *arguments, env=environment, external=True)
    finished.touch()
    return python


def find_python(wanted: str) -> Path | None:
    """An interpreter of this version on the PATH or among pyenv's; None if there is none that runs."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [shutil.which(f"python{wanted}"), *sorted(pyenv.glob(f"versions/{wanted}.*/bin/python"))]
    for candidate in filter(None, candidates):
        if subprocess.run([str(candidate), "-c", ""], capture_output=True).returncode == 0:
            return Path(candidate)
    return None
