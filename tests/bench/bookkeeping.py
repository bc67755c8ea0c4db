"""What the record of a run costs for each image: `python -m tests.bench.bookkeeping`.

Nothing is segmented. The record is what `cellspan segment` keeps; beside it stands the way of before, in which run.json
was written whole after each image, for the last image only, because all of them would take half a day. Then the names
of the results: four small files written and renamed one by one, as before, and together.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from cellspan.core.files.together import write_together
from cellspan.core.files.writing import write_atomically, write_json
from cellspan.core.parameters import Parameters
from cellspan.core.results.earlier_runs import EarlierRuns
from cellspan.core.results.run_record import RunRecord, keep_killed_runs

ENDINGS = ("_labels.tif", "_rois.zip", "_overlay.png", "_objects.csv")
ABOUT = {
    "started": "2026-01-02T03:04:05+00:00",
    "parameters": Parameters().model_dump(mode="json"),
    "model": {"name": "nuclei", "weights_sha256": "0" * 64, "source_sha256": None},
}


class Cost(NamedTuple):
    """Milliseconds on the clock and of the CPU."""

    wall: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.wall:.3f} ms ({self.cpu:.3f} ms CPU)"


def cost(work: Callable[[], object], times: int = 1) -> Cost:
    """Of doing it once, as the mean over `times`."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        work()
    return Cost(1000 * (time.perf_counter() - wall) / times, 1000 * (time.process_time() - cpu) / times)


def record(number: int) -> dict[str, Any]:
    """As a plate in some folders gives it."""
    stem = f"plate1/well_{number % 384:03}/field_{number:06}"
    outputs = {ending: f"{stem}{ending}" for ending in ENDINGS}
    about = {"objects": 123, "diameter": 25.31, "seconds": 0.873, "notes": []}
    return {"input": f"/data/experiment_2026/images/{stem}.tif", **about, "outputs": outputs}


def measure(images: int, folder: Path) -> None:
    """Print a table for so many images."""
    records = [record(number) for number in range(images)]
    before = cost(partial(write_json, folder / "old.json", {**ABOUT, "inputs": records}))
    with RunRecord(folder, ABOUT) as run:
        following = iter(records)
        each = cost(lambda: run.add(next(following)), images)
        joining = cost(partial(run.finish, "finished"))
    if run.problem:
        raise SystemExit(run.problem)
    with RunRecord(folder, ABOUT) as run:  # killed: it does not finish
        for one in records:
            run.add(one)
    keeping = cost(partial(keep_killed_runs, folder))
    reading = cost(partial(EarlierRuns, folder))
    print(f"| {images} images: the last one, run.json written whole (before) | {before} |")
    print(f"| an image, its line appended | {each} |")
    print(f"| the end of the run, lines joined to run.json | {joining} |")
    print(f"| the next run after a kill, the lines made a record | {keeping} |")
    print(f"| --skip-existing, both records read | {reading} |")


def measure_results(folder: Path) -> None:
    """Print what all-or-none costs an image with four kinds of results."""

    def write(part: Path) -> None:
        part.write_bytes(b"x" * 2000)

    paths = [folder / f"x{ending}" for ending in ENDINGS]

    def one_by_one() -> None:
        for path in paths:
            write_atomically(path, write)
            path.unlink()

    def together() -> None:
        write_together(dict.fromkeys(paths, write))
        for path in paths:
            path.unlink()

    print(f"| four small results, one by one (before) | {cost(one_by_one, 1000)} |")
    print(f"| four small results, together | {cost(together, 1000)} |")


def main() -> None:
    """Print tables for all sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[2_000, 50_000])
    parser.add_argument("--folder", type=Path, help="on the disk to be measured; default: the temporary folder")
    arguments = parser.parse_args()
    for images in arguments.images:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            measure(images, Path(folder))
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        measure_results(Path(folder))
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
