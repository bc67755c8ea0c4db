"""Types README's first two commands in an empty environment, and measures them: `nox -s install`.

The size must be README's. Its times are of two cores and a fast index of packages, so they are printed beside the ones
of this computer, and fail nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
SIZE_TOLERANCE = 0.03  # GB; new versions of packages change it a little


def main() -> None:
    """Measure, print, and end with a sentence if README's size is no longer true."""
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    told = re.search(r"the installation takes (\d+) s and ([\d.]+) GB .*? takes (\d+) s in total", readme)
    command = re.search(r"(pip install \.) && (cellspan demo)", readme)
    if not told or not command:
        sys.exit("README's commands, or its sentence on the installation, have another form now; read them here anew.")
    with tempfile.TemporaryDirectory() as place:
        environment = Path(place) / "environment"
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        before = size_of(environment)
        install = seconds(command[1], environment, ROOT)
        size = (size_of(environment) - before) / 1e9
        first, second = (seconds(command[2], environment, Path(place)) for _ in range(2))
    print(f"{'':24}README  here")
    for what, old, new in (
        ("installation, s", told[1], f"{install:.0f}"),
        ("installation, GB", told[2], f"{size:.2f}"),
        ("first cellspan demo, s", "", f"{first:.0f}"),
        ("second cellspan demo, s", told[3], f"{second:.0f}"),
    ):
        print(f"{what:24}{old:>6}{new:>6}")
    if abs(size - float(told[2])) > SIZE_TOLERANCE:
        sys.exit(f"README says that the installation takes {told[2]} GB; it takes {size:.2f} GB.")


def seconds(command: str, environment: Path, folder: Path) -> float:
    """How long a command takes that is typed in an active environment."""
    path = os.pathsep.join([str(environment / ("Scripts" if os.name == "nt" else "bin")), os.environ["PATH"]])
    started = time.monotonic()
    subprocess.run(command, shell=True, check=True, cwd=folder, env={**os.environ, "PATH": path})
    return time.monotonic() - started


def size_of(folder: Path) -> int:
    """Bytes of the files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


if __name__ == "__main__":
    main()
