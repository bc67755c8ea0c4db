"""TrackMate in a real Fiji finds spots with the engine, as outlines or as spheres, and links them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import scyjava
import tifffile

from cellspan.core.training.simulate import simulate_nuclei
from cellspan.fiji_bridge import connect

fiji, folder = sys.argv[1], Path(sys.argv[2])
scyjava.config.add_option(f"-Duser.home={folder}")  # where Fiji keeps its settings
scyjava.config.add_option("--add-opens=java.desktop/java.awt=ALL-UNNAMED")  # TrackMate 7 needs it for its window
imagej = connect(fiji, headless=False)

plane = simulate_nuclei((160, 160), diameter=24, seed=2).image
lapse = np.stack([np.roll(plane, 4 * frame, axis=1) for frame in range(3)])
pixels = {"imagej": True, "resolution": (2, 2)}
tifffile.imwrite(folder / "lapse.tif", lapse, metadata={"axes": "TYX", "unit": "um"}, **pixels)
volumes = np.repeat(lapse[:2, None], 5, axis=1)
tifffile.imwrite(folder / "volumes.tif", volumes, metadata={"axes": "TZYX", "unit": "um", "spacing": 0.5}, **pixels)

program = Path(__file__).with_suffix(".groovy").read_text(encoding="utf-8")
answer = imagej.pyimagej.py.run_script("Groovy", program, {"folder": str(folder)}).getOutput("answer")
assert str(answer) == "done", answer
