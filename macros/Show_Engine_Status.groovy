// Plugins > cellspan > Show Engine Status: shows what is installed and running, and which models there are.
//
// For Fiji. `cellspan install fiji --to FOLDER` puts this file into scripts/Plugins/cellspan.
// The same as  cellspan doctor  and  cellspan models list  in a terminal. It also updates the model lists of the dialogs.

import ij.IJ
import ij.text.TextWindow
import java.awt.GraphicsEnvironment

def shared = new File(IJ.getDirectory("plugins") ?: "", "cellspan/engine.groovy.txt")
if (!shared.exists()) {
    IJ.error("cellspan", "ERROR The cellspan engine was not found: in a terminal, run\n" +
        "cellspan install fiji --to FOLDER  with the folder of this Fiji.")
    return
}
cellspan = IJ.getProperty("cellspan")
if (cellspan?.made != shared.lastModified())
    cellspan = new GroovyShell(getClass().classLoader).evaluate(shared)
cellspan.command(this) {
    IJ.showStatus("cellspan: checking the engine...")
    def doctor = cellspan.runIfHere(["doctor"])
    if (!doctor) {
        cellspan.done("The engine is not installed yet; Segment Cells offers to install it.")
        return
    }
    if (!doctor.printed)
        cellspan.requireSuccess(doctor + [code: 1])
    def models = cellspan.run(["models", "list"]) {}
    cellspan.requireSuccess(models)
    cellspan.renewModels()
    def text = (doctor.printed + "" + "Models:" + models.printed).join("\n")
    if (GraphicsEnvironment.headless)
        println(text)
    else
        new TextWindow("cellspan engine", text, 800, 500)
    cellspan.done(doctor.code == 0 ? "everything works" : "see the lines with FAIL")
}
