// Runs Segment_Cells.groovy as Fiji would, with values in place of its #@ parameters, and lets ImageJ paint every ROI.
//
// Arguments: SCRIPT IMAGE PAINTED.tif NAME=VALUE...

import ij.IJ
import ij.ImageJ
import ij.gui.Overlay
import ij.gui.Roi
import ij.plugin.frame.RoiManager
import ij.process.ShortProcessor
import java.awt.GraphicsEnvironment

def (script, picture, painted) = args
def image = IJ.openImage(picture)
def own = new Roi(1, 2, 3, 4)
if (GraphicsEnvironment.headless) {
    IJ.run(image, "Select None", "") // ImageJ learns where its plugins are
    image.overlay = new Overlay(own)
} else {
    new ImageJ(ImageJ.NO_SHOW)
    RoiManager.roiManager.addRoi(own)
}

def types = [String: { it }, Double: { it as double }, Integer: { it as int }, Boolean: { it.toBoolean() }]
def given = args.drop(3).collectEntries { it.split("=", 2) as List }
def values = [image: image]
new File(script).eachLine {
    def field = it =~ /^#@ (\w+) +\(.*value="?([^",)]*).*\) (\w+)$/
    if (field)
        values[field[0][3]] = types[field[0][1]](given[field[0][3]] ?: field[0][2])
}
assert given.keySet() - values.keySet() == [] as Set
def source = new File(script).readLines().collect { it.startsWith("#@") ? "//" : it }.join("\n")
new GroovyShell(new Binding(values)).evaluate(source, "Segment_Cells.groovy")

def rois = GraphicsEnvironment.headless ? image.overlay.toArray() : RoiManager.roiManager.roisAsArray
println "own ${rois.head() == own}"
println "names ${rois.tail()*.name.join(" ")}"
def objects = new ShortProcessor(image.width, image.height)
rois.tail().eachWithIndex { roi, index ->
    objects.setValue(index + 1)
    objects.fill(roi)
}
IJ.saveAsTiff(new ij.ImagePlus("painted", objects), painted)
System.exit(0)
