// The first use of commands that came as a zip, with mouse and keyboard, in ImageJ with its windows.
//
// Arguments: FOLDER_OF_THIS_FILE IMAGE STORY [SCREENSHOT.png]; what is said in the dialog is printed first.

import ij.IJ
import ij.ImageJ
import ij.plugin.frame.RoiManager
import java.awt.Window
import javax.swing.JProgressBar

def shell = new GroovyShell(getClass().classLoader)
def person = shell.evaluate(new File(args[0], "person.groovy"))
def fiji = shell.evaluate(new File(args[0], "fiji.groovy"))
if (IJ.instance == null) { // else it is a Fiji, which has the commands in its menu
    new ImageJ()
    fiji.serveMacros()
}
def first = "cellspan - first use"
def isOpen = { title -> Window.windows.any { it.showing && it.hasProperty("title") && it.title.startsWith(title) } }
def patience = { Closure closure ->
    for (attempt in 1..2400) {
        if (closure())
            return
        sleep(100)
    }
    assert false : person.texts()
}

IJ.openImage(args[1]).show()
IJ.doCommand("Segment Cells")
person.use(first)
println person.texts().find { it.contains("To ") }.replace("\n", "|")
if (args.length > 3)
    person.picture(args[3], person.dialog.bounds)
def offeringNothing = [
    refuse: ["Stop Engine", "is not running."],
    status: ["Show Engine Status", "is not installed yet; Segment Cells offers to install it."],
]
switch (args[2]) {
    case offeringNothing.keySet():
        person.press("Cancel")
        patience { !isOpen(first) }
        def (command, words) = offeringNothing[args[2]]
        IJ.doCommand(command)
        patience { fiji.statusBar() == "cellspan: The engine " + words }
        break
    case "stop":
        person.press("Install")
        patience { person.parts(person.dialog).any { it instanceof JProgressBar && it.string.contains(", 0 of 17 MB") } }
        person.press("Cancel")
        break
    case "fail":
        fiji.answerBoxes()
        person.press("Install")
        patience { fiji.messages }
        println fiji.messages[0]
        break
    case "install":
        person.press("Install")
        patience { !isOpen(first) }
        person.use("Segment Cells - ")
        person.type("Diameter", "22")
        person.press("OK")
        patience { RoiManager.instance?.count > 10 } // they come one after another
        println "${RoiManager.instance.count} outlines"
        System.exit(0)
}
patience { !isOpen(first) }
sleep(300)
assert !isOpen("Segment Cells - ")
println "closed"
System.exit(0)
