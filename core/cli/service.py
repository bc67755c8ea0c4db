"""`cellspan serve` and `cellspan service`: the engine that all programs on this computer share."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import click

from cellspan.core.errors import CellspanError
from cellspan.core.service.client import EngineError, Standing, find_engine, log_file

STOP_SECONDS = 60.0  # for running jobs, and threads in native code, to end
FORCE_SECONDS = 10.0
FORCE = "stop it with: cellspan service stop --force"
FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Network address to listen on.")
@click.option("--port", default=0, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 = any free one.")
@click.option(
    "--idle-minutes",
    default=15.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Stop when idle for this long.",
)
@click.option(
    "--max-upload",
    default=2048.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Largest image to accept, in MB.",
)
@click.option("--allow-remote", is_flag=True, help="Let other computers use the engine (with --host).")
@click.option("--tls-certificate", type=FILE, help="PEM file; encrypts the connection, together with --tls-key.")
@click.option("--tls-key", type=FILE, help="PEM file of the certificate's key.")
@click.option("--metrics", is_flag=True, help="Provide metrics for Prometheus (jobs, seconds, memory) at /metrics.")
def serve(
    host: str,
    port: int,
    idle_minutes: float,
    max_upload: float,
    allow_remote: bool,
    tls_certificate: Path | None,
    tls_key: Path | None,
    metrics: bool,
) -> None:
    """Run the engine: one process per user and computer that keeps models loaded.

    CellProfiler and Fiji find the engine and start it when they need it. Run it by hand to watch it or to keep it warm
    for longer. Ctrl-C stops it once the current images are done.

    \b
    Examples:
      cellspan serve --idle-minutes 600
      cellspan serve --host 0.0.0.0 --port 8443 --allow-remote --tls-certificate engine.pem --tls-key engine.key
    """
    from cellspan.core.service.server import ServeOptions, serve_forever

    options = ServeOptions(
        host, port, idle_minutes, int(max_upload * (1 << 20)), allow_remote, tls_certificate, tls_key, metrics
    )
    if not serve_forever(options):
        click.echo("The engine is already running; see: cellspan service status", err=True)


@click.group()
def service() -> None:
    """Show or stop the running engine."""


@service.command()
def status() -> None:
    """Show whether the engine is running, its address and version, and what it is doing.

    Exit code 0: it is running, or will start when needed; 1: it is running but does not answer.
    """
    standing = _standing()
    sentences = {
        "absent": "The engine is not running; it starts when needed.",
        "starting": f"The engine is starting ({standing.about}).",
        "stopping": f"The engine is stopping ({standing.about}).",
    }
    if standing.state in sentences:
        click.echo(sentences[standing.state])
        return
    if standing.service is None:
        click.echo(f"The engine does not answer ({standing.about}); {FORCE}", err=True)
        sys.exit(1)
    try:
        health = standing.service.health()
    except EngineError:
        click.echo("The engine has just stopped; it starts again when needed.")
        return
    record = standing.record
    doing = f"busy: {health['running']} running, {health['queued']} waiting" if health["busy"] else "idle"
    click.echo(f"Engine {record.get('version')} is running at {record.get('address')} ({standing.about}; {doing}).")
    click.echo(f"Log: {log_file()}")


@service.command()
@click.option(
    "--force", is_flag=True, help="Stop it at once, even if it does not answer; unfinished images are repeated."
)
def stop(force: bool) -> None:
    """Stop the engine once the current images are done; programs start it again when they need it.

    Exit code 0: it stopped, or was not running; 1: it does not stop.
    """
    standing = _standing()
    if standing.state == "absent":
        click.echo("The engine is not running.")
        return
    click.echo(end_engine(standing, force))


def end_engine(standing: Standing, force: bool) -> str:
    """Stop a running or silent engine; says so. Raises CellspanError if it does not stop."""
    pid = standing.record.get("pid")
    if not isinstance(pid, int):
        raise CellspanError("The engine is still starting; try again in a few seconds.")
    if standing.service is not None and not force:
        with contextlib.suppress(EngineError):  # it is stopping already
            standing.service.json("POST", "/v1/stop")
    else:
        _signal(pid, signal.SIGTERM)
    if force and not _ended(pid, FORCE_SECONDS / 5):
        _signal(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    if _ended(pid, FORCE_SECONDS if force or standing.service is None else STOP_SECONDS):
        return "The engine has stopped."
    raise CellspanError(f"The engine does not stop ({standing.about}); {FORCE}")


def _standing() -> Standing:
    """The state of the engine; raises CellspanError."""
    try:
        return find_engine()
    except EngineError as error:
        raise CellspanError(str(error)) from None


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
    except PermissionError:
        raise CellspanError(f"The engine (process {pid}) belongs to another user; ask them to stop it.") from None


def _ended(pid: int, seconds: float) -> bool:
    """Whether the process ends within this many seconds."""
    from cellspan.core.machine.processes import has_ended

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if has_ended(pid):
            return True
        time.sleep(0.05)
    return False
