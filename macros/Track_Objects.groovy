#@ ImagePlus imp
#@ CharSequence (part="Outlines", label="The same number in several slices is one object", description="As the outlines of volumes (3D) are numbered; otherwise each slice is linked by itself", kind="box", needs="slices", value="false", persist=false, required=false) volumes
#@ CharSequence (part="Outlines", label="A colour for each track", description="Otherwise the outlines keep their colours", kind="box", value="true", persist=false, required=false) colours
#@ CharSequence (part="Outlines", label="Names", description="Frame and slice before the number of the track (0003-0001), or its number alone (0001)", kind="choice", of="slice-number|number", value="slice-number", persist=false, required=false) names
#@ CharSequence (part="Results", label="Save the table as", description="A file, such as tracks.csv; leave it as it is to save nothing", kind="file", none="none", value="none", persist=false, required=false) csv

// Plugins > cellspan > Track Objects: numbers the outlines of a time-lapse so that each object keeps its number.
//
// The outlines are those in the ROI Manager or, if it is empty, those in the overlay of the image, corrected by hand or not. An
// object is the same as in the frame before if both overlap; daughters of a division get new numbers, and know their parent.
// The table Tracks has a row for each outline, with its measurements.
// For Fiji. `cellspan install fiji --to FOLDER` puts this file into scripts/Plugins/cellspan.
// From a macro:  run("Track Objects", "colours=true csv=[/data/tracks.csv]");  missing settings have their defaults.

import ij.IJ
import ij.ImagePlus
import ij.ImageStack
import ij.io.FileSaver
import ij.measure.ResultsTable
import ij.process.FloatProcessor

def shared = new File(IJ.getDirectory("plugins") ?: "", "cellspan/engine.groovy.txt")
if (!shared.exists()) {
    IJ.error("cellspan", "ERROR The cellspan engine was not found: in a terminal, run\n" +
        "cellspan install fiji --to FOLDER  with the folder of this Fiji.")
    return
}
cellspan = IJ.getProperty("cellspan")
if (cellspan?.made != shared.lastModified())
    cellspan = new GroovyShell(getClass().classLoader).evaluate(shared)
cellspan.command(this) { File folder ->
    if (imp.NFrames == 1)
        cellspan.fail("The image has one frame, so there is nothing to link; if its slices are frames, correct the " +
            "dimensions in Image > Properties.")
    def source = cellspan.shared("outlines").newInstance(cellspan, imp)
    def outlines = source.all(false, "find cells with Segment Cells, in every frame.")
    def settings = cellspan.settings(this, imp)
    number(outlines, settings.volumes)
    def (labels, table) = [new File(folder, "labels.tif"), new File(folder, "tracks.csv")]
    paint(outlines, labels)
    IJ.showStatus("cellspan is linking objects...")
    cellspan.runInWorker(["fiji-link", "--labels", labels.path, "--tracks", table.path] +
        (settings.volumes ? ["--volumes"] : []))
    setTracks(outlines, cellspan.shared("tracks").read(table))
    rename(outlines, source, settings)
    def tracks = tableOf(outlines)
    if (settings.csv != null)
        save(tracks, settings.csv)
    cellspan.shared("measuring").show(tracks, "Tracks")
    cellspan.done("${outlines.collect { [it.slice, it.track] }.toSet().size()} tracks")
}

// Gives each outline a label: a number of its own in its plane or, in volumes, the number in its name.
void number(List<Map> outlines, boolean volumes) {
    outlines.groupBy { [it.frame, it.slice] }.each { plane, own ->
        own.eachWithIndex { outline, i ->
            def last = volumes ? (outline.roi.name =~ /(\d+)$/) : null
            if (volumes && !last)
                cellspan.fail("The name of the outline '${outline.roi.name}' has no number at its end, such as 0012.")
            outline.label = volumes ? last[0][1] as int : i + 1
        }
    }
}

void paint(List<Map> outlines, File file) {
    def stack = new ImageStack(imp.width, imp.height)
    def byPlane = outlines.groupBy { [it.frame, it.slice] }
    for (frame in 1..imp.NFrames) for (slice in 1..imp.NSlices) {
        def plane = new FloatProcessor(imp.width, imp.height)
        byPlane[[frame, slice]].each {
            plane.setValue(it.label)
            plane.fill(it.roi)
        }
        stack.addSlice(plane)
    }
    def labels = new ImagePlus("labels", stack)
    labels.setDimensions(1, imp.NSlices, imp.NFrames)
    labels.openAsHyperStack = true
    if (!new FileSaver(labels).saveAsTiff(file.path))
        cellspan.fail("The outlines could not be written to ${file}; is the disk full?")
}

void setTracks(List<Map> outlines, List<Map> rows) {
    def found = rows.collectEntries { [[it.frame, it.slice, it.label], it] }
    outlines.each {
        def row = found[[it.frame, it.slice, it.label]]
        if (!row)
            cellspan.fail("The outline '${it.roi.name}' is outside the image, or others cover it: move or delete it.")
        it.track = row.track
        it.parent = row.parent
    }
}

void rename(List<Map> outlines, Object source, Map settings) {
    def places = cellspan.shared("places")
    def (whole, largest) = [places.of(imp), outlines*.track.max()]
    def palette = cellspan.shared("colours")
    cellspan.onEventThread {
        outlines.eachWithIndex { outline, i ->
            def name = settings.names == "number" ? places.number(outline.track, largest)
                : whole.name(outline.track, outline.slice, outline.frame, largest)
            if (source.manager)
                source.manager.rename(i, name)
            outline.roi.name = name
            if (settings.colours)
                outline.roi.strokeColor = palette.of(outline.track)
        }
        source.update()
    }
}

ResultsTable tableOf(List<Map> outlines) {
    def table = new ResultsTable()
    def rows = outlines.sort(false) { [it.slice, it.track, it.frame].inject("") { text, number -> text + String.format("%09d", number) } }
    cellspan.shared("measuring").newInstance(imp).addTo(table, rows.collect {
        [roi: it.roi, track: it.track, parent: it.parent, slice: it.slice, frame: it.frame]
    })
    return table
}

void save(ResultsTable table, File file) {
    try {
        table.saveAs(file.path)
    } catch (IOException problem) {
        cellspan.fail("The table could not be saved as ${file}; is there such a folder?")
    }
}
