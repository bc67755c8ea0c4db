// Area, intensity and shape of every nucleus of the active image, by the ROI Manager's own Measure.
// Outlines that were in the ROI Manager before stay there and are not measured.

run("Set Measurements...", "area mean integrated shape display redirect=None decimal=3");
before = roiManager("count");
run("cellspan Segment", "model=nuclei");
found = Array.slice(Array.getSequence(roiManager("count")), before);
if (found.length > 0) {
    roiManager("select", found);
    roiManager("measure");
    roiManager("deselect");
}
