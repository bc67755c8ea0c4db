// A picture of the screen after Segment Cells: outlines on the image and in the ROI Manager, a label map, a table.
//
// Arguments: FOLDER_OF_THIS_FILE IMAGE SCREENSHOT.png

import ij.IJ
import ij.ImageJ
import ij.WindowManager
import ij.plugin.frame.RoiManager
import java.awt.Rectangle
import java.awt.Robot
import java.awt.Toolkit
import javax.imageio.ImageIO

def (programs, picture, screenshot) = args
def fiji = new GroovyShell(getClass().classLoader).evaluate(new File(programs, "fiji.groovy"))
def main = new ImageJ()
def image = IJ.openImage(picture)
image.show()
image.resetDisplayRange()
fiji.ok("Segment_Cells", image, model: "nuclei", diameter: 26, results_table: true, label_map: true, colours: true)
def manager = RoiManager.instance
def places = [(main): [0, 0], (image.window): [0, 130], (fiji.window("cells_map").window): [430, 130],
              (manager): [860, 130], (WindowManager.getWindow("Results")): [0, 580]]
places.each { window, place -> window.setLocation(place[0], place[1]) }
manager.setSize(230, 430)
WindowManager.getWindow("Results").setSize(860, 210)
WindowManager.setCurrentWindow(image.window)
IJ.showStatus("cellspan: ${manager.count} objects")
sleep(1500)
def everything = new Rectangle(Toolkit.defaultToolkit.screenSize)
ImageIO.write(new Robot().createScreenCapture(everything), "png", new File(screenshot))
println "outlines ${manager.count}"
System.exit(0)
