"""Helpers of IdentifyObjectsByFlow; they use only the standard library, numpy and CellProfiler, on Python 3.8+."""
