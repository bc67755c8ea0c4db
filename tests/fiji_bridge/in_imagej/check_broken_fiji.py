"""A Fiji folder without its jars is named in one sentence."""

from __future__ import annotations

import sys

from cellspan.core.errors import CellspanError
from cellspan.fiji_bridge import connect

try:
    connect(sys.argv[1])
except CellspanError as error:
    print(error)
