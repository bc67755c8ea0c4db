"""What IdentifyObjectsByFlow needs beside CellProfiler: only the standard library and numpy, Python 3.8 or newer."""
