"""Runs inside CellProfiler's Python: the image sets of Batch_data.h5, in the order in which CellProfiler runs them.

The text of this file is passed to that Python (3.8 or newer), in which cellspan is not installed.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main(batch: str, mark: str) -> None:
    """Print one line: `mark`, then JSON with the files of each image set and the metadata and sets of each group."""
    import cellprofiler_core.preferences as preferences

    preferences.set_headless()
    from cellprofiler_core.measurement import Measurements

    stored = Measurements(filename=batch, mode="a")
    _put_groups_together(stored)
    urls = [name for name in stored.get_feature_names("Image") if name.startswith("URL_")]
    files = {
        int(number): {name[4:]: str(stored.get_measurement("Image", name, int(number))) for name in urls}
        for number in stored.get_image_numbers()
    }
    groups = stored.get_groupings(stored.get_grouping_tags_or_metadata())
    told = [(key, [int(number) for number in numbers]) for key, numbers in groups]
    print("\n" + mark + json.dumps({"files": files, "groups": told}))


def _put_groups_together(stored: Any) -> None:
    """Number the image sets one group after the other, as CellProfiler does when it runs a pipeline with LoadData.

    It would do so in each range too, but only with the image sets of the range (`Pipeline.prepare_run`).
    """
    tags = stored.get_grouping_tags_only()
    ordered = [int(number) for _, numbers in stored.get_groupings(tags) for number in numbers] if tags else []
    if ordered == sorted(ordered):
        return
    for name in stored.get_feature_names("Image"):
        if name != "ImageNumber":
            # Written anew: CellProfiler cannot take a range out of what its own `reorder_image_measurements` leaves.
            values = [stored.get_measurement("Image", name, number) for number in ordered]
            stored.add_all_measurements("Image", name, [_text(value) for value in values])
    stored.flush()


def _text(value: Any) -> Any:
    return value.decode("utf-8") if isinstance(value, bytes) else value


if __name__ == "__main__":
    main(*sys.argv[1:])
