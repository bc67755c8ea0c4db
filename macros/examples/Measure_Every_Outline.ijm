// Measures area, intensity and shape of every nucleus in the active image with the ROI Manager.
// Outlines that were in the ROI Manager before stay there and are not measured.

run("Set Measurements...", "area mean integrated shape display redirect=None decimal=3");
before = roiManager("count");
run("Segment Cells", "model=nuclei");
found = Array.slice(Array.getSequence(roiManager("count")), before);
if (found.length > 0) {
    roiManager("select", found);
    roiManager("measure");
    roiManager("deselect");
}
