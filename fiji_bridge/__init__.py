"""The Fiji / ImageJ side: the installer of the commands, and ImageJ inside Python.

Nothing here starts Java on import; `connect` does. The public names are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellspan.core.machine.public_names import loader

if TYPE_CHECKING:
    from cellspan.fiji_bridge.gateway import ImageJ as ImageJ
    from cellspan.fiji_bridge.gateway import connect as connect
    from cellspan.fiji_bridge.images import image_from_imagej as image_from_imagej
    from cellspan.fiji_bridge.images import image_to_imagej as image_to_imagej
    from cellspan.fiji_bridge.images import labels_to_imagej as labels_to_imagej
    from cellspan.fiji_bridge.rois import imagej_to_labels as imagej_to_labels
    from cellspan.fiji_bridge.rois import rois_to_imagej as rois_to_imagej
    from cellspan.fiji_bridge.segmenting import Segmented as Segmented
    from cellspan.fiji_bridge.segmenting import segment as segment
    from cellspan.fiji_bridge.training import Trained as Trained
    from cellspan.fiji_bridge.training import train_from_rois as train_from_rois

_HOMES = {
    "ImageJ": "gateway",
    "Segmented": "segmenting",
    "Trained": "training",
    "connect": "gateway",
    "image_from_imagej": "images",
    "image_to_imagej": "images",
    "imagej_to_labels": "rois",
    "labels_to_imagej": "images",
    "rois_to_imagej": "rois",
    "segment": "segmenting",
    "train_from_rois": "training",
}
__all__ = sorted(_HOMES)
__getattr__ = loader(__name__, _HOMES)
