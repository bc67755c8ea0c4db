"""Run with CellProfiler's Python: loads CellProfiler once, and runs it again and again, each time in a copy of itself.

A start of CellProfiler takes 5 seconds of computing, of which 4 are for loading its modules. Here they are loaded
once; for each request, the process is copied (fork), and the copy runs CellProfiler's own `main` and ends. So every run
has its own process, as if it had been started alone, but it starts with everything loaded. Java is started by `main`.

A request is a line of JSON on the standard input: `argv`, the command line of CellProfiler, and `log`, the file for all
output. The answers are lines on the standard output: the `pid` of the copy, then its exit `code` (negative for a
signal). Python 3.8 and the standard library only, besides CellProfiler.
"""

from __future__ import annotations

import json
import os
import random
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Main = Callable[[list[str]], "int | None"]


def load(plugins: str) -> Main:
    """Import CellProfiler and its modules, those in the folder `plugins` too; returns its main function."""
    from cellprofiler_core.preferences import set_headless, set_plugin_directory

    set_headless()
    set_plugin_directory(plugins, globally=False)  # first, because what comes now imports the plugins too
    import cellprofiler_core.modules  # noqa: F401
    from cellprofiler.__main__ import main

    found: Main = main
    return found


def run(main: Main, argv: list[str], log: str) -> None:
    """In the copy: run CellProfiler and end this process with its exit code."""
    import numpy

    os.setsid()
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    for output in (1, 2):
        os.dup2(file, output)
    sys.argv = argv
    # All copies would draw the same random numbers.
    numpy.random.seed()
    random.seed()
    code = 1
    try:
        code = main(argv) or 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - whatever it was, it goes into the log
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code & 0xFF)


def serve(plugins: str) -> None:
    """Answer requests until the standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # CellProfiler prints while it is loaded
    main = load(plugins)
    answers.write(json.dumps({"ready": True}) + "\n")
    requests = os.fdopen(os.dup(0), "r")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for line in requests:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            run(main, request["argv"], request["log"])
        answers.write(json.dumps({"pid": pid}) + "\n")
        _, status = os.waitpid(pid, 0)
        code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        answers.write(json.dumps({"code": code}) + "\n")


if __name__ == "__main__":
    del sys.path[0]  # this folder: its cellprofiler.py is not the program
    serve(sys.argv[1])
