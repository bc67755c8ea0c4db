"""What is published besides the wheel: zips for Fiji and CellProfiler, and an update site, by `nox -s release`."""
