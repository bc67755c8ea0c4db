// Track Objects on outlines that were drawn by hand, and the parents in the table of Segment Cells, in ImageJ with its windows.
//
// Arguments: FOLDER_OF_THIS_FILE tracks.csv

import ij.IJ
import ij.ImageJ
import ij.gui.Line
import ij.gui.OvalRoi
import ij.gui.Overlay
import ij.gui.Roi
import ij.measure.ResultsTable
import ij.plugin.frame.RoiManager
import java.awt.EventQueue

def fiji = new GroovyShell(getClass().classLoader).evaluate(new File(args[0], "fiji.groovy"))
new ImageJ(ImageJ.NO_SHOW)
fiji.answerBoxes()
def manager = RoiManager.roiManager
def refused = { Map settings = [:], image ->
    fiji.messages.clear()
    fiji.run(settings, "Track_Objects", image)
    assert fiji.messages.size() == 1
    fiji.messages[0]
}
def column = { ResultsTable table, String name -> table.getColumn(name).collect { it as int } }

// Three frames: an object that moves, one that divides, one that comes late; drawn in another order each time.
def movie = IJ.createHyperStack("movie", 60, 40, 1, 1, 3, 8)
movie.calibration.pixelWidth = movie.calibration.pixelHeight = 0.5
movie.show()
assert refused(movie).startsWith("There are no outlines in the ROI Manager")
def drawn = [[[10, 20, 30, 10], [2, 2, 10, 10]],
             [[4, 3, 10, 10], [10, 20, 14, 10], [26, 20, 14, 10]],
             [[50, 2, 7, 7], [26, 20, 14, 10], [10, 20, 14, 10], [6, 4, 10, 10]]]
def draw = {
    drawn.withIndex().collectMany { boxes, t ->
        boxes.collect { x, y, w, h ->
            def roi = new Roi(x, y, w, h)
            roi.position = t + 1
            roi
        }
    }
}
EventQueue.invokeAndWait { draw().each { manager.addRoi(it) } }
fiji.ok("Track_Objects", movie, csv: new File(args[1]))
def names = ["0001-0001", "0001-0002", "0002-0002", "0002-0003", "0002-0004", "0003-0005", "0003-0004", "0003-0003", "0003-0002"]
assert manager.roisAsArray*.name == names
def colours = manager.roisAsArray.groupBy { it.name.split("-")[1] }.values()*.strokeColor
assert colours.every { it.toSet().size() == 1 } && colours*.first().toSet().size() == 5
def tracks = ResultsTable.getResultsTable("Tracks")
assert column(tracks, "Track") == [1, 2, 2, 2, 3, 3, 4, 4, 5]
assert column(tracks, "Frame") == [1, 1, 2, 3, 2, 3, 2, 3, 3]
assert column(tracks, "Parent") == [0, 0, 0, 0, 1, 1, 1, 1, 0]
assert column(tracks, "Area") == [75, 25, 25, 25, 35, 35, 35, 35, 12]
assert tracks.getLabel(1) == "movie:0001-0002"
assert fiji.statusBar() == "cellspan: 5 tracks"
def saved = ResultsTable.open(args[1])
["Track", "Parent", "Frame", "X", "Y", "Mean"].each { assert saved.getColumn(it).toList()*.round(3) == tracks.getColumn(it).toList()*.round(3) }

// Outlines of the overlay, which keep their colours; names without places.
EventQueue.invokeAndWait { manager.reset() }
movie.overlay = new Overlay()
draw().each { movie.overlay.add(it) }
fiji.ok("Track_Objects", movie, colours: false, names: "number")
assert movie.overlay.toArray()*.name == names.collect { it.split("-")[1] }
assert movie.overlay.toArray().every { it.strokeColor == null }

// Volumes: in the second slice alone, the object would have jumped.
def volumes = IJ.createHyperStack("volumes", 60, 40, 1, 2, 2, 8)
volumes.show()
volumes.overlay = new Overlay()
[[1, 1, 5, 30], [2, 1, 5, 3], [1, 2, 5, 30], [2, 2, 30, 3]].each { z, t, at, side ->
    def roi = new Roi(at, at, side, side)
    roi.setPosition(0, z, t)
    roi.name = "an object 7"
    volumes.overlay.add(roi)
}
fiji.ok("Track_Objects", volumes, volumes: true)
assert volumes.overlay.toArray()*.name == ["0001-0001-0007", "0001-0002-0007", "0002-0001-0007", "0002-0002-0007"]
fiji.ok([:], "Track_Objects", volumes)
assert volumes.overlay.toArray()*.name == ["0001-0001-0001", "0001-0002-0001", "0002-0001-0001", "0002-0002-0002"]

// ---- mistakes

def with = { Roi... rois ->
    movie.overlay = new Overlay()
    rois.each {
        it.position = it.position ?: 1
        it.name = it.name ?: "mine"
        movie.overlay.add(it)
    }
    movie
}
assert refused(with(new Line(1, 1, 9, 9))) == "The outline 'mine' is a line or a point, which has no inside: delete it."
assert refused(with(new Roi(100, 100, 9, 9))).startsWith("The outline 'mine' is outside the image, or others cover it")
assert refused(with(new Roi(5, 5, 5, 5), new Roi(0, 0, 20, 20))).startsWith("The outline 'mine' is outside the image, or")
assert refused(with(new Roi(0, 0, 20, 20)), csv: "/no such folder/t.csv").startsWith("The table could not be saved as /no such folder")
assert refused(IJ.createImage("alone", "8-bit black", 9, 9, 1)).startsWith("The image has one frame, so there is nothing to link")
volumes.overlay.get(0).name = "mine"
assert refused(volumes, volumes: true) == "The name of the outline 'mine' has no number at its end, such as 0012."

// ---- Segment Cells knows who divided

def division = IJ.createHyperStack("division", 120, 80, 1, 1, 2, 8)
[[[36, 22, 44, 36]], [[34, 26, 22, 28], [60, 26, 22, 28]]].eachWithIndex { ovals, t ->
    def pixels = division.imageStack.getProcessor(t + 1)
    pixels.setValue(200)
    ovals.each { x, y, w, h -> pixels.fill(new OvalRoi(x, y, w, h)) }
}
division.show()
def settings = [model: "nuclei", diameter: 30, flow_threshold: 0, planes: "every frame", link_frames: true, results_table: true, colours: true]
fiji.ok(settings, "Segment_Cells", division)
assert manager.roisAsArray*.name == ["0001-0001", "0002-0002", "0002-0003"]
def table = ResultsTable.resultsTable
assert [column(table, "Object"), column(table, "Parent")] == [[1, 2, 3], [0, 1, 1]]
println "done"
System.exit(0)
