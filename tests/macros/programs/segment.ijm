// Segments an image as a user's macro would, then lets ImageJ paint every ROI: object k becomes k.
// Argument, line by line: image, file for the painted objects, settings, and without a display the macro's path.

arguments = split(getArgument(), "\n");
open(arguments[0]);
title = getTitle();
makeLine(3, 4, 12, 15); // has no inside, so the whole image is segmented
getStatistics(area, mean, min, max, deviation);
if (arguments.length > 3) {
    Overlay.addSelection;
    result = runMacro(arguments[3], arguments[2]);
    own = 1;
    count = Overlay.size - own;
} else {
    roiManager("add");
    run("cellspan Segment", arguments[2]);
    own = 1;
    count = roiManager("count") - own;
}
Roi.getBounds(x, y, width, height);
print("selection " + x + " " + y + " " + width + " " + height);
print("images " + nImages + " " + (title == getTitle()));
Roi.remove;
print("count " + count);

image = getImageID();
newImage("painted", "16-bit black", getWidth(), getHeight(), 1);
painted = getImageID();
for (i = 0; i < count; i++) {
    if (arguments.length > 3) {
        selectImage(image);
        Overlay.activateSelection(i + own);
        Roi.copy;
        selectImage(painted);
        Roi.paste;
        print("name " + Roi.getName);
    } else {
        roiManager("select", i + own);
        print("name " + RoiManager.getName(i + own));
    }
    run("Set...", "value=" + (i + 1));
}
run("Select None");
saveAs("tiff", arguments[1]);
