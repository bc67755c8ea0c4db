// The dialog of Segment Cells as a person uses it, with mouse and keyboard, in ImageJ with its windows.
//
// Arguments: FOLDER_OF_THIS_FILE hyperstack.tif (2 channels, 3 slices, 2 frames; nuclei in channel 2; pixels of 0.5 um)

import ij.IJ
import ij.ImageJ
import ij.Prefs
import ij.WindowManager
import ij.gui.Line
import ij.gui.OvalRoi
import ij.gui.Overlay
import ij.gui.Roi
import ij.plugin.Duplicator
import ij.plugin.frame.RoiManager
import java.awt.Font
import javax.swing.JComboBox
import javax.swing.JSlider

def shell = new GroovyShell(getClass().classLoader)
def person = shell.evaluate(new File(args[0], "person.groovy"))
if (IJ.instance == null) { // else it is a Fiji, which has the commands in its menu
    new ImageJ()
    shell.evaluate(new File(args[0], "fiji.groovy")).serveMacros()
}
def kept = { String key -> Prefs.get("cellspan.Segment_Cells." + key, null) }
def start = {
    IJ.doCommand("Segment Cells")
    person.use("Segment Cells - ")
}
def finished = { person.until("end of the command") { !person.dialog.showing } }
def stack = IJ.openImage(args[1])
stack.show()
stack.window.setLocation(0, 100)
stack.setPosition(2, 1, 1)

// ---- what is shown

start()
def first = person.texts()
assert ["Image", "Objects", "Results", "Planes", "Channel", "More...", "Preview", "OK"].every { it in first }
assert !first.any { it in ["Volumes", "Time", "Grey values"] }
assert person.field("Diameter").text == "0" && person.field("Min size").text == "3.75"
person.press("More...")
assert ["Volumes", "Time", "Grey values", "Less"].every { it in person.texts() }
def screen = person.dialog.graphicsConfiguration.bounds
assert screen.contains(person.dialog.bounds)
person.type("Smooth over", "0.45")
person.press("Less (1 changed)")
assert "More... (1 changed)" in person.texts()
person.press("Defaults")

// ---- what is typed

person.type("Diameter", "wide")
person.press("OK")
assert person.texts().any { it.contains("diameter = 'wide' is not possible: give a number, such as 26.5.") }
person.type("Diameter", "1,300")
person.press("OK")
assert person.texts().any { it.contains("diameter = '1,300' is not possible: this may be 1300 or 1.300") }
person.type("Diameter", "13,25")
def nucleiModel = "nuclei - nuclei; convolutional network (Cellpose 1 to 3), 3.4 MB"
person.choose("Model", nucleiModel)
person.type("Cellprob", "-1.25")
person.press("ROI Manager")
person.press("OK")
assert person.texts().any { it.contains("Choose at least one result") }
person.press("ROI Manager")
person.press("OK")
finished()
def manager = person.until("outlines") { RoiManager.instance?.count ? RoiManager.instance : null }
assert ["model", "diameter", "cellprob_threshold", "min_size"].collect { kept(it) } == ["nuclei", "26.5", "-1.25", "15"]

// ---- what is remembered, and the units

start()
assert ["Diameter", "Cellprob", "Min size"].collect { person.field(it).text } == ["13,25", "-1.25", "3.75"]
assert person.beside("Model", JComboBox).selectedItem == nucleiModel
person.choose("Diameter", "pixels")
assert ["Diameter", "Min size"].collect { person.field(it).text } == ["26.5", "15"]
person.choose("Diameter", "\u00b5m")
assert person.field("Diameter").text == "13.25"

// ---- measuring: a line, an outline, nothing

stack.roi = new Line(10, 10, 40, 50)
person.press("Measure")
assert person.field("Diameter").text == "25"
stack.roi = new OvalRoi(20, 20, 30, 30)
person.press("Measure")
assert Math.abs((person.field("Diameter").text as double) - 15) < 0.2
stack.killRoi()
person.press("Measure")
assert person.texts().any { it.contains("Draw a line across a typical cell") }
person.type("Diameter", "13.25")

// ---- the preview: outlines follow the thresholds and the plane; afterwards the image is as it was

def own = new Overlay(new Roi(1, 2, 3, 4))
stack.overlay = own
person.press("Preview")
def counts = []
def outlines = { person.until("preview") { person.texts().find { it ==~ /\d+ objects in this plane/ } } as String }
counts << outlines()
person.until("a status") { ImageJ.statusBarText == "cellspan: " + counts[0] }
def previewed = stack.overlay
assert previewed.size() == (counts[0] =~ /\d+/)[0] as int && previewed.size() > 2
assert previewed.toArray()*.bounds == manager.roisAsArray*.bounds // with the values of before
person.type("Cellprob", "6")
person.until("other outlines") { stack.overlay != previewed }
assert stack.overlay.toArray()*.bounds != previewed.toArray()*.bounds
def slider = person.beside("Cellprob", JSlider)
assert slider.value == slider.maximum
person.type("Cellprob", "-1.25")
person.until("the outlines of before") { stack.overlay.toArray()*.bounds == previewed.toArray()*.bounds }
stack.setPosition(2, 3, 2)
person.until("outlines of another plane") { stack.overlay.size() && stack.overlay.get(0).with { [ZPosition, TPosition] } == [3, 2] }
def ofPlane = stack.overlay.toArray()
def before = manager.count
person.press("OK")
finished()
person.until("outlines") { manager.count > before }
assert stack.overlay == own
assert manager.roisAsArray.drop(before)*.bounds == ofPlane*.bounds

start()
person.press("Preview")
outlines()
person.press("Cancel")
finished()
assert stack.overlay == own && manager.count == before + ofPlane.size()

// ---- a plane alone has neither channels nor planes to choose

def plane = new Duplicator().run(stack, 2, 2, 1, 1, 1, 1)
plane.title = "plane"
plane.calibration.unit = "pixel"
plane.calibration.pixelWidth = plane.calibration.pixelHeight = 1
plane.show()
start()
assert !person.texts().any { it in ["Channel", "Nuclei channel", "Planes", "\u00b5m"] }
assert person.field("Diameter").text == "26.5" // in pixels now
person.press("More...")
assert !person.texts().any { it in ["Volumes", "Time", "Names in stacks"] }
person.press("Cancel")
finished()
plane.window.setLocation((int) screen.width - plane.window.width, 100)
plane.calibration.unit = " " // as of a TIFF that tells none
start()
assert person.texts().count("pixels") == 2
assert person.dialog.bounds.maxX <= plane.window.x // on its other side, where there is room
plane.changes = false
plane.close()
person.press("OK")
assert person.until("the sentence") { person.texts().find { it.contains("The image was closed.") } }
person.press("Cancel")
finished()

// ---- what was entered in micrometres stays the same under another magnification; a default is a number of pixels

stack.calibration.pixelWidth = stack.calibration.pixelHeight = 0.5
start()
person.choose("Diameter", "\u00b5m")
person.press("Defaults")
person.type("Diameter", "13.25")
person.press("OK")
finished()
stack.calibration.pixelWidth = stack.calibration.pixelHeight = 0.25
start()
assert ["Diameter", "Min size"].collect { person.field(it).text } == ["13.25", "0.9375"]
person.choose("Diameter", "pixels")
assert person.field("Diameter").text == "53"
person.press("Cancel")
finished()

// ---- a command without an image: its dialog keeps what was typed when something is missing

IJ.doCommand("Segment Folder")
person.use("Segment Folder")
person.type("Diameter", "31.5")
person.press("OK")
assert person.until("the sentence") { person.texts().find { it.contains("Give the folder of images.") } }
assert person.field("Diameter").text == "31.5"
person.press("Cancel")
finished()

// ---- nothing found: the Log says so, and shows its lines whole

IJ.createImage("nothing", "8-bit black", 100, 100, 1).show()
start()
person.press("OK")
finished()
person.until("the advice") { IJ.getLog()?.contains("invert the image") }
def log = WindowManager.getWindow("Log")
def letters = log.getFontMetrics(new Font("SansSerif", Font.PLAIN, (int) Prefs.get("tw.font.size", 16)))
person.until("a Log that is wide enough") { IJ.getLog().readLines().every { letters.stringWidth(it) < log.width } }
println "done"
System.exit(0)
