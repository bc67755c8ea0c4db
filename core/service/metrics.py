"""Metrics of the engine in Prometheus format: jobs, seconds, queue, memory, models."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from cellspan.core.planes.result import Result
from cellspan.core.service.jobs import Job, JobTable, State
from cellspan.core.service.models import WarmModels
from cellspan.core.service.results import Results

# The progress messages of a job, possibly followed by the slice; any other message counts as "other".
STAGES = (
    "loading the model",
    "reading the image",
    "estimating the diameter",
    "measuring the diameter",
    "running the network",
    "following the flows",
    "numbering the objects",
)
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counters of one engine; thread-safe."""

    def __init__(self) -> None:
        """All at 0, in their own registry, because a process may have several engines."""
        self._registry = CollectorRegistry()
        self._jobs = Counter("cellspan_jobs", "Finished jobs", ["state"], registry=self._registry)
        self._objects = Counter("cellspan_objects", "Objects found", registry=self._registry)
        self._seconds = Histogram(
            "cellspan_job_seconds",
            "Computing time of a job, in seconds",
            ["model"],
            registry=self._registry,
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
        )
        self._stages = Counter(
            "cellspan_stage_seconds", "Time that jobs spent in a stage, in seconds", ["stage"], registry=self._registry
        )
        self._now = {
            name: Gauge(f"cellspan_{name}", text, registry=self._registry)
            for name, text in {
                "queued_jobs": "Waiting jobs",
                "running_jobs": "Running jobs",
                "memory_bytes": "Memory of the process, in bytes",
                "results_memory_bytes": "Results in memory: not yet fetched, or kept for other thresholds, in bytes",
                "results_disk_bytes": "Results on disk: not yet fetched, or kept for other thresholds, in bytes",
                "warm_models": "Models in memory",
            }.items()
        }

    def finished(self, result: Result) -> None:
        """Count a finished job."""
        self._jobs.labels("done").inc()
        self._objects.inc(result.count)
        self._seconds.labels(result.model).observe(result.seconds)

    def ended(self, state: State) -> None:
        """Count a job that failed or was cancelled."""
        self._jobs.labels(state).inc()

    @contextmanager
    def stages(self, job: Job) -> Iterator[Callable[[str], None]]:
        """Measure the stages of a job that starts now; call the returned function with its progress messages."""
        since, stage = time.monotonic(), "other"
        self._stages.labels("waiting").inc(since - job.came)

        def next_stage(words: str) -> None:
            nonlocal since, stage
            now = time.monotonic()
            self._stages.labels(stage).inc(now - since)
            since, stage = now, next((known for known in STAGES if known in words), "other")

        try:
            yield next_stage
        finally:
            next_stage("")

    def text(self, jobs: JobTable, results: Results, models: WarmModels) -> bytes:
        """The response of GET /metrics."""
        counts = jobs.count()
        in_memory, on_disk = results.used()
        values = {
            "queued_jobs": counts["queued"],
            "running_jobs": counts["running"],
            "memory_bytes": psutil.Process().memory_info().rss,
            "results_memory_bytes": in_memory,
            "results_disk_bytes": on_disk,
            "warm_models": len(models.names()),
        }
        for name, value in values.items():
            self._now[name].set(value)
        return generate_latest(self._registry)
