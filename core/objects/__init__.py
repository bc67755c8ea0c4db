"""Label images, planes and volumes alike: boxes, pieces, outlines, metrics, linking, stitching."""
