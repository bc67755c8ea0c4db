"""Runs inside CellProfiler's Python: loads the plugins of a folder as CellProfiler does and prints what happened.

The text of this file is passed to that Python (3.8 or newer), in which cellspan is not installed.
"""

from __future__ import annotations

import json
import os
import sys


def main(folder: str, mark: str) -> None:
    """Print one line: `mark`, then JSON with the version, the modules by file and the errors by file."""
    import cellprofiler_core.preferences as preferences

    preferences.set_headless()
    preferences.set_plugin_directory(folder, globally=False)
    from cellprofiler_core.constants.modules import all_modules, badmodules
    from cellprofiler_core.utilities.core import modules

    modules.fill_modules()
    errors = {name: "%s: %s" % (type(error).__name__, error) for name, error in badmodules}  # noqa: UP031
    plugins = sys.modules.get("cellprofiler_core.utilities.core.plugins")  # since CellProfiler 5
    for name, status in getattr(plugins, "PLUGIN_STATUS", {}).items():
        if not status["loaded"]:
            errors[name] = str(status["error"]).strip().splitlines()[-1]
    loaded = {}
    for name, module in all_modules.items():
        file = getattr(sys.modules[module.__module__], "__file__", None) or ""
        loaded[os.path.realpath(file)] = name
    print(mark + json.dumps({"version": _version(), "loaded": loaded, "errors": errors}))


def _version() -> str:
    try:
        from cellprofiler import __version__
    except ImportError:
        from cellprofiler_core import __version__
    return str(__version__)


if __name__ == "__main__":
    main(*sys.argv[1:])
