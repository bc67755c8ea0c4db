// Area, intensity and shape of every nucleus of the active image, by the ROI Manager's own Measure.

run("Set Measurements...", "area mean integrated shape display redirect=None decimal=3");
run("cellspan Segment", "model=nuclei");
roiManager("deselect");
roiManager("measure");
