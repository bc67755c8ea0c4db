"""`cellspan serve` and `cellspan service`: the engine that all programs on the machine share."""

from __future__ import annotations

import contextlib
import json
import sys
import time

import click

from cellspan.core.service.client import EngineError, log_file, running_service, service_file


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=0, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 = any free one.")
@click.option(
    "--idle-minutes", default=15.0, show_default=True, type=click.FloatRange(min=0, min_open=True), help="Stop after."
)
def serve(host: str, port: int, idle_minutes: float) -> None:
    """Run the engine: one process per user and machine, which CellProfiler and Fiji find by themselves.

    They also start it by themselves; run it by hand to watch it or to keep it for longer.

    \b
    Example:
      cellspan serve --idle-minutes 600
    """
    from cellspan.core.service.server import serve_forever

    if not serve_forever(host, port, idle_minutes):
        click.echo("The engine is running already; see: cellspan service status", err=True)


@click.group()
def service() -> None:
    """Look at or stop the running engine."""


@service.command()
def status() -> None:
    """Say whether the engine runs, where, and which version."""
    running = running_service()
    if running is None:
        click.echo("The engine is not running; it starts when it is needed.")
        return
    try:
        about = json.loads(service_file().read_text(encoding="utf-8"))
        busy = "busy" if running.json("GET", "/v1/health")["busy"] else "idle"
    except (EngineError, OSError):
        click.echo("The engine has just stopped; it starts again when it is needed.")
        return
    click.echo(f"The engine {about['version']} runs at {about['address']} (process {about['pid']}, {busy}).")
    click.echo(f"Its log is {log_file()}")


@service.command()
def stop() -> None:
    """Stop the engine; a program that is waiting for it starts it again."""
    running = running_service()
    if running is None:
        click.echo("The engine is not running.")
        return
    with contextlib.suppress(EngineError):  # it is stopping already
        running.json("POST", "/v1/stop")
    for _ in range(100):
        if not service_file().exists():
            click.echo("The engine has stopped.")
            return
        time.sleep(0.1)
    click.echo(f"The engine does not stop; end process {json.loads(service_file().read_text())['pid']}.", err=True)
    sys.exit(1)
