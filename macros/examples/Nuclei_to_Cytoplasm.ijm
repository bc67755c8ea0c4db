// Measures the mean intensity of channel 1 in nucleus and cytoplasm of every cell, and their ratio: one table row per cell.
// For the whole active image, with the cells in channel 1 and the nuclei in channel 2.

setBatchMode(true);
image = getImageID();
run("Select None");
before = Overlay.size; // outlines that are already in the overlay are not cells
run("Segment Cells", "model=nuclei channel=2 roi_manager=false label_image=true");
selectImage(nImages); // the label image, which was made last
run("Macro...", "code=v=(v>0)"); // 1 in nuclei, 0 elsewhere
run("32-bit");
nuclei = getImageID();
selectImage(image);
run("Segment Cells", "model=cyto channel=1 nuclei=2 roi_manager=false overlay=true");
run("Duplicate...", "title=signal duplicate channels=1");
run("32-bit");
signal = getImageID();
imageCalculator("Multiply create 32-bit", signal, nuclei);
signalInNuclei = getImageID();
selectImage(image);
count = Overlay.size - before;
Table.create("Nuclei to cytoplasm");
for (i = 0; i < count; i++) {
    part = meanIn(nuclei, before + i);
    inNucleus = meanIn(signalInNuclei, before + i) / part;
    inCytoplasm = (meanIn(signal, before + i) - meanIn(signalInNuclei, before + i)) / (1 - part);
    Table.set("Cell", i, i + 1);
    Table.set("Nucleus", i, inNucleus);
    Table.set("Cytoplasm", i, inCytoplasm);
    Table.set("Ratio", i, inNucleus / inCytoplasm);
}
Table.update;
selectImage(image);

function meanIn(measured, index) {
    selectImage(image);
    Overlay.activateSelection(index);
    Roi.copy;
    selectImage(measured);
    Roi.paste;
    getStatistics(area, mean);
    return mean;
}
