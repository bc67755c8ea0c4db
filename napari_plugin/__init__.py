"""napari: find cells in its image layers with the shared engine, correct them, and teach a model with them.

`napari.yaml` declares what napari shows in its menus.
"""
