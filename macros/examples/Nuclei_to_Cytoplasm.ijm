// How bright channel 1 is in the nucleus and in the cytoplasm of every cell, and the ratio: one row of a table per cell.
// For the active image with the cells in channel 1 and the nuclei in channel 2.

setBatchMode(true);
image = getImageID();
getDimensions(width, height, channels, slices, frames);
run("cellspan Segment", "model=nuclei channel=2 results=[label image]");
run("Macro...", "code=v=(v>0)"); // 1 in nuclei, 0 elsewhere
run("32-bit");
rename("nuclei");
selectImage(image);
run("cellspan Segment", "model=cyto channel=1 nuclei=2 results=overlay");
run("Duplicate...", "title=signal duplicate channels=1");
run("32-bit");
imageCalculator("Multiply create 32-bit", "signal", "nuclei");
rename("signal in nuclei");
selectImage(image);
count = Overlay.size;
Table.create("Nuclei to cytoplasm");
for (i = 0; i < count; i++) {
    part = meanIn("nuclei", i);
    inNucleus = meanIn("signal in nuclei", i) / part;
    inCytoplasm = (meanIn("signal", i) - meanIn("signal in nuclei", i)) / (1 - part);
    Table.set("Cell", i, i + 1);
    Table.set("Nucleus", i, inNucleus);
    Table.set("Cytoplasm", i, inCytoplasm);
    Table.set("Ratio", i, inNucleus / inCytoplasm);
}
Table.update;
selectImage(image);

function meanIn(title, index) {
    selectImage(image);
    Overlay.activateSelection(index);
    Roi.copy;
    selectImage(title);
    Roi.paste;
    getStatistics(area, mean);
    return mean;
}
