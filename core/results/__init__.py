"""What a segmentation leaves on disk: labels, outlines, tables, pictures, records of runs; and their evaluation."""
