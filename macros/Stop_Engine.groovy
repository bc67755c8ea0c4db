// Plugins > cellspan > Stop Engine: ends the engine and frees its memory; it starts again when it is needed.
//
// For Fiji. `cellspan install fiji --to FOLDER` puts this file into scripts/Plugins/cellspan.
// It is the command  cellspan service stop  of a terminal. Other programs on this machine use the same engine.

import ij.IJ

def shared = new File(IJ.getDirectory("plugins") ?: "", "cellspan/engine.groovy")
if (!shared.exists()) {
    IJ.error("cellspan", "ERROR cellspan's engine is not known here: in a terminal, run\n" +
        "cellspan install fiji --to FOLDER  with the folder of this Fiji.")
    return
}
cellspan = new GroovyShell(getClass().classLoader).evaluate(shared)
cellspan.command(this) {
    def answer = cellspan.run(["service", "stop"]) {}
    cellspan.requireSuccess(answer)
    IJ.showStatus("cellspan: " + (answer.printed ? answer.printed.last() : "the engine is stopped"))
}
