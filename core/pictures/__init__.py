"""One reader of pictures: files and arrays become planes and volumes with known axes and channels."""
