"""What `cellspan batch` costs: `python -m tests.bench.batch_96` (CellProfiler's Python is given by --cellprofiler).

Three times for the same images, with the same number of CellProfiler processes: a plain CellProfiler with a module
that does nothing in the place of ours, the computation alone (`Segmenter.segment`, in one process that is warm), and
`cellspan batch` with our module, from its start to the merged tables. Asked: the third is at most 1.05 times the sum of
the others.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import tifffile

from cellspan.core import Parameters, Segmenter
from cellspan.cp_module.batch.cellprofiler import environment

ASKED = 1.05
HERE = Path(__file__).parent
DATA = HERE.parents[2] / "shared" / "data"
PIPELINE = HERE.parent / "cp_module" / "pipelines" / "nuclei.cppipe"
IN_PIPELINE = Parameters(model="nuclei", min_size=0)  # what the module asks the engine for
OURS = "IdentifyObjectsByFlow:"
NOTHING = """\
LabelsReady:[module_num:5|svn_version:'Unknown'|variable_revision_number:1|show_window:False|notes:[]|\
batch_state:array([], dtype=uint8)|enabled:True|wants_pause:False]
    Select the input image:DNA
    Name the output object:Nuclei
    Folder of the label images:{folder}"""


def write_images(folder: Path, sets: int) -> list[Path]:
    """Image sets of one channel: nuclei of bbbc039 and of CellProfiler's examples, again if they do not suffice."""
    folder.mkdir()
    sources = sorted((DATA / "bbbc039").rglob("*_img.png"))
    sources += sorted((DATA / "cellprofiler_examples" / "human").glob("*d0.tif"))
    if not sources:
        sys.exit(f"{DATA}: the images of bbbc039 and of CellProfiler's examples are not here.")
    paths = []
    for number in range(sets):
        source = sources[(number * max(1, len(sources) // sets)) % len(sources)]
        pixels = tifffile.imread(source) if source.suffix == ".tif" else imageio.imread(source)
        paths.append(folder / f"{number:04d}_d0.tif")
        tifffile.imwrite(paths[-1], pixels, photometric="minisblack")
    return paths


def pure_computation(images: list[Path], labels: Path) -> float:
    """Seconds of the engine's work; the labels are kept for the module that does nothing."""
    labels.mkdir()
    segmenter = Segmenter("nuclei", "cpu")
    segmenter.segment(tifffile.imread(images[0]), IN_PIPELINE)
    seconds = 0.0
    for path in images:
        pixels = tifffile.imread(path)
        started = time.perf_counter()
        found = segmenter.segment(pixels, IN_PIPELINE).labels
        seconds += time.perf_counter() - started
        np.save(labels / f"{path.name}.npy", found)
    return seconds


def without_our_module(python: str, folder: Path, images: list[Path], workers: int) -> float:
    """Seconds of plain CellProfiler processes that share the image sets, with the module that does nothing."""
    plugins, pipeline = folder / "plugins", folder / "nothing.cppipe"
    plugins.mkdir()
    shutil.copy(HERE / "labelsready.py", plugins)
    blocks = PIPELINE.read_text().split("\n\n")
    nothing = NOTHING.format(folder=folder / "labels")
    pipeline.write_text("\n\n".join(nothing if block.startswith(OURS) else block for block in blocks))
    edges = np.linspace(0, len(images), workers + 1).round().astype(int)
    started, processes = time.perf_counter(), []
    for worker, (first, last) in enumerate(pairwise(edges)):
        output = folder / f"nothing_{worker}"
        output.mkdir()
        where = ["-i", folder / "images", "-o", output, "--plugins-directory", plugins, "-f", first + 1, "-l", last]
        command = [python, "-m", "cellprofiler", "-c", "-r", "-p", pipeline, *where]
        log = (output / "log.txt").open("w")
        arguments = list(map(str, command))
        processes.append(
            subprocess.Popen(arguments, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        )
    for process in processes:
        process.wait()
    seconds = time.perf_counter() - started
    rows = sum(
        len((folder / f"nothing_{worker}" / "Image.csv").read_text().splitlines()) - 1 for worker in range(workers)
    )
    if rows != len(images):
        sys.exit(f"CellProfiler did {rows} of {len(images)} image sets; its logs are in {folder}.")
    return seconds


def with_cellspan_batch(python: str, folder: Path, images: list[Path], workers: int) -> tuple[float, int]:
    """Seconds of `cellspan batch`, and how many engines it started."""
    runtime = folder / "runtime"
    variables = {**os.environ, "CELLSPAN_RUNTIME_DIR": str(runtime)}
    cellspan = [sys.executable, "-m", "cellspan.core.cli"]
    where = ["--images", folder / "images", "--output", folder / "results", "--cellprofiler", python]
    command = [*cellspan, "batch", PIPELINE, *where, "--workers", workers]
    started = time.perf_counter()
    done = subprocess.run(list(map(str, command)), env=variables, stdin=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    subprocess.run([*cellspan, "service", "stop"], env=variables, stdout=subprocess.DEVNULL)
    rows = len((folder / "results" / "Image.csv").read_text().splitlines()) - 1
    if done.returncode or rows != len(images):
        sys.exit(f"cellspan batch did {rows} of {len(images)} image sets; see {folder}.")
    return seconds, len(re.findall("cellspan engine", (runtime / "service.log").read_text()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cellprofiler", default=os.environ.get("CELLSPAN_CELLPROFILER_PYTHON"))
    parser.add_argument("--sets", type=int, default=96)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="leave the folder with everything that was written")
    arguments = parser.parse_args()
    if not arguments.cellprofiler:
        parser.error("give the Python that has CellProfiler: --cellprofiler PATH")
    folder = Path(tempfile.mkdtemp(prefix="cellspan_batch_96_"))
    images = write_images(folder / "images", arguments.sets)
    compute = pure_computation(images, folder / "labels")
    nothing = without_our_module(arguments.cellprofiler, folder, images, arguments.workers)
    batch, engines = with_cellspan_batch(arguments.cellprofiler, folder, images, arguments.workers)
    print(f"\n{arguments.sets} image sets, {arguments.workers} workers, {os.cpu_count()} CPU cores")
    print(f"| CellProfiler, a module that does nothing | {nothing:6.1f} s |")
    print(f"| computation alone                        | {compute:6.1f} s |")
    print(f"| sum                                      | {nothing + compute:6.1f} s |")
    print(f"| cellspan batch                           | {batch:6.1f} s |")
    print(f"ratio {batch / (nothing + compute):.2f} (asked: at most {ASKED}); engines: {engines} (asked: 1)")
    if arguments.keep:
        print(f"everything is in {folder}")
    else:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
