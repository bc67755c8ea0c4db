"""The engine under load, with real processes: `python -m tests.bench.engine [--against PYTHON] [--json FILE]`.

Throughput of several clients beside that of one process that segments alone, an interactive image behind a long queue,
memory over many jobs and with clients that never fetch, the time of a short answer. `--against` names the Python of
another environment with another cellspan, whose engine does the same work in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from cellspan.core.parameters import Parameters
from cellspan.core.segmenter import Segmenter
from cellspan.core.service.client import NPY, Engine, Service, as_npy, read_record
from cellspan.core.training.simulate import simulate_nuclei

OPTIONS = {"model": "nuclei", "diameter": 26.0, "device": "cpu"}
# One client process: segments the images of a file one after the other, and prints the number of objects of each.
CLIENT = """
import sys, numpy as np
from cellspan.core.service.client import Engine
engine = Engine([sys.executable, "-m", "cellspan.core.cli", "serve"])
images = np.load(sys.argv[1])
sys.stdin.readline()
for k in range(int(sys.argv[2])):
    result = engine.segment(images[k % len(images)], {"model": "nuclei", "diameter": 26.0, "device": "cpu"})
    print(int(result.labels.max()), flush=True)
"""


def images(count: int) -> np.ndarray:
    """Fields of 512x512 pixels with about 80 nuclei."""
    return np.stack([simulate_nuclei((512, 512), 26, seed=seed).image for seed in range(count)])


@contextmanager
def engine_of(python: str, *options: str) -> Iterator[psutil.Process]:
    """An engine of its own, warm; its process."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CELLSPAN_RUNTIME_DIR"] = str(Path(folder) / "runtime")
        process = subprocess.Popen([python, "-m", "cellspan.core.cli", "serve", *options], stderr=subprocess.DEVNULL)
        warm = f"import sys, numpy as np\n{CLIENT.replace('sys.stdin.readline()', '')}"
        np.save(Path(folder) / "images.npy", images(1))
        subprocess.run([python, "-c", warm, str(Path(folder) / "images.npy"), "3"], check=True, capture_output=True)
        try:
            yield psutil.Process(process.pid)
        finally:  # another engine may be in its place, if this one was killed
            subprocess.run([python, "-m", "cellspan.core.cli", "service", "stop"], check=False, capture_output=True)
            process.wait(60)


def through_clients(python: str, fields: np.ndarray, clients: int, each: int) -> tuple[float, list[list[int]]]:
    """Images a second of several client processes at once, and the objects that each found."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npy"
        np.save(path, fields)
        running = [
            subprocess.Popen(
                [python, "-c", CLIENT, str(path), str(each)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(clients)
        ]
        time.sleep(3)  # all are loaded and wait
        started = time.perf_counter()
        for client in running:
            assert client.stdin is not None
            client.stdin.write("\n")
            client.stdin.flush()
        found = [list(map(int, client.communicate()[0].split())) for client in running]
        return clients * each / (time.perf_counter() - started), found


def with_kills(fields: np.ndarray, clients: int, each: int, kills: int) -> list[list[int]]:
    """The objects that each client found although engines were killed under it, one every four seconds."""
    stop = threading.Event()

    def kill() -> None:
        left, last = kills, 0
        while left and not stop.wait(4):
            record = read_record(Path(os.environ["CELLSPAN_RUNTIME_DIR"]))
            if record is not None and record.get("address") and record["pid"] != last:
                last, left = int(record["pid"]), left - 1
                os.kill(last, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        return through_clients(sys.executable, fields, clients, each)[1]
    finally:
        stop.set()
        killer.join()


def alone(fields: np.ndarray, count: int) -> tuple[float, list[int]]:
    """Images a second of one process that segments and does nothing else, and the objects."""
    segmenter, parameters = Segmenter("nuclei", "cpu"), Parameters(model="nuclei", diameter=26.0)
    for field in fields[:2]:
        segmenter.segment(field, parameters)
    started = time.perf_counter()
    found = [segmenter.segment(fields[k % len(fields)], parameters).count for k in range(count)]
    return count / (time.perf_counter() - started), found


def service_here() -> Service:
    """The engine that runs."""
    service = Service.of(read_record(Path(os.environ["CELLSPAN_RUNTIME_DIR"])))
    assert service is not None
    return service


def interactive_times(field: np.ndarray, queued: int) -> dict[str, float]:
    """Seconds of an image for somebody who waits: alone, and behind so many of another client."""
    engine, body = Engine([sys.executable, "-m", "cellspan.core.cli", "serve"], interactive=True), as_npy(field)
    own = [_timed(lambda: engine.segment(field, OPTIONS)) for _ in range(15)]
    other, ids = service_here(), []
    for _ in range(queued):
        headers = {"Content-Type": NPY, "Idempotency-Key": uuid.uuid4().hex, "Cellspan-Client": "somebody else"}
        ids.append(other.json("POST", "/v1/jobs?model=nuclei&diameter=26.0&device=cpu", body, headers)["id"])
    behind = []
    for _ in range(20):
        behind.append(_timed(lambda: engine.segment(field, OPTIONS)))
        time.sleep(0.3)
    waiting = other.health()["queued"]
    for job in ids:
        other.forget(f"/v1/jobs/{job}")
    p95 = statistics.quantiles(behind, n=20)[-1]
    median = statistics.median(own)
    return {"own": median, "p95": p95, "median": statistics.median(behind), "ratio": p95 / median, "waiting": waiting}


def memory_over_jobs(process: psutil.Process, fields: np.ndarray, jobs: int) -> dict[str, float]:
    """Bytes of the engine after the first hundred jobs, and after all."""
    engine = Engine([sys.executable, "-m", "cellspan.core.cli", "serve"])
    after_first = 0
    for k in range(jobs):
        engine.segment(fields[k % len(fields)], OPTIONS)
        if k == 99:
            after_first = process.memory_info().rss
    after_all = process.memory_info().rss
    return {"after_100": after_first, "after_all": after_all, "growth": after_all / after_first - 1}


def memory_unfetched(process: psutil.Process, jobs: int) -> dict[str, float]:
    """Bytes of the engine with results of 2048x2048 pixels (64 MB each) that nobody fetches; the diameter is quick."""
    body = as_npy(np.zeros((2048, 2048), np.uint8))
    service, before, most, refused = service_here(), process.memory_info().rss, 0, 0
    for _ in range(jobs):
        headers = {"Content-Type": NPY, "Cellspan-Client": "never fetches"}
        job = service.json("POST", "/v1/jobs?model=nuclei&diameter=400&device=cpu", body, headers)
        while job["state"] in ("queued", "running"):
            job = service.json("GET", f"/v1/jobs/{job['id']}?wait=10")
        refused += job["state"] != "done"
        most = max(most, process.memory_info().rss)
    return {"before": before, "most": most, "refused": refused, "jobs": jobs}


def short_answers() -> float:
    """Milliseconds of one answer through a connection that is kept, the median, over the network's loopback."""
    service = service_here()
    record: Any = read_record(Path(os.environ["CELLSPAN_RUNTIME_DIR"]))
    by_network = Service(record["address"], record["token"])
    for each in (service, by_network):
        each.health()
    return 1000 * statistics.median(_timed(by_network.health) for _ in range(200))


def again_times() -> dict[str, float]:
    """Seconds of other thresholds for 1024x1024 pixels with about 300 objects: computing, and as the client waits."""
    field = simulate_nuclei((1024, 1024), 44, coverage=0.45, seed=1).image
    engine = Engine([sys.executable, "-m", "cellspan.core.cli", "serve"], interactive=True)
    result = engine.segment(field, {**OPTIONS, "diameter": 44.0}, keep=True)
    inside, outside = [], []
    for k in range(20):
        started = time.perf_counter()
        again = engine.again(result, {"cellprob_threshold": -1 + 0.1 * k})
        outside.append(time.perf_counter() - started)
        inside.append(again.seconds)
    return {"objects": result.count, "computing": statistics.median(inside), "client": statistics.median(outside)}


def _timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Run, print, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", help="Python of another environment with another cellspan")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--jobs", type=int, default=1000, help="for the memory over many jobs")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    fields = images(10)

    def tell(name: str, value: Any) -> None:
        figures[name] = value
        print(f"{name}: {value}", flush=True)

    with engine_of(sys.executable):
        tell("short answer, ms", short_answers())
        tell("again", again_times())
        tell("interactive behind 200", interactive_times(fields[0], 200))
    rounds: dict[str, list[float]] = {"alone": [], "8 clients": [], "4 clients": [], "4 clients of the other": []}
    speed, expected = alone(fields, 50)
    rounds["alone"].append(speed)
    with engine_of(sys.executable):
        speed, found = through_clients(sys.executable, fields, 8, 50)
        rounds["8 clients"].append(speed)
        assert all(objects == expected for objects in found), "an image was lost, doubled or exchanged"
    rounds["alone"].append(alone(fields, 50)[0])  # before and after, because the machine's speed drifts
    tell("images a second", rounds)
    tell("8 clients / alone", statistics.mean(rounds["8 clients"]) / statistics.mean(rounds["alone"]))
    for _ in range(2 if options.against else 0):
        for name, python in (("4 clients of the other", options.against), ("4 clients", sys.executable)):
            with engine_of(python):
                rounds[name].append(through_clients(python, fields, 4, 15)[0])
    if options.against:
        tell("images a second", rounds)
        tell(
            "4 clients / the other",
            statistics.mean(rounds["4 clients"]) / statistics.mean(rounds["4 clients of the other"]),
        )
    with engine_of(sys.executable):
        found = with_kills(fields, 8, 12, 3)
        assert all(objects == expected[:12] for objects in found), "an image was lost, doubled or exchanged"
        tell("8 clients with 12 images, 3 kills: images", sum(map(len, found)))
    with engine_of(sys.executable) as process:
        tell("memory over jobs", memory_over_jobs(process, fields, options.jobs))
        tell("memory, never fetched", memory_unfetched(process, 60))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
