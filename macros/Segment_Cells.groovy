#@ ImagePlus image
#@ String  (label="Model", value="cyto", persist=false) model
#@ Double  (label="Diameter in pixels (0 = automatic)", value=0, persist=false) diameter
#@ Double  (label="Flow threshold (0 = keep all)", value=0.4, persist=false) flow_threshold
#@ Double  (label="Cellprob threshold (lower = more)", value=0, persist=false) cellprob_threshold
#@ Integer (label="Min size in pixels", value=15, persist=false) min_size
#@ Boolean (label="Exclude on edges", value=false, persist=false) exclude_on_edges

// Plugins > cellspan > Segment Cells: finds every cell in the active image and adds the outlines to the ROI Manager.
//
// For Fiji. `cellspan install fiji --to FOLDER` puts this file into scripts/Plugins/cellspan.
// From a macro:  run("Segment Cells", "model=nuclei diameter=30");  settings not given have their defaults.
// Without a display there is no ROI Manager: the outlines then go to the overlay of the image.
// The names and the defaults of the settings are those of the engine (core/parameters.py).

import ij.IJ
import ij.Macro
import ij.gui.Overlay
import ij.gui.Roi
import ij.io.RoiDecoder
import ij.plugin.frame.RoiManager
import java.awt.EventQueue
import java.awt.GraphicsEnvironment
import java.nio.file.Files
import java.util.zip.ZipFile

class Problem extends Exception {
    Problem(String sentence) { super(sentence) }
}

try {
    def rois = findCells()
    if (GraphicsEnvironment.headless)
        addToOverlay(rois)
    else
        onEventThread { addToManager(rois) }
    IJ.showStatus("cellspan: ${rois.size()} objects")
} catch (Problem problem) {
    tell(problem.message)
}

// ---- the engine

List<Roi> findCells() {
    def folder = Files.createTempDirectory("cellspan").toFile()
    try {
        def picture = new File(folder, "image.tif")
        def outlines = new File(folder, "rois.zip")
        // A copy, because ImageJ renames the image that it saves.
        IJ.saveAsTiff(image.duplicate(), picture.path)
        IJ.showStatus("cellspan is looking for cells...")
        def count = countIn(ask(command(picture, outlines), new File(folder, "engine.log")))
        def rois = count ? readRois(outlines) : []
        if (rois.size() != count)
            throw new Problem("ImageJ took over ${rois.size()} of ${count} outlines.")
        return rois
    } finally {
        folder.deleteDir()
    }
}

List<String> command(File picture, File outlines) {
    def words = engine() + ["fiji-segment", "--input", picture.path, "--rois", outlines.path]
    def settings = [model: model, diameter: diameter, flow_threshold: flow_threshold,
                    cellprob_threshold: cellprob_threshold, min_size: min_size]
    settings.each { name, value -> words += ["--" + name.replace("_", "-"), value.toString()] }
    return exclude_on_edges ? words + "--exclude-on-edges" : words
}

// The words of the command that starts the engine; the installer wrote them into a file, one a line.
List<String> engine() {
    def file = new File(IJ.getDirectory("plugins") ?: "", "cellspan/engine.txt")
    if (!file.exists())
        throw new Problem("cellspan's engine is not known here: in a terminal, run  cellspan install fiji --to FOLDER  " +
            "with the folder of this Fiji.")
    return file.readLines("UTF-8").findAll().collect { URLDecoder.decode(it.trim(), "UTF-8") }
}

// What the engine prints: one line, "OK <count> <file>" or "ERROR <sentence>".
// Its messages for developers go to a file that is thrown away (Java 8 knows no other way to ignore them).
String ask(List<String> words, File log) {
    def builder = new ProcessBuilder(words).redirectError(log)
    builder.environment()["PYTHONIOENCODING"] = "utf-8"
    try {
        def process = builder.start()
        process.outputStream.close()
        def lines = process.inputStream.readLines("UTF-8")
        return lines ? lines.last() : ""
    } catch (IOException error) {
        throw new Problem("The engine did not start (${error.message}); in a terminal, run  cellspan install fiji  again.")
    }
}

int countIn(String answer) {
    if (answer ==~ /OK \d+ .*/)
        return answer.split(" ")[1] as int
    if (answer.startsWith("ERROR "))
        throw new Problem(answer - "ERROR ")
    throw new Problem("The engine gave no answer; in a terminal, run  cellspan doctor  to see why.")
}

// ---- outlines

List<Roi> readRois(File archive) {
    new ZipFile(archive).withCloseable { zip ->
        zip.entries().collect { new RoiDecoder(zip.getInputStream(it).bytes, it.name).roi }
    }
}

// What the user has in the ROI Manager stays. In a macro's batch mode, this is the manager of that macro.
void addToManager(List<Roi> rois) {
    def manager = RoiManager.instance2 ?: RoiManager.roiManager
    rois.each { manager.addRoi(it) }
    manager.runCommand("show all")
}

void addToOverlay(List<Roi> rois) {
    def overlay = image.overlay ?: new Overlay()
    rois.each { overlay.add(it) }
    image.overlay = overlay
}

void onEventThread(Runnable work) {
    if (EventQueue.dispatchThread)
        work.run()
    else
        EventQueue.invokeAndWait(work)
}

// ---- messages

// One message, then the end of the macro that called this script.
void tell(String sentence) {
    if (GraphicsEnvironment.headless) {
        println("ERROR " + sentence)
        Macro.abort()
    } else
        IJ.error("cellspan", sentence.replaceAll(/(.{60,80}) /, '$1\n'))
}
