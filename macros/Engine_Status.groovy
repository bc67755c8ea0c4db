#@ ScriptService scripts

// Plugins > cellspan > Engine Status: what is installed and running, and which models there are.
//
// For Fiji. `cellspan install fiji --to FOLDER` puts this file into scripts/Plugins/cellspan.
// It is the command  cellspan doctor  of a terminal, and  cellspan models list; the other commands' lists of models are
// renewed.

import ij.IJ
import ij.text.TextWindow
import java.awt.GraphicsEnvironment

def shared = new File(IJ.getDirectory("plugins") ?: "", "cellspan/engine.groovy")
if (!shared.exists()) {
    IJ.error("cellspan", "ERROR cellspan's engine is not known here: in a terminal, run\n" +
        "cellspan install fiji --to FOLDER  with the folder of this Fiji.")
    return
}
cellspan = new GroovyShell(getClass().classLoader).evaluate(shared)
cellspan.command(this) {
    IJ.showStatus("cellspan: looking at the engine...")
    def doctor = cellspan.run(["doctor"]) {}
    if (!doctor.printed)
        cellspan.requireSuccess(doctor + [code: 1])
    def models = cellspan.run(["models", "list"]) {}
    cellspan.requireSuccess(models)
    cellspan.renewModels(scripts)
    def text = (doctor.printed + "" + "Models:" + models.printed).join("\n")
    if (GraphicsEnvironment.headless)
        println(text)
    else
        new TextWindow("cellspan engine", text, 800, 500)
    IJ.showStatus("cellspan: " + (doctor.code == 0 ? "the engine is well" : "see the lines with FAIL"))
}
