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
from ctypes.util import find_library
from pathlib import Path
from typing import NamedTuple

import nox

nox.needs_version = ">=2024.3.2"
nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["lint", "docs", "page", "install", "tests", "peer"]
# Hundreds of processes import torch or CellProfiler; torch takes each of them 14 s instead of 3 without compiled files.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"  # the one that runs nox
LOWEST_PYTHON = "3.10"  # that pyproject.toml allows
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")  # in which a release must work
# Tests of one file stay together, because they share an engine or an installation.
WORKERS = ("-n", "auto", "--maxprocesses", "4", "--dist", "loadfile")
# Threads of torch that wait for each other beside other processes: a step of training took ten times as long with two.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
CELLPOSE = "3.1.1.2"  # the last of its method; version 4 has another network
CELLPOSE_4 = "4.2.1.1"
STARDIST = "0.9.2"
BIOIMAGEIO = ("bioimageio.core==0.11.0", "pydantic<2.13")  # it cannot write its files with the newest pydantic
MKDOCS = (
    "mkdocs-material>=9.6,<10",  # its successor does not yet notice links to files that are not pages
    "mkdocs-jupyter>=0.25,<1",  # the notebooks
    "mkdocstrings[python]>=1,<2",  # the Python API
    "ruff>=0.6",  # breaks its signatures into lines
)
GROOVIES = ("3.0.25", "4.0.18", "4.0.29", "5.0.3")  # Fiji had 3.0 and has 4.0; 2.14 has 4.0.18
DEBIAN_PACKAGES = {
    "chromium": "chromium",  # for the review page
    "javac": "openjdk-17-jdk-headless",  # ImageJ, and CellProfiler's python-javabridge is built against it
    "Xvfb": "xvfb",
    "xauth": "xauth",
    "g++": "g++",
    "pkg-config": "pkg-config",  # this and the next: for mysqlclient, which ExportToDatabase needs even for SQLite
    "mariadb_config": "libmariadb-dev",
}
# Qt's for napari: it runs on a display with OpenGL
DEBIAN_LIBRARIES = {
    "EGL": "libegl1",
    "GL": "libgl1",
    "dbus-1": "libdbus-1-3",
    "fontconfig": "libfontconfig1",
    "xcb-cursor": "libxcb-cursor0",
    "xcb-icccm": "libxcb-icccm4",
    "xcb-keysyms": "libxcb-keysyms1",
    "xcb-shape": "libxcb-shape0",
    "xkbcommon-x11": "libxkbcommon-x11-0",
}

# CellProfiler without wxPython, which has no Linux wheels and which headless runs do not need.
CELLPROFILER = "4.2.8.1"
CELLPROFILER_5 = "5.0.0.dev784"
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
    "mysqlclient==1.4.6",
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
    "matplotlib<3.9",  # later ones have no cm.get_cmap
    "mysqlclient==1.4.6",  # version 2 has no escape_string
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
    "tifffile<2022.4.22",  # SaveImages passes `compress`
]
NIGHTLY = [
    "boto3>=1.28.41",
    "centriole-nightly>=5.dev",
    "docutils==0.15.2",
    "fsspec>=2021.11.0",
    "future>=0.18.2",
    "google-cloud-storage~=2.10.0",
    "h5py>=3.7.0",
    "imageio>=2.31.3",
    "importlib_metadata",
    "Jinja2>=3.1.2",
    "joblib>=1.3.2",
    "lxml>=4.6.4",
    "mahotas>=1.4.13",
    "matplotlib>=3.1.3,<4",
    "numpy>=1.26.4,<2",
    "packaging>=20.0",
    "Pillow>=10.0.0",
    "psutil>=5.9.5",
    "pydantic>=2.11.4",
    "pyzmq>=22.3.0",
    "rapidfuzz>=3.0.0",
    "requests>=2.31.0",
    "scikit-image>=0.20.0",
    "scikit-learn>=1.3.0",
    "scipy>=1.9.1,<1.11",
    "scyjava>=1.9.1",
    "sentry-sdk~=2.8.0",
    "six>=1.16.0",
    "tifffile>=2022.4.8",
    "zarr>=2.16.1",
]


class Recipe(NamedTuple):
    """How an environment with CellProfiler is made."""

    version: str  # of CellProfiler
    pythons: tuple[str, ...]  # it works with these; the first that is here is taken
    packages: list[str]
    without_dependencies: list[str]  # because some of what they ask for cannot be had


RECIPES = {
    # its own pins, so the libraries that users of the released program have
    "cellprofiler": Recipe(CELLPROFILER, ("3.9",), PINNED, [f"cellprofiler=={CELLPROFILER}"]),
    # today's libraries, because the pinned ones do not exist for newer Pythons
    "cellprofiler311": Recipe(
        CELLPROFILER,
        ("3.11", "3.10", "3.12"),
        RELAXED,
        [f"cellprofiler=={CELLPROFILER}", f"cellprofiler-core=={CELLPROFILER}"],
    ),
    # the next CellProfiler, as it is built every night
    "cellprofiler5": Recipe(
        CELLPROFILER_5,
        ("3.9", "3.10", "3.11"),
        NIGHTLY,
        [f"cellprofiler{part}-nightly=={CELLPROFILER_5}" for part in ("", "-core", "-library")],
    ),
}


@nox.session(python=PYTHON)
def lint(session: nox.Session) -> None:
    """Style, types and the direction of imports."""
    session.install(".[all,lint,test]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy", "-p", "cellspan")
    session.run("mypy", "release")
    # The plugin as it is installed: there its parts find each other, and the engine's client beside them.
    plugin = Path(session.create_tmp()) / "plugin"
    shutil.rmtree(plugin, ignore_errors=True)
    plugin.mkdir()
    session.run("cellspan", "install", "cellprofiler", "--to", str(plugin))
    session.run("mypy", "--config-file", str(Path("pyproject.toml").absolute()), str(plugin))
    session.run("lint-imports")


@nox.session(python=False)
def page(session: nox.Session) -> None:
    """The sources of the review page: style, types, unit tests, and that the built page is the one of these sources."""
    if shutil.which("npm") is None:
        session.error("Node 20.19 or newer, with npm, is needed for the sources of the review page.")
    session.chdir("review_page/page")
    session.run("npm", "ci", "--no-fund", "--no-audit", external=True)
    for script in ("lint", "types", "test", "check"):
        session.run("npm", "run", "--silent", script, external=True)


@nox.session(python=PYTHON)
def docs(session: nox.Session) -> None:
    """The documentation as a site, in site/; a dead link or a page that stands nowhere is an error."""
    # Not --quiet: mkdocs then counts no warnings.
    session.install(*MKDOCS)
    session.install("--no-deps", ".")  # the docstrings are read, nothing is run
    session.run("mkdocs", "build", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session(python=False)
def install(session: nox.Session) -> None:
    """README's first two commands in an empty environment: how long they take, and that the size is README's."""
    session.run(sys.executable, "-m", "tests.docs.installing")


@nox.session(python=PYTHON)
def quick(session: nox.Session) -> None:
    """Unit and property tests only."""
    # From the checkout, so that compiled loops stay until their file changes; installing would compile them again.
    session.install("-e", ".[all,test]")
    session.run("pytest", "-m", "quick", *WORKERS, *session.posargs, env=ONE_THREAD)


@nox.session(python=False)
def lowest(session: nox.Session) -> None:
    """The quick tests with the lowest versions that pyproject.toml allows, on the lowest Python; on demand."""
    python = find_python(LOWEST_PYTHON)
    if python is None:
        session.error(f"Python {LOWEST_PYTHON} is needed, which is neither on the PATH nor in pyenv.")
    folder = Path(session.cache_dir).absolute() / "lowest"
    place = {"VIRTUAL_ENV": str(folder)}
    session.run("uv", "venv", "-q", "--clear", "-p", str(python), str(folder), external=True)
    lowest = ("uv", "pip", "install", "--resolution", "lowest-direct", ".[train,formats,test]")
    session.run(*lowest, env=place, external=True)
    program = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    session.run(str(program), "-m", "pytest", "-m", "quick", *WORKERS, *session.posargs, env=ONE_THREAD, external=True)


@nox.session(python=PYTHON)
def tests(session: nox.Session) -> None:
    """Everything, with the real CellProfiler and the real ImageJ."""
    require_debian_packages(session)
    session.install(".[all,test]")
    environment = {
        **ONE_THREAD,
        "JAVA_HOME": str(java_home()),
        "CELLSPAN_CELLPROFILER_PYTHON": str(cellprofiler_python(session, "cellprofiler", "cellprofiler311")),
        "CELLSPAN_SCREENSHOTS": os.environ.get("CELLSPAN_SCREENSHOTS", "screenshots"),  # of ImageJ, to look at
    }
    # Compiles the loops once, instead of once in each of the processes that begin together. Not into the folder of
    # session.create_tmp, below which the tests would then put their images: CellProfiler reads no hidden folders.
    session.run("cellspan", "demo", "-o", str(Path(session.cache_dir) / "demo"))
    # What takes long is shown, so that it is seen when it grows.
    session.run("pytest", *WORKERS, "--durations=60", "--durations-min=3", *session.posargs, env=environment)


@nox.session(python=PYTHON)
def cellprofiler311(session: nox.Session) -> None:
    """The CellProfiler tests on a newer Python with today's libraries; on demand."""
    require_debian_packages(session)
    session.install(".[all,test]")
    python = cellprofiler_python(session, "cellprofiler311")
    environment = {"JAVA_HOME": str(java_home()), "CELLSPAN_CELLPROFILER_PYTHON": str(python)}
    session.run("pytest", "tests/cp_module", *session.posargs, env=environment)


@nox.session(python=PYTHON)
def cellprofiler5(session: nox.Session) -> None:
    """The plugin in the nightly build of CellProfiler 5; on demand."""
    require_debian_packages(session)
    session.install(".[all,test]")
    python = cellprofiler_python(session, "cellprofiler5")
    environment = {"JAVA_HOME": str(java_home()), "CELLSPAN_CELLPROFILER5_PYTHON": str(python)}
    session.run("pytest", "tests/cp_module/test_nightly.py", *session.posargs, env=environment)


@nox.session(python=PYTHON)
def fiji(session: nox.Session) -> None:
    """The commands and the bridge in a full Fiji, whose folder CELLSPAN_FIJI names; on demand."""
    if not os.environ.get("CELLSPAN_FIJI"):
        session.skip("CELLSPAN_FIJI does not point at the folder of a Fiji")
    require_debian_packages(session)
    session.install(".[fiji,test]")
    session.run("pytest", "tests/fiji_bridge/test_in_fiji.py", *session.posargs, env={"JAVA_HOME": str(java_home())})


@nox.session(python=PYTHON)
@nox.parametrize("groovy", GROOVIES)
def groovy(session: nox.Session, groovy: str) -> None:
    """Fiji's commands with another Groovy, and with the JDK of JAVA_HOME if it is set; on demand."""
    require_debian_packages(session)
    session.install(".[fiji,test]")
    environment = {"CELLSPAN_GROOVY": groovy, "JAVA_HOME": os.environ.get("JAVA_HOME", str(java_home()))}
    session.run("pytest", "tests/macros", *session.posargs, env=environment)


@nox.session(python=PYTHON)
def peer(session: nox.Session) -> None:
    """The same method as cellpose 3.1.1.2, against the real one."""
    session.install(f"cellpose=={CELLPOSE}", ".[train,test]")
    session.run("pytest", "tests/peer", "-s", *session.posargs, env={"CELLSPAN_PEER": "1"})


@nox.session(python=PYTHON)
def peer4(session: nox.Session) -> None:
    """The same network, channels, tiles and labels as Cellpose 4, against the real one."""
    session.install(f"cellpose=={CELLPOSE_4}", ".[train,test]")
    session.run("pytest", "tests/peer4", "-s", *session.posargs, env={"CELLSPAN_PEER": "4"})


@nox.session(python=PYTHON)
def bioimageio(session: nox.Session) -> None:
    """Packages of bioimage.io: the real bioimageio.core validates and runs them; on demand."""
    session.install(*BIOIMAGEIO, ".[train,test]")
    session.run("pytest", "tests/bioimageio", *session.posargs, env={"CELLSPAN_BIOIMAGEIO": "1"})


@nox.session(python=PYTHON)
def bench(session: nox.Session) -> None:
    """Times against cellpose 3.1.1.2, side by side; on demand."""
    session.install(f"cellpose=={CELLPOSE}", ".[train,test]")
    session.run("python", "tests/bench/against_cellpose.py", *session.posargs)


@nox.session(python=PYTHON)
def bench4(session: nox.Session) -> None:
    """Times and labels against Cellpose 4, side by side; on demand."""
    session.install(f"cellpose=={CELLPOSE_4}", ".[train,test]")
    session.run("python", "-m", "tests.bench.cellpose4", *session.posargs)


@nox.session(python=PYTHON)
def stardist(session: nox.Session) -> None:
    """Trains cellspan and StarDist on the same images for the same CPU minutes; on demand."""
    session.install(f"stardist=={STARDIST}", "tensorflow-cpu", ".[train,test]")
    session.run("python", "tests/bench/against_stardist.py", *session.posargs)


@nox.session(python=PYTHON)
def release(session: nox.Session) -> None:
    """What is published, built into dist/ and tried in an empty environment of every Python here; uploads nothing.

    Wheel and sdist, the zips for Fiji and CellProfiler, and the update site, which goes on with a published one:
    `nox -s release -- --earlier-site db.xml.gz`.
    """
    dist = Path("dist").absolute()
    shutil.rmtree(dist, ignore_errors=True)
    session.install("build", "twine")
    session.run("python", "-m", "build")
    built = sorted(dist.iterdir())
    session.run("twine", "check", "--strict", *map(str, built))
    [wheel] = dist.glob("*.whl")
    tried = {version: python for version in PYTHONS if (python := try_wheel(session, wheel, version))}
    if not tried:
        session.error(f"None of Python {', '.join(PYTHONS)} is here.")
    # By the wheel itself, so that the zips have its files.
    writer = next(iter(tried.values()))
    session.run(str(writer), "-m", "release", str(dist), *session.posargs, external=True)
    session.log(f"{dist}: tried with Python {', '.join(tried)}; see RELEASE.md for what comes next.")


def try_wheel(session: nox.Session, wheel: Path, version: str) -> Path | None:
    """Install the wheel alone into an empty environment and use it; its Python, or None if there is none here."""
    base = find_python(version)
    if base is None:
        session.warn(f"Python {version} is not here, so the wheel was not tried with it.")
        return None
    folder = Path(session.create_tmp()).absolute() / version
    shutil.rmtree(folder, ignore_errors=True)
    programs = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    session.run("uv", "venv", "-q", "-p", str(base), str(folder / "env"), external=True)
    session.run("uv", "pip", "install", "-q", "--python", str(programs / "python"), str(wheel), external=True)
    cellspan = str(programs / "cellspan")
    session.run(cellspan, "demo", "-o", str(folder / "demo"), external=True)
    for program, inner in (("cellprofiler", "plugins"), ("fiji", "Fiji.app")):
        (folder / inner / "plugins").mkdir(parents=True)
        session.run(cellspan, "install", program, "--to", str(folder / inner), external=True, silent=True)
    return programs / "python"


def require_debian_packages(session: nox.Session) -> None:
    """Install what is missing, or say what to install."""
    missing = [package for program, package in DEBIAN_PACKAGES.items() if shutil.which(program) is None]
    if sys.platform == "linux":
        missing += [package for library, package in DEBIAN_LIBRARIES.items() if find_library(library) is None]
    if not missing:
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        session.error(f"These packages are needed first: sudo apt-get install {' '.join(missing)}")
    session.run("apt-get", "update", external=True)
    session.run("apt-get", "install", "-y", "--no-install-recommends", *missing, external=True)


def java_home() -> Path:
    """The JDK that `javac` belongs to."""
    return Path(shutil.which("javac") or "javac").resolve().parents[1]


def cellprofiler_python(session: nox.Session, *recipes: str) -> Path:
    """The Python of an environment with CellProfiler, built once (about a minute, 0.9 GB).

    By the first of these recipes for which there is a Python here.
    """
    found = ((name, find_python(version)) for name in recipes for version in RECIPES[name].pythons)
    name, base = next((pair for pair in found if pair[1]), (recipes[0], None))
    recipe = RECIPES[name]
    if base is None:
        wanted = " or ".join(dict.fromkeys(version for name in recipes for version in RECIPES[name].pythons))
        session.error(
            f"CellProfiler {recipe.version} needs Python {wanted}, which is neither on the PATH nor in pyenv."
        )
    fingerprint = hashlib.sha256(repr((str(base), recipe.packages, recipe.version)).encode()).hexdigest()[:12]
    folder = Path(session.cache_dir).absolute() / f"{name}-{fingerprint}"
    python = folder / "bin" / "python"
    finished = folder / "finished"
    if finished.exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    session.run(str(base), "-m", "venv", str(folder), external=True)
    # python-javabridge only builds against numpy 1 and older setuptools.
    constraint = folder / "constraint.txt"
    constraint.write_text("numpy<2\nsetuptools<80\n")
    environment = {"PIP_CONSTRAINT": str(constraint), "JAVA_HOME": str(java_home())}
    for arguments in (["wheel", "setuptools<80"], recipe.packages, ["--no-deps", *recipe.without_dependencies]):
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
