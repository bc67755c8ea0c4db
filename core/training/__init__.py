"""Training: annotated images, augmentation, the loop, the size model, simulated fields."""

import os

# OpenMP's threads wait in a busy loop unless told otherwise before torch is loaded. Beside other work on 2 cores, a
# step of training then took 10 s and burnt 7 s of CPU time, and without it 2 to 4 s and 2 s.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
