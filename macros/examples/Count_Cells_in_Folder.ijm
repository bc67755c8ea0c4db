// Counts the nuclei in every image of a folder; the numbers go into a table and into cells.csv beside the images.
// Run it from the editor, or as runMacro(PATH_OF_THIS_FILE, FOLDER).

folder = getArgument();
if (folder == "")
    folder = getDirectory("Folder of images");
if (!endsWith(folder, File.separator))
    folder = folder + File.separator;
setBatchMode(true);
files = getFileList(folder);
Table.create("Cells");
row = 0;
for (i = 0; i < files.length; i++) {
    if (matches(toLowerCase(files[i]), ".*\\.(tif|tiff|png|jpg)")) {
        open(folder + files[i]);
        run("Select None"); // a selection and an overlay that were saved with the image
        Overlay.remove;
        run("Segment Cells", "model=nuclei roi_manager=false overlay=true");
        Table.set("Image", row, files[i]);
        Table.set("Cells", row, Overlay.size);
        row++;
        close();
    }
}
Table.update;
Table.save(folder + "cells.csv");
