"""Stands for the engine: keeps what a command hands over in the folder of its first argument, and finds nothing."""

import shutil
import sys
from pathlib import Path

kept = Path(sys.argv[1])
number = len(list(kept.glob("image*.tif")))
for flag in ("--input", "--inside"):
    if flag in sys.argv:
        path = Path(sys.argv[sys.argv.index(flag) + 1])
        shutil.copy(path, kept / f"{path.stem}{number}.tif")
place = sys.argv[sys.argv.index("--at") + 1] if "--at" in sys.argv else ""
(kept / f"place{number}.txt").write_text(place)
print("OK 0 -")
