// Segment Cells without a display on a stack: overlay and label image, both as with a display.
//
// Arguments: FOLDER_OF_THIS_FILE hyperstack.tif (2 channels, 3 slices, 2 frames; nuclei in channel 2)

import ij.IJ
import ij.WindowManager

def fiji = new GroovyShell(getClass().classLoader).evaluate(new File(args[0], "fiji.groovy"))
def stack = IJ.openImage(args[1])
IJ.run(stack, "Select None", "") // ImageJ learns where its plugins are
def settings = [model: "nuclei", diameter: 26, channel: 2, planes: "every plane", label_image: true, results_table: true]
fiji.run(settings, "Segment_Cells", stack)
def rois = stack.overlay.toArray().toList()
def labels = WindowManager.currentImage
assert labels.title == "cells_labels" && [labels.NSlices, labels.NFrames] == [3, 2]
def painted = fiji.painted(rois, stack)
assert painted.size() == labels.stackSize
painted.eachWithIndex { plane, index -> assert Arrays.equals(plane, labels.imageStack.getPixels(index + 1)) }
assert ij.measure.ResultsTable.resultsTable.size() == rois.size()
println "${rois.size()} outlines"
System.exit(0)
