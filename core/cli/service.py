"""`cellspan serve` and `cellspan service`: the engine that all programs on the machine share."""

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

STOP_SECONDS = 60.0  # that jobs under way, and threads in native code, may take to end
FORCE_SECONDS = 10.0
FORCE = "end it with: cellspan service stop --force"
FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=0, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 = any free one.")
@click.option(
    "--idle-minutes", default=15.0, show_default=True, type=click.FloatRange(min=0, min_open=True), help="Stop after."
)
@click.option(
    "--max-upload",
    default=2048.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="MB of an image.",
)
@click.option("--allow-remote", is_flag=True, help="Other computers may use the engine (with --host).")
@click.option("--tls-certificate", type=FILE, help="PEM file; with --tls-key, what goes over the network is encrypted.")
@click.option("--tls-key", type=FILE, help="PEM file of the certificate's key.")
@click.option("--metrics", is_flag=True, help="Count jobs, seconds and memory for Prometheus at /metrics.")
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
    """Run the engine: one process per user and machine, which CellProfiler and Fiji find by themselves.

    They also start it by themselves; run it by hand to watch it or to keep it for longer. Ctrl-C ends it when the
    images that it works on are done.

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
        click.echo("The engine is running already; see: cellspan service status", err=True)


@click.group()
def service() -> None:
    """Look at or stop the running engine."""


@service.command()
def status() -> None:
    """Say whether the engine runs, where, which version, and what it is doing.

    Exit code 0: it runs, or starts when it is needed; 1: it is there but does not answer.
    """
    standing = _standing()
    sentences = {
        "absent": "The engine is not running; it starts when it is needed.",
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
        click.echo("The engine has just stopped; it starts again when it is needed.")
        return
    record = standing.record
    doing = f"busy: {health['running']} running, {health['queued']} waiting" if health["busy"] else "idle"
    click.echo(f"The engine {record.get('version')} runs at {record.get('address')} ({standing.about}; {doing}).")
    click.echo(f"Its log is {log_file()}")


@service.command()
@click.option(
    "--force", is_flag=True, help="End it at once, also if it does not answer; images under way are done again."
)
def stop(force: bool) -> None:
    """Stop the engine when the images that it works on are done; a program that needs it starts it again.

    Exit code 0: it has stopped, or was not running; 1: it does not stop.
    """
    standing = _standing()
    if standing.state == "absent":
        click.echo("The engine is not running.")
        return
    pid = standing.record.get("pid")
    if not isinstance(pid, int):
        click.echo("The engine is just starting; try again in a few seconds.", err=True)
        sys.exit(1)
    if standing.service is not None and not force:
        with contextlib.suppress(EngineError):  # it is stopping already
            standing.service.json("POST", "/v1/stop")
    else:
        _signal(pid, signal.SIGTERM)
    if force and not _ended(pid, FORCE_SECONDS / 5):
        _signal(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    if _ended(pid, FORCE_SECONDS if force or standing.service is None else STOP_SECONDS):
        click.echo("The engine has stopped.")
        return
    click.echo(f"The engine does not stop ({standing.about}); {FORCE}", err=True)
    sys.exit(1)


def _standing() -> Standing:
    """How the engine is; raises CellspanError."""
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
        raise CellspanError(f"Process {pid}, the engine, belongs to another user; ask them to end it.") from None


def _ended(pid: int, seconds: float) -> bool:
    """Whether the process ends within so many seconds."""
    import psutil

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False
