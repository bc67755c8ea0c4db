#@ ImagePlus imp

// Plugins > cellspan > Track with TrackMate: opens TrackMate on the active time-lapse, with cellspan as its detector.
//
// TrackMate then offers the detector until Fiji is closed, also when it is started from its own menu. Without TrackMate, use
// Track Objects.
// For Fiji. `cellspan install fiji --to FOLDER` puts this file into scripts/Plugins/cellspan.

import ij.IJ
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
    try {
        Class.forName("fiji.plugin.trackmate.TrackMate", false, IJ.classLoader)
    } catch (ClassNotFoundException missing) {
        cellspan.fail("TrackMate is not in this ImageJ: install it with Help > Update..., or use Track Objects.")
    }
    def detector = cellspan.shared("trackmate")
    detector.register()
    if (!GraphicsEnvironment.headless)
        cellspan.onEventThread { detector.open(imp) }
    cellspan.done("TrackMate has the cellspan detector")
}
