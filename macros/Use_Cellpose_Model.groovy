#@ CharSequence (part="Model", label="Model of Cellpose", description="It is downloaded from Cellpose's server: about 27 MB, cpsam 1.2 GB. For whole cells in fluorescence and for tissue, take cyto3", kind="official", value="cyto3", persist=false, required=false) name

// Plugins > cellspan > Use Cellpose Model: downloads one of Cellpose's own models, which every program can use then.
//
// For Fiji. `cellspan install fiji --to FOLDER` puts this file into scripts/Plugins/cellspan.
// From a macro:  run("Use Cellpose Model", "name=cyto3");  a model that is here already is not downloaded again.
// The same as  cellspan models fetch NAME  in a terminal.

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
    def settings = cellspan.settings(this, null)
    def answer = cellspan.run(["models", "fetch", settings.name])
    cellspan.requireSuccess(answer)
    cellspan.renewModels()
    def name = answer.printed.last()
    cellspan.note("The model '${name}' is now available in every program; in macros, write  model=${name}.")
    cellspan.done("the model '${name}' is ready")
}
