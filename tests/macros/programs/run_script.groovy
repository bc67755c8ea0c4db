// Runs Segment Cells as Fiji would, with and without a display, and lets ImageJ paint every ROI.
//
// Arguments: FOLDER_OF_THIS_FILE IMAGE PAINTED.tif NAME=VALUE...

import ij.IJ
import ij.ImageJ
import ij.ImagePlus
import ij.gui.Overlay
import ij.gui.Roi
import ij.plugin.frame.RoiManager
import ij.process.ShortProcessor
import java.awt.GraphicsEnvironment

def (programs, picture, painted) = args
def fiji = new GroovyShell(getClass().classLoader).evaluate(new File(programs, "fiji.groovy"))
def image = IJ.openImage(picture)
def own = new Roi(1, 2, 3, 4)
if (GraphicsEnvironment.headless) {
    IJ.run(image, "Select None", "") // ImageJ learns where its plugins are
    image.overlay = new Overlay(own)
} else {
    new ImageJ(ImageJ.NO_SHOW)
    RoiManager.roiManager.addRoi(own)
}

fiji.run(args.drop(3).collectEntries { it.split("=", 2).toList() }, "Segment_Cells", image)

def rois = GraphicsEnvironment.headless ? image.overlay.toArray() : RoiManager.roiManager.roisAsArray
println "own ${rois.head() == own}"
println "names ${rois.tail()*.name.join(" ")}"
def objects = new ShortProcessor(image.width, image.height)
rois.tail().each { roi ->
    objects.setValue(roi.name as int)
    objects.fill(roi)
}
IJ.saveAsTiff(new ImagePlus("painted", objects), painted)
System.exit(0)
