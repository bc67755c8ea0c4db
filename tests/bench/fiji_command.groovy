// Times the command Segment Cells in ImageJ with its windows, from its start to outlines in the ROI Manager.
//
// Arguments: FOLDER_OF_TEST_PROGRAMS IMAGE; runs once for each line of standard input, and prints
// "seconds <seconds> <outlines>" each time.

import ij.IJ
import ij.ImageJ
import ij.plugin.frame.RoiManager
import java.awt.EventQueue

def fiji = new GroovyShell(getClass().classLoader).evaluate(new File(args[0], "fiji.groovy"))
new ImageJ(ImageJ.NO_SHOW)
def image = IJ.openImage(args[1])
image.show()
def manager = RoiManager.roiManager
System.in.eachLine {
    EventQueue.invokeAndWait { manager.reset() }
    def start = System.nanoTime()
    fiji.run("Segment_Cells", image, model: "nuclei", diameter: 30)
    println "seconds ${(System.nanoTime() - start) / 1e9} ${manager.count}"
}
System.exit(0)
