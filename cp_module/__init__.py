"""The CellProfiler side: the plugin, its installer."""
