"""Loads torch so that its threads sleep while they wait; the environment is as before afterwards.

OpenMP's threads wait in a busy loop unless told otherwise when torch is loaded. Beside other work on 2 cores, a step of
training then took 10 s and burnt 7 s of CPU time, and without it 2 to 4 s and 2 s. Without effect where the program has
loaded torch already; it sets OMP_WAIT_POLICY=passive then, if it wants that.
"""

from __future__ import annotations

import os

VARIABLE = "OMP_WAIT_POLICY"  # OpenMP reads it once

_given = VARIABLE in os.environ
os.environ.setdefault(VARIABLE, "passive")
try:
    import torch  # noqa: F401
finally:
    if not _given:
        del os.environ[VARIABLE]
