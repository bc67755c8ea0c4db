"""Checks that CellProfiler will load the plugin: by asking CellProfiler if possible, otherwise by reading the files."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from uuid import uuid4

from cellspan.core.errors import CellspanError
from cellspan.core.files.installed import Finding, run_apart

ASK = Path(__file__).with_name("ask_cellprofiler.py")
ASK_SECONDS = 300.0  # CellProfiler imports all of its modules, from a slow disk perhaps
OLDEST_PYTHON = (3, 8)  # supported by CellProfiler 4.2
IN_CELLPROFILER = {"numpy", "scipy", "cellprofiler", "cellprofiler_core"}
VARIABLE = "CELLSPAN_CELLPROFILER_PYTHON"


def check_loading(
    folder: Path, sources: Mapping[str, bytes], program: Path | None, missing: Collection[str] = ()
) -> Iterator[Finding]:
    """Check that CellProfiler loads the modules among these files of the folder (by relative path).

    Files that are known to be `missing` are not reported again by those that import them.

    `program`: a Python with CellProfiler, or its command `cellprofiler`; by default, CELLSPAN_CELLPROFILER_PYTHON and
    the PATH are searched. Raises CellspanError if a given program cannot be used.
    """
    gone = {PurePosixPath(name).stem for name in missing if "/" not in name}
    faults = [*read_sources(sources, gone)]
    yield from (Finding(False, f"{folder / name}: {fault}") for name, fault in faults)
    python = find_python(program)
    if python is not None:
        yield from _ask(python, folder, {stem: _needed(sources[f"{stem}.py"]) for stem in _modules(sources)}, gone)
    elif not faults:
        yield Finding(
            None,
            "not tested in CellProfiler, because none was found; the files are valid Python 3.8 and import only "
            "packages that CellProfiler has (add --cellprofiler PATH to test loading)",
        )


def find_python(program: Path | None) -> Path | None:
    """CellProfiler's Python, or None if none is known; raises CellspanError if a named one cannot be used."""
    named = program or os.environ.get(VARIABLE) or None
    if named is not None:
        found = shutil.which(Path(named).expanduser())
        if found is None:
            raise CellspanError(
                f"{named}: there is no such program; give the Python in which CellProfiler is installed."
            )
        python = _python_of(Path(found))
        if python is None:
            raise CellspanError(
                f"{named}: this program has no Python that can be used (as in a CellProfiler from an installer); "
                "leave out --cellprofiler."
            )
        return python
    command = shutil.which("cellprofiler")
    return _python_of(Path(command)) if command else None


def _python_of(program: Path) -> Path | None:
    """The Python of a command: itself, the one in its first line, or the one in its folder."""
    if _is_python(program):
        return program
    with program.open("rb") as file:
        first = file.readline(4096).decode(errors="replace").strip()
    candidates = [Path(first[2:].strip())] if first.startswith("#!") else []
    home = program.resolve().parent
    candidates += [place / f"python{program.suffix}" for place in (home, home.parent)]  # on Windows below Scripts, too
    return next((path for path in candidates if _is_python(path) and shutil.which(path)), None)


def _is_python(path: Path) -> bool:
    return path.name.lower().startswith(("python", "pypy"))


def _ask(python: Path, folder: Path, modules: Mapping[str, set[str]], gone: set[str]) -> Iterator[Finding]:
    """What CellProfiler says of these modules; `modules` has the names that each imports, `gone` those missing."""
    mark = f"cellspan-{uuid4().hex} "  # marks our line in CellProfiler's output
    try:
        done = run_apart([str(python), "-c", ASK.read_text(encoding="utf-8"), str(folder), mark], ASK_SECONDS)
    except subprocess.TimeoutExpired:
        yield Finding(False, f"{python}: CellProfiler did not answer within {ASK_SECONDS:.0f} s")
        return
    except OSError as error:
        yield Finding(False, f"{python}: this Python does not start ({error.strerror}); give CellProfiler's Python")
        return
    lines = [line for line in done.stdout.splitlines() if line.startswith(mark)]
    if not lines:
        said = (done.stderr.strip().splitlines() or ["there was no message"])[-1]
        yield Finding(False, f"{python}: CellProfiler cannot be started with it ({said}); give CellProfiler's Python")
        return
    answer = json.loads(lines[-1].removeprefix(mark))
    program = f"CellProfiler {answer['version']}"
    failed = set(gone)
    for stem, needed in modules.items():
        if needed & failed:
            continue  # for the reason that was given before
        file = folder / f"{stem}.py"
        name = answer["loaded"].get(os.path.realpath(file))
        if name is not None:
            yield Finding(True, f"{program} loads {name} ({python})")
        else:
            failed.add(stem)
            reason = answer["errors"].get(stem, "another plugin with the same name was loaded first")
            yield Finding(False, f"{file}: {program} does not load it ({reason}; {python})")


def read_sources(sources: Mapping[str, bytes], gone: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """(file, fault) for every reason why CellProfiler could not load these files; `gone`: modules that are missing."""
    own = {PurePosixPath(name).parts[0].removesuffix(".py") for name in sources} | set(gone)
    for name, content in sources.items():
        if not name.endswith(".py"):
            continue
        try:
            tree = ast.parse(content, name, feature_version=OLDEST_PYTHON)
        except (SyntaxError, ValueError) as error:
            yield name, f"the file is not valid Python 3.8 ({error})"
            continue
        unknown = _imported(tree) - IN_CELLPROFILER - own - set(sys.stdlib_module_names)
        if unknown:
            yield name, f"the file imports packages that CellProfiler does not have ({', '.join(sorted(unknown))})"
        classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
        matching = [found for found in classes if found.lower() == PurePosixPath(name).stem]
        if PurePosixPath(name).stem in _modules(sources) and "/" not in name and len(matching) != 1:
            yield name, "the file needs a class with the same name, so that CellProfiler finds the module"


def _needed(source: bytes) -> set[str]:
    """What a file imports; nothing if it is not valid."""
    try:
        return _imported(ast.parse(source))
    except (SyntaxError, ValueError):
        return set()


def _imported(tree: ast.AST) -> set[str]:
    """The top-level names of all imports in the file."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").split(".")[0])
    return names


def _modules(sources: Mapping[str, bytes]) -> list[str]:
    """The files that CellProfiler loads as modules: `[!_]*.py` at the top level."""
    paths = [PurePosixPath(name) for name in sources if "/" not in name and not name.startswith("_")]
    return [path.stem for path in paths if path.suffix == ".py"]
