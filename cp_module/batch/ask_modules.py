"""Runs inside CellProfiler's Python: what the modules of a pipeline say about themselves.

The text of this file is passed to that Python (3.8 or newer), in which cellspan is not installed.
"""

from __future__ import annotations

import json
import sys
from typing import Any

HOOKS = ("prepare_group", "post_group", "post_run")  # a module that has one may use more than one image set


def main(pipeline_file: str, plugins: str, images: str, output: str, mark: str) -> None:
    """Print one line: `mark`, then a JSON list with what is known of each enabled module."""
    import cellprofiler_core.preferences as preferences

    preferences.set_headless()
    preferences.set_plugin_directory(plugins, globally=False)
    preferences.set_default_image_directory(images)
    preferences.set_default_output_directory(output)
    import cellprofiler_core.modules  # noqa: F401 - loads all modules, those in `plugins` too
    from cellprofiler_core.pipeline import Pipeline

    pipeline = Pipeline()
    pipeline.load(pipeline_file)
    print(mark + json.dumps([_about(module, pipeline) for module in pipeline.modules()]))


def _about(module: Any, pipeline: Any) -> dict[str, Any]:
    from cellprofiler_core.module import Module

    own = [name for name in HOOKS if getattr(type(module), name, None) is not getattr(Module, name, None)]
    return {
        "name": module.module_name,
        "number": module.module_num,
        "builtin": type(module).__module__.split(".")[0] in ("cellprofiler", "cellprofiler_core"),
        "hooks": own,
        "aggregates": bool(module.is_aggregation_module()),
        "settings": [[str(one.text), str(one.value_text)] for one in module.settings()],
        "fault": "" if module.is_input_module() else _fault(module, pipeline),  # these need Java to check themselves
    }


def _fault(module: Any, pipeline: Any) -> str:
    """The first setting that CellProfiler's window shows in red, and its sentence; '' if all are valid.

    The check of the module as a whole is left out: it also refuses what runs, as in CellProfiler's own examples.
    """
    from cellprofiler_core.setting import ValidationError

    try:
        settings = module.visible_settings()
    except Exception:  # noqa: BLE001 - as below
        return ""
    for setting in settings:
        try:
            setting.test_valid(pipeline)
        except ValidationError as error:
            sentence = " ".join(str(error).split())
            return f"{setting.text}: {sentence}"
        except Exception:  # noqa: BLE001 - a check that needs a window or Java says nothing about the run
            continue
    return ""


if __name__ == "__main__":
    main(*sys.argv[1:])
