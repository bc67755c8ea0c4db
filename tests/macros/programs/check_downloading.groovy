// A model of Cellpose is downloaded and stands in the lists of the dialogs, in ImageJ with its windows.
//
// Arguments: FOLDER_OF_THIS_FILE; the server has only cyto3

import ij.IJ
import ij.ImageJ

def fiji = new GroovyShell(getClass().classLoader).evaluate(new File(args[0], "fiji.groovy"))
new ImageJ(ImageJ.NO_SHOW)
fiji.answerBoxes()
fiji.ok("Use_Cellpose_Model", name: "cyto3")
assert fiji.statusBar() == "cellspan: the model 'cyto3' is ready"
def cellspan = IJ.getProperty("cellspan")
assert "cyto3" in cellspan.models()

// The dialog offers every model of Cellpose, with what it was trained on.
def offered = cellspan.officialModels()
assert offered.cyto3 == "cyto3 - cells, nine data sets"
assert offered.size() > 40
def shell = new GroovyShell(getClass().classLoader)
def person = shell.evaluate(new File(args[0], "person.groovy"))
IJ.instance.visible = true
fiji.serveMacros()
IJ.doCommand("Use Cellpose Model")
person.use("Use Cellpose Model")
assert person.field("Model of Cellpose").text == offered.cyto3
person.press("Cancel")
person.until("end of the command") { !person.dialog.showing }

fiji.messages.clear()
["cyto9", "livecell_cp3"].each { fiji.run("Use_Cellpose_Model", name: it) }
assert fiji.messages[0].contains("There is no official model 'cyto9'")
assert fiji.messages[1].contains("livecell_cp3")
assert fiji.messages.size() == 2
println "done"
System.exit(0)
