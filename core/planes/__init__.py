"""One plane from pixels to labels, and the search for the diameter of its objects."""
