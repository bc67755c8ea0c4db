// Plugins > cellspan > Stop Engine: stops the engine and frees its memory; it starts again when it is needed.
//
// For Fiji. `cellspan install fiji --to FOLDER` puts this file into scripts/Plugins/cellspan.
// The same as  cellspan service stop  in a terminal. Other programs on this computer use the same engine.

import ij.IJ

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
    def answer = cellspan.runIfHere(["service", "stop"])
    if (answer)
        cellspan.requireSuccess(answer)
    cellspan.done(answer?.printed ? answer.printed.last() : "The engine is not running.")
}
