// Segment Folder, Show Engine Status, Segment Help and Stop Engine, in ImageJ with its windows.
//
// Arguments: FOLDER_OF_THIS_FILE FOLDER_OF_IMAGES (two images and one that is damaged)

import ij.IJ
import ij.ImageJ
import ij.WindowManager
import ij.gui.HTMLDialog
import java.awt.Window
import javax.swing.JEditorPane

def fiji = new GroovyShell(getClass().classLoader).evaluate(new File(args[0], "fiji.groovy"))
new ImageJ(ImageJ.NO_SHOW)
fiji.answerBoxes()
def images = new File(args[1])
def results = new File(images.parentFile, images.name + "_cellspan")
def names = { results.list().toList().findAll { !it.startsWith("run") }.sort() }

// One image is damaged: the others are done, and one message names it.
fiji.run("Segment_Folder", folder: images, model: "nuclei", diameter: 26)
assert fiji.messages.size() == 1
assert fiji.messages[0].contains("1 image(s) failed, the others are done.") && fiji.messages[0].contains("broken.tif: ")
def kinds = ["labels.tif", "objects.csv", "rois.zip"]
assert names() == ["field 0", "field 1"].collectMany { image -> kinds.collect { image + "_" + it } }
assert IJ.log.readLines()[-2..-1].with { it[0].endsWith(" objects in 2 of 3 images; results in") && it[1] == results.path }

// Results that are there are not replaced without being asked.
new File(images, "broken.tif").delete()
fiji.messages.clear()
fiji.run("Segment_Folder", folder: images, model: "nuclei", diameter: 26)
assert fiji.messages[0].contains("2 image(s) failed") && fiji.messages[0].contains("this result exists already; choose Replace earlier results")
fiji.ok("Segment_Folder", folder: images, model: "nuclei", diameter: 26, replace: true, overlay: true, table: false)
assert "field 0_overlay.png" in names()
assert fiji.statusBar().contains("objects in 2 of 2 images")

// Mistakes.
def refused = { Map settings ->
    fiji.messages.clear()
    fiji.run(settings, "Segment_Folder")
    assert fiji.messages.size() == 1
    fiji.messages[0]
}
assert refused(folder: new File("/no such folder")) == "/no such folder: there is no such folder."
assert refused(folder: images, model: "none such").startsWith("There is no model 'none such'")
assert refused(folder: images, replace: true, channel: 2).contains("the channel is 2, but the image has 1 channel(s), counted from 1")
assert refused(folder: images, labels: false, rois: false, table: false).startsWith("Choose at least one result")

// The engine.
fiji.ok("Show_Engine_Status")
def text = WindowManager.getWindow("cellspan engine").textPanel.text
assert text.contains("ok   cellspan ") && text.contains("engine log: ") && text =~ /(?m)^nuclei /
fiji.ok("Segment_Help")
def help = Window.windows.find { it instanceof HTMLDialog }.contentPane
def page = fiji.parts(help).find { it instanceof JEditorPane }.text
for (words in ["Finds every cell in the active image", "Show Engine Status", "cellprob_threshold", "current plane, every slice",
             "cyto3 of Cellpose"])
    assert page.replaceAll(/\s+/, " ").contains(words)
fiji.ok("Stop_Engine")
assert fiji.statusBar() == "cellspan: The engine is not running."
IJ.createImage("black", "8-bit black", 50, 50, 1).show()
fiji.ok("Segment_Cells", IJ.image, model: "nuclei", diameter: 20)
fiji.ok("Stop_Engine")
assert fiji.statusBar() == "cellspan: The engine has stopped."
println "done"
System.exit(0)
