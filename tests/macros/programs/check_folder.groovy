// Segment Folder without a display.
//
// Arguments: FOLDER_OF_THIS_FILE FOLDER_OF_IMAGES

import ij.IJ

def fiji = new GroovyShell(getClass().classLoader).evaluate(new File(args[0], "fiji.groovy"))
IJ.run(IJ.createImage("any", "8-bit black", 9, 9, 1), "Select None", "") // ImageJ learns where its plugins are
fiji.run("Segment_Folder", folder: new File(args[1]), model: "nuclei")
System.exit(0)
