"""Training: annotated images, augmentation, the loop, the size model, simulated fields."""

import os

# OpenMP's threads wait in a busy loop unless this is set before torch is loaded. With other work on 2 cores, a
# training step then took 10 s and 7 s of CPU time, instead of 2 to 4 s and 2 s.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
