"""Headless CellProfiler over thousands of image sets, in parallel and resumable."""
