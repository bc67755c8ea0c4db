// Find cells, correct their outlines, train, find cells again: as a person would, in ImageJ with its windows.
//
// Arguments: FOLDER_OF_THIS_FILE image.tif FOLDER (of corrected images) MINUTES

import ij.IJ
import ij.ImageJ
import ij.gui.OvalRoi
import ij.plugin.frame.RoiManager
import java.awt.EventQueue

def fiji = new GroovyShell(getClass().classLoader).evaluate(new File(args[0], "fiji.groovy"))
new ImageJ(ImageJ.NO_SHOW)
fiji.answerBoxes()
def image = IJ.openImage(args[1])
image.show()
def folder = new File(args[2])

def refused = { Map settings ->
    fiji.messages.clear()
    fiji.run(settings, "Train_from_ROIs", image)
    assert fiji.messages.size() == 1
    fiji.messages[0]
}
assert refused([:]).startsWith("There are no outlines in the ROI Manager")

fiji.ok("Segment_Cells", image, model: "nuclei", diameter: 26)
def manager = RoiManager.instance
def before = manager.count
assert before > 5
EventQueue.invokeAndWait {
    manager.select(0)
    manager.runCommand("Delete")
    manager.addRoi(new OvalRoi(3, 3, 24, 20))
}
assert manager.count == before
assert refused(minutes: 0).startsWith("With 0 minutes there is nothing to do")

// First into the folder only; again, with the image under the same name, it takes its own place.
2.times { fiji.ok("Train_from_ROIs", image, minutes: 0, folder: folder) }
assert folder.list().sort().toList() == ["my_cells_1.tif", "my_cells_1_rois.zip"]
assert fiji.statusBar().startsWith("cellspan: 1 image(s) with outlines are in ")

// Another image with the same title does not take its place.
def other = new File(folder.parentFile, "other")
fiji.ok("Train_from_ROIs", image, minutes: 0, folder: other)
def twin = image.duplicate()
twin.title = image.title
twin.getProcessor().invert()
2.times { fiji.ok("Train_from_ROIs", twin, minutes: 0, folder: other) }
assert other.list().sort().toList() == ["my_cells_1.tif", "my_cells_1_2.tif", "my_cells_1_2_rois.zip", "my_cells_1_rois.zip"]

assert refused(name: "nuclei", minutes: 1).contains("'nuclei'") // the name is taken: said before the training

def models = { IJ.getProperty("cellspan").models() } // that the dialogs offer
assert models() == ["cyto", "nuclei"]
fiji.ok("Train_from_ROIs", image, name: "my own nuclei", model: "nuclei", minutes: args[3] as double, folder: folder)
assert fiji.statusBar() == "cellspan: the model 'my own nuclei' is ready"
assert models() == ["cyto", "nuclei", "my own nuclei"]
println((IJ.log =~ /AP@0.5 on 1 annotated image: \d\.\d\d before, \d\.\d\d after/)[0])
EventQueue.invokeAndWait { manager.reset() }
image.killRoi() // the outline that was selected for deleting
fiji.ok("Segment_Cells", image, model: "my own nuclei")
println "objects ${manager.count}"
System.exit(0)
