"""How long Segment Cells takes in ImageJ, from pressing OK to outlines in the ROI Manager: warm, and at first use.

Run `python tests/bench/fiji_command.py`; it needs Java, Xvfb and the extra [fiji], as the tests of the macros do.
The engine says for each run how long it computed; the rest is what the command adds. The processor's time of ImageJ and
of the Python that it keeps is measured too, because on a busy machine every program takes longer.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import tifffile

from cellspan.core.service.client import Service, running_service
from cellspan.core.training.simulate import simulate_nuclei
from cellspan.fiji_bridge.install import install

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS / "fiji_bridge"))

import jars  # noqa: E402 - in tests/fiji_bridge
import programs  # noqa: E402 - in tests/fiji_bridge

COMMAND = [sys.executable, "-m", "cellspan.core.cli"]
SIDE = 1024
WARM_RUNS = 16
NOT_WARM = 6  # first runs in a Java that has just started


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
    image = folder / "field.tif"
    tifffile.imwrite(image, simulate_nuclei((SIDE, SIDE), diameter=27, seed=3).image)
    for name in ("plugins", "scripts"):
        (folder / "Fiji.app" / name).mkdir(parents=True)
    install(folder / "Fiji.app")
    with Command(folder, image, display) as command:
        cold, count = command.run()
    subprocess.run([*COMMAND, "service", "stop"], check=True, capture_output=True)
    with engine_with_metrics() as engine, Command(folder, image, display) as command:
        runs = [measured(command, engine) for _ in range(NOT_WARM + WARM_RUNS)][NOT_WARM:]
    print(f"{SIDE} x {SIDE} pixels, {count} outlines, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    print(f"first use, engine not running: {cold:.2f} s")
    print(f"warm: {middle(runs, 'seconds'):.2f} s, of which the engine computes {middle(runs, 'computing'):.2f} s")
    rest = [run["seconds"] - run["computing"] for run in runs]
    print(f"the rest: {statistics.median(rest):.3f} s, at best {min(rest):.3f} s")
    print(f"processor: ImageJ {middle(runs, 'imagej'):.3f} s, the Python that it keeps {middle(runs, 'python'):.3f} s")


def measured(command: Command, engine: Service) -> dict[str, float]:
    """The seconds of one run: from start to end, of the engine, and of the processor for the two programs of ImageJ."""

    def now() -> dict[str, float]:
        return {"computing": computed(engine), **command.processor_seconds()}

    before = now()
    seconds, _ = command.run()
    return {"seconds": seconds, **{name: value - before[name] for name, value in now().items()}}


def middle(runs: list[dict[str, float]], name: str) -> float:
    """The median of one of the measured values."""
    return statistics.median(run[name] for run in runs)


class Command:
    """A new ImageJ, which runs the command when it is told to."""

    def __init__(self, folder: Path, image: Path, display: str) -> None:
        """Start it."""
        program = Path(__file__).with_suffix(".groovy")
        command = [
            *(programs.java(), "-Xmx1g", f"-Dplugins.dir={folder / 'Fiji.app'}"),
            *("-cp", ":".join(map(str, jars.find_jars(folder / "jars"))), "groovy.ui.GroovyMain"),
            *(program, TESTS / "macros" / "programs", image),
        ]
        self._process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=programs.environment(DISPLAY=display),
        )

    def run(self) -> tuple[float, int]:
        """Seconds, and the number of outlines."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("ImageJ was started without pipes")
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("seconds "):
                _, seconds, count = line.split()
                return float(seconds), int(count)
        raise SystemExit("ImageJ has ended; its errors are above.")

    def processor_seconds(self) -> dict[str, float]:
        """What ImageJ has used so far, and the Python that it keeps."""
        imagej = psutil.Process(self._process.pid)
        times = {"imagej": [imagej.cpu_times()], "python": [child.cpu_times() for child in imagej.children()]}
        return {name: sum(one.user + one.system for one in own) for name, own in times.items()}

    def __enter__(self) -> Command:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let it end."""
        self._process.communicate(timeout=60)


@contextmanager
def engine_with_metrics() -> Iterator[Service]:
    """The engine that the command will find, which also counts its seconds."""
    process = subprocess.Popen([*COMMAND, "serve", "--metrics"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while (service := running_service()) is None:
            if process.poll() is not None:
                raise SystemExit("The engine did not start.")
            time.sleep(0.1)
        yield service
    finally:
        process.terminate()
        process.wait(timeout=60)


def computed(engine: Service) -> float:
    """The seconds that it has computed so far."""
    text = engine.content("/metrics", "text/plain").decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("cellspan_job_seconds_sum"))


if __name__ == "__main__":
    main()
