"""How long Segment Cells takes in ImageJ, from pressing OK to outlines in the ROI Manager: warm, and at first use.

Run `python tests/bench/fiji_command.py`; it needs Java, Xvfb and the extra [fiji], as the tests of the macros do.
The engine's own time for the same image is taken beside each run, so that the rest is what the command adds.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tifffile

from cellspan.core.service.client import Engine
from cellspan.core.training.simulate import simulate_nuclei
from cellspan.fiji_bridge.install import install

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS / "fiji_bridge"))

import jars  # noqa: E402 - in tests/fiji_bridge
import programs  # noqa: E402 - in tests/fiji_bridge

COMMAND = [sys.executable, "-m", "cellspan.core.cli"]
SIDE = 1024
WARM_RUNS = 8
NOT_WARM = 2  # first runs in a Java that has just started


def main() -> None:
    with tempfile.TemporaryDirectory() as place, programs.virtual_display() as display:
        folder = Path(place)
        os.environ["CELLSPAN_RUNTIME_DIR"] = str(folder / "runtime")
        try:
            measure(folder, display)
        finally:
            subprocess.run([*COMMAND, "service", "stop"], check=False, capture_output=True)


def measure(folder: Path, display: str) -> None:
    """Print what was measured."""
    field = simulate_nuclei((SIDE, SIDE), diameter=27, seed=3)
    image = folder / "field.tif"
    tifffile.imwrite(image, field.image)
    for name in ("plugins", "scripts"):
        (folder / "Fiji.app" / name).mkdir(parents=True)
    install(folder / "Fiji.app")
    ((cold, count),) = times(folder, image, display, 1)
    runs = times(folder, image, display, WARM_RUNS)[NOT_WARM:]
    engine = engine_seconds(image, WARM_RUNS)
    warm = statistics.median(seconds for seconds, _ in runs)
    print(f"{SIDE} x {SIDE} pixels, {count} outlines, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    print(f"first use, engine not running: {cold:.2f} s")
    print(f"warm: {warm:.2f} s, of which the engine computes {engine:.2f} s; the rest is {warm - engine:.2f} s")


def times(folder: Path, image: Path, display: str, count: int) -> list[tuple[float, int]]:
    """Seconds and number of outlines of each run, in a new ImageJ."""
    command = [
        *(
            programs.java(),
            "-Xmx1g",
            f"-Dplugins.dir={folder / 'Fiji.app'}",
            "-cp",
            ":".join(map(str, jars.find_jars(folder / "jars"))),
        ),
        *("groovy.ui.GroovyMain", Path(__file__).with_suffix(".groovy"), TESTS / "macros" / "programs", image, count),
    ]
    done = programs.run(command, DISPLAY=display)
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("seconds ")]
    if len(lines) != count:
        raise SystemExit(done.stdout + done.stderr)
    return [(float(seconds), int(number)) for _, seconds, number in lines]


def engine_seconds(image: Path, count: int) -> float:
    """The median of what the engine says that it computes for the same image and settings."""
    engine = Engine([*COMMAND, "serve"])
    given = {"model": "nuclei", "diameter": 30}
    seconds = []
    for _ in range(count):
        seconds.append(engine.run(image.read_bytes(), "image/tiff", given)[0].seconds)
        time.sleep(0.1)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
