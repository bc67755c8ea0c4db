// Runs the command on selections of all kinds, in an ImageJ in which a window "Mask" and an image are open already.
// Argument, line by line: image, the command's path. What a selection is, before and after, comes into the Log.

arguments = split(getArgument(), "\n");
newImage("Mask", "8-bit black", 64, 48, 1);
mask = getImageID();
open(arguments[0]);
field = getImageID();
makeOval(40, 30, 50, 50);
Roi.copy;
for (k = 0; k < 7; k++) {
    choose(k);
    print("before " + described());
    run("cellspan Segment", "model=nuclei");
    print("after " + described());
    Roi.getContainedPoints(xs, ys);
    print("x " + String.join(xs, " "));
    print("y " + String.join(ys, " "));
}
Roi.paste; // what was copied before the command
print("copied " + described());
makeRectangle(70, 10, 20, 10);
result = runMacro(arguments[1], "model=nuclei");
print("outside " + result + " " + described());
selectImage(mask);
getStatistics(area, mean, min, max);
print("mask " + getTitle() + " " + getWidth() + " " + min + " " + max + " " + Overlay.size + " " + selectionType());

// In batch mode errors are lines, and stop the macro that called.
setBatchMode(true);
selectImage(field);
run("cellspan Segment", "model=nuclei");
print("still running");

function choose(k) {
    if (k == 0)
        makeOval(10, 8, 30, 20);
    if (k == 1)
        makeRotatedRectangle(20, 10, 45, 30, 14);
    if (k == 2) {
        makeEllipse(44, -8, 72, 30, 0.6); // sticks out at the top and on the right
        Roi.setName("my cell");
    }
    if (k == 3)
        makePolygon(-9.5, 20.25, 12.5, 30.5, -3.5, 60.75); // on the left and at the bottom
    if (k == 4)
        makeRectangle(-5, -4, 20, 20);
    if (k == 5)
        makeRectangle(5, 4, 64, 48); // dragged away from where it was all of the image
    if (k == 6)
        makeRectangle(40, 20, 20, 16, 9); // round corners
}

function described() {
    Roi.getBounds(x, y, width, height);
    Roi.getCoordinates(xs, ys);
    points = String.join(xs, ",") + ";" + String.join(ys, ",");
    box = "" + x + " " + y + " " + width + " " + height;
    return "" + Roi.getType + " " + Roi.getName + " " + box + " " + points + " " + getTitle() + " " + nImages;
}
