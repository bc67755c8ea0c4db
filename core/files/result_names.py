"""The names of what cellspan writes for an image: by them, results are told apart from images."""

from __future__ import annotations

ENDINGS = {
    "labels": "_labels.tif",
    "rois": "_rois.zip",
    "overlay": "_overlay.png",
    "table": "_objects.csv",
    "flows": "_flows.tif",
    "probability": "_probability.tif",
    "restored": "_restored.tif",  # the image as `restore` made it
    "seg": "_seg.npy",  # as Cellpose's window saves it
    "outlines": "_cp_outlines.txt",  # as Cellpose's macro for ImageJ reads it
    "network": "_network.npz",  # what other thresholds need
}
VIEWS = "_orthogonal.png"  # beside the overlay of a volume
OWN_ENDINGS = (*ENDINGS.values(), VIEWS)
DEFAULT_RESULTS = "cellspan_results"  # in the folder of the images, where none is given
REVIEW = "review"  # in the results: corrections, verdicts and thumbnails of the review page
PAIRS_MARK = (
    ".cellspan-pairs"  # a file in folders of training pairs, which are copies: no search for images enters them
)
