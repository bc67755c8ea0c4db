"""Volumes (Z, Y, X): segmentation of z-stacks by a 2D network, in blocks that fit into memory."""
