#@ ImagePlus imp

// Plugins > cellspan > Track with TrackMate: opens TrackMate on the active time-lapse, with cellspan as its detector.
//
// TrackMate then offers the detector until Fiji is closed, also when it is started from its own menu. Without TrackMate, use
// Track Objects.
// For Fiji. `cellspan install fiji --to FOLDER` puts this file into scripts/Plugins/cellspan.

import ij.IJ
import java.awt.GraphicsEnvironment
import java.lang.reflect.InvocationTargetException

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
    cellspan.ensureEngine() // the detector offers its models
    def detector = cellspan.shared("trackmate")
    detector.register()
    if (!GraphicsEnvironment.headless)
        open(detector)
    cellspan.done("TrackMate has the cellspan detector")
}

// TrackMate 7 saves its colours in a way that newer Javas forbid, unless they are told otherwise.
void open(Class detector) {
    try {
        cellspan.onEventThread { detector.open(imp) }
    } catch (InvocationTargetException problem) {
        def causes = []
        for (def cause = problem; cause != null; cause = cause.cause)
            causes << cause.class.simpleName
        if (!("InaccessibleObjectException" in causes)) // a class that Java 8 lacks
            throw problem
        cellspan.fail("This TrackMate does not start with Java ${System.getProperty("java.version")}, with or without cellspan: " +
            "use the Java that came with Fiji, or start Java with --add-opens=java.desktop/java.awt=ALL-UNNAMED.")
    }
}
