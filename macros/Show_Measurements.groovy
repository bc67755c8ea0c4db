#@ ImagePlus imp

// Plugins > cellspan > Show Measurements: measures every channel of the active image inside every outline.
//
// The outlines are those in the ROI Manager or, if it is empty, those in the overlay of the image. Each is measured in its own
// slice and frame; one that belongs to no plane, in the plane that is shown. The rows are added to the table Results.
// For Fiji. `cellspan install fiji --to FOLDER` puts this file into scripts/Plugins/cellspan.
// From a macro:  run("Show Measurements");  run("Clear Results") before it for a new table.

import ij.IJ
import ij.measure.ResultsTable

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
    def outlines = cellspan.shared("outlines").newInstance(cellspan, imp)
        .all(true, "find cells with Segment Cells, or draw outlines and press Add.")
    def (table, measuring) = [ResultsTable.resultsTable, cellspan.shared("measuring")]
    measuring.newInstance(imp).addTo(table, outlines)
    measuring.show(table, "Results")
    cellspan.done("${outlines.size()} outlines measured in ${imp.NChannels} channel(s)")
}
